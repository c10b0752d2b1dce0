"""Images to values: a model asked by each method, a batch at a time, of what is not yet known."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any, Callable, Iterable, Mapping, Sequence

from memscan.detectors.diffusion import prompts
from memscan.probes import ProbeOptions
from memscan.probing.measurements import Measurements, Values, identity
from memscan.probing.reading import Images, Read
from memscan.records import Failure, Progress, Stage

if TYPE_CHECKING:
    import torch

    from memscan.detectors.diffusion.denoiser import Denoiser

_PIXELS_AT_ONCE = 1 << 26
"""Of the images of a batch, together, in the size that they have in their files."""

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
        depends: dict[str, Any] = {"steps": options.steps}
        if method == "iip":
            depends.update(depth=options.depth, guidance=options.guidance, prompts=words)
            if options.optimise:
                depends.update(iterations=options.iterations, rate=options.rate)
        elif method == "loss":
            levels = list(options.loss_levels)
            depends.update(levels=levels, noises=options.noises, seed=options.seed)
        elif captioned:
            depends.update(
                guidance=options.guidance, generations=options.generations, seed=options.seed
            )
        else:
            depends.update(guidance=options.guidance, prompts=words)
        return identity(method, self.denoiser.fingerprint, depends)

    def images(self, images: Images, methods: Sequence[str], phase: str) -> dict[str, str]:
        """Ask about images; gives the key of each image that could be measured, by its path.

        Those of which the model makes no finite number become failures of ``images``.
        """
        identities = {method: self.identity(method) for method in methods}
        keys: dict[str, str] = {}
        waiting: dict[str, Read] = {}
        for read in images:
            keys[read.path] = read.digest
            if any(self.kept.find(own, read.digest) is None for own in identities.values()):
                waiting[read.digest] = read
            pixels = sum(one.image.width * one.image.height for one in waiting.values())
            if len(waiting) == self.batch or pixels > _PIXELS_AT_ONCE:
                self._ask(waiting.values(), identities)
                waiting.clear()
            if not waiting:
                self._report(phase, images.done, images.total)
        if waiting:
            self._ask(waiting.values(), identities)
        self._report(phase, images.done, images.done)
        for path, key in list(keys.items()):
            if any(self.kept.find(own, key) is None for own in identities.values()):
                images.failures.append(Failure(path, Stage.HASH, _NOT_FINITE))
                del keys[path]
        return keys

    def captions(self, captions: Iterable[str]) -> dict[str, str]:
        """Ask about prompts; gives the key of each."""
        from memscan.detectors.diffusion import tcnp

        own = self.identity("tcnp", captioned=True)
        keys = {one: hashlib.sha256(one.encode("utf-8", "replace")).hexdigest() for one in captions}
        unknown = [one for one, key in keys.items() if self.kept.find(own, key) is None]
        for start in range(0, len(unknown), self.batch):
            some = unknown[start : start + self.batch]
            values = tcnp.of_prompts(self.denoiser, some, self.options, self.batch)
            found = {keys[one]: (value,) for one, value in zip(some, values.tolist())}
            self.kept.keep("tcnp", own, found)
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

    def _ask(self, some: Iterable[Read], identities: Mapping[str, str]) -> None:
        some = list(some)
        latents = self.denoiser.encode([read.image for read in some])
        for method, own in identities.items():
            rows = [
                row for row, read in enumerate(some) if self.kept.find(own, read.digest) is None
            ]
            if rows:
                found = zip(rows, self._values(method, latents[rows]))
                finite = {some[row].digest: one for row, one in found if all(map(isfinite, one))}
                self.kept.keep(method, own, finite)

    def _values(self, method: str, latents: torch.Tensor) -> list[Values]:
        """What a method says of each latent."""
        from memscan.detectors.diffusion import denoising_loss, iip, tcnp

        if method == "iip":
            found = iip.measure(self.denoiser, latents, self.options, self.batch)
            return list(zip(found.distances.tolist(), found.magnitudes.tolist()))
        ask = tcnp.of_latents if method == "tcnp" else denoising_loss.measure
        return [(one,) for one in ask(self.denoiser, latents, self.options, self.batch).tolist()]

    def _report(self, phase: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(phase, done, total)
