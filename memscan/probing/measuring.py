"""Images to values: a model asked by each method, a batch at a time, of what is not yet known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence

from memscan.detectors.diffusion import prompts
from memscan.errors import ImageError, InputError
from memscan.probes import ProbeOptions
from memscan.probing.measurements import Measurements, Values, identity
from memscan.probing.reading import Images
from memscan.records import Failure, Progress, Stage

if TYPE_CHECKING:
    import torch

    from memscan.detectors.diffusion.denoiser import Denoiser

_NOT_FINITE = "the model gives no finite number for it"


@dataclass(frozen=True)
class Measuring:
    """What asks a model, and what keeps the answers."""

    denoiser: Denoiser
    options: ProbeOptions
    kept: Measurements
    batch: int
    progress: Progress | None = None

    def identity(self, method: str, captioned: bool = False) -> str:
        """What must be equal for values of a method to be comparable."""
        options = self.options
        words = list(prompts.chosen(options))
        depends: dict[str, Any] = {"steps": options.steps, "guidance": options.guidance}
        if method == "iip":
            depends.update(depth=options.depth, prompts=words)
            if options.optimise:
                depends.update(iterations=options.iterations, rate=options.rate)
        elif method == "loss":
            shares = list(options.loss_shares)
            depends = {"shares": shares, "noises": options.noises, "seed": options.seed}
        elif captioned:
            depends.update(generations=options.generations, seed=options.seed)
        else:
            depends.update(prompts=words)
        return identity(method, self.denoiser.fingerprint, depends)

    def images(self, images: Images, methods: Sequence[str], phase: str) -> dict[str, str]:
        """Ask about images; gives the key of each image that could be measured, by its path.

        Those of which the model makes no finite number become failures of ``images``.
        """
        identities = {method: self.identity(method) for method in methods}
        keys: dict[str, str] = {}
        waiting: dict[str, torch.Tensor] = {}
        for path, image, digest in images:
            if any(self.kept.find(own, digest) is None for own in identities.values()):
                try:
                    waiting[digest] = self.denoiser.encode([image])
                except ImageError as error:
                    images.failures.append(Failure.of(path, error))
                    continue
            keys[path] = digest
            if len(waiting) == self.batch:
                self._ask(waiting, identities)
                waiting.clear()
            if not waiting:
                self._report(phase, images.done, images.total)
        self._ask(waiting, identities)
        self._report(phase, images.done, images.done)
        for path, key in list(keys.items()):
            if any(self.kept.find(own, key) is None for own in identities.values()):
                images.failures.append(Failure(path, Stage.HASH, _NOT_FINITE))
                del keys[path]
        return keys

    def captions(self, captions: Iterable[str]) -> dict[str, str]:
        """Ask about prompts; gives the key of each.

        Raises InputError for one of which the model makes no finite number.
        """
        from memscan.detectors.diffusion import methods

        own = self.identity("tcnp", captioned=True)
        keys = {one: hashlib.sha256(one.encode("utf-8", "replace")).hexdigest() for one in captions}
        unknown = [one for one, key in keys.items() if self.kept.find(own, key) is None]
        for start in range(0, len(unknown), self.batch):
            some = unknown[start : start + self.batch]
            values = methods.of_prompts(self.denoiser, some, self.options, self.batch)
            for one, found in zip(some, values):
                if not all(map(isfinite, found)):
                    raise InputError(f"the caption {one!r:.60}: {_NOT_FINITE}")
            self.kept.keep("tcnp", own, dict(zip((keys[one] for one in some), values)))
            self._report("captions", start + len(some), len(unknown))
        return keys

    def finder(self, method: str, captioned: bool) -> Callable[[str], Values]:
        """What gives the values of a key that was asked about."""
        own = self.identity(method, captioned and method == "tcnp")

        def find(key: str) -> Values:
            values = self.kept.find(own, key)
            assert values is not None
            return values

        return find

    def _ask(self, latents: Mapping[str, torch.Tensor], identities: Mapping[str, str]) -> None:
        """Ask about latents by their keys, each method about those that it does not know."""
        from memscan.detectors.diffusion import methods

        for method, own in identities.items():
            unknown = [key for key in latents if self.kept.find(own, key) is None]
            if unknown:
                several = [latents[key] for key in unknown]
                values = methods.of_latents(
                    method, self.denoiser, several, self.options, self.batch
                )
                found = {key: one for key, one in zip(unknown, values) if all(map(isfinite, one))}
                self.kept.keep(method, own, found)

    def _report(self, phase: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(phase, done, total)
