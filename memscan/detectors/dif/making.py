"""From two folders of images to a fingerprint and what it is worth.

Needs torch for the loss of DIF and for the denoiser; not for the mean of classical residuals.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, Sequence

from memscan import decode, stamps
from memscan.detectors import configuration
from memscan.detectors.dif import examples
from memscan.detectors.dif.examples import Class, Residuals
from memscan.detectors.dif.measuring import Worth, measure
from memscan.detectors.dif.recipe import Recipe
from memscan.detectors.extras import require
from memscan.errors import InputError
from memscan.fingerprints import fingerprint
from memscan.fingerprints.denoiser import Weights
from memscan.fingerprints.fingerprint import Fingerprint
from memscan.fingerprints.mean_residual import mean_residual
from memscan.fingerprints.residuals import DENOISER, RESIDUALS, Pixels, Residual, learned
from memscan.records import Failure, Progress

if TYPE_CHECKING:
    from memscan.detectors.training import Checkpoints, Run

METHODS = ("dif", "mean")
"""The loss of DIF, and the mean residual."""

DEFAULT_RESIDUAL = "laplacian"


@dataclass(frozen=True)
class Made:
    """A fingerprint, what it is worth on the images held out, and what there is to say of it all.

    ``run`` is that of the training, None for the mean residual.
    """

    fingerprint: Fingerprint
    worth: Worth
    run: Run | None
    failures: Sequence[Failure]
    warnings: Sequence[str]


@dataclass(frozen=True)
class Maker:
    """How a fingerprint is made.

    ``residual`` is one of :data:`memscan.fingerprints.residuals.NAMES`, ``method`` one of
    :data:`METHODS`.
    """

    recipe: Recipe
    residual: str = DEFAULT_RESIDUAL
    method: str = "dif"
    device: str = "auto"
    max_pixels: int = decode.MAX_PIXELS
    jobs: int | None = None
    progress: Progress | None = None
    on_epoch: Callable[[Run], None] | None = None

    def make(self, real: Sequence[str], fake: Sequence[str], output: str, name: str) -> Made:
        """Learn the fingerprint of what is in ``fake`` and not in ``real``, and write it.

        Both are paths of images. A run that was stopped goes on from the checkpoint beside
        ``output``. Raises InputError for a recipe without a meaning, for images that are too few,
        of both classes or without a residual, and for too long a name; OutputError.
        """
        self.recipe.check()
        _check_name(name)
        _require_apart(real, fake)
        if self.method == "dif" or self.residual == DENOISER:
            require("torch", "learned")
        classes = [
            examples.read(paths, role, self.recipe, self.max_pixels, self.jobs, self.progress)
            for paths, role in ((real, "real"), (fake, "generated"))
        ]
        identity = self._identity(real, fake)
        taken, weights = self._residual(classes[0], output, identity)
        given, held_out = self._residuals(classes, taken)
        _require_residuals(given)
        pattern, mean_real, mean_fake, run = self._learned(given, held_out, output, identity)
        worth = measure(pattern, mean_real, mean_fake, held_out)
        made = Fingerprint(
            name,
            pattern,
            self.residual,
            mean_real,
            mean_fake,
            self.method,
            _record(self.recipe, given, worth, run),
            weights,
        )
        fingerprint.write(output, made)
        for what in (DENOISER, self.method):
            _remove_checkpoint(output, what)
        return Made(
            made,
            worth,
            run,
            [failure for one in classes for failure in one.failures],
            examples.format_warnings(classes[0].formats, classes[1].formats),
        )

    def _residual(self, real: Class, output: str, identity: str) -> tuple[Residual, Weights]:
        if self.residual != DENOISER:
            return RESIDUALS[self.residual], {}
        from memscan.detectors.dif import denoising

        weights = denoising.train(
            real.learned,
            real.held_out,
            self.recipe,
            device=self.device,
            checkpoints=_checkpoints(output, DENOISER, identity),
            progress=self.progress,
        )
        return learned(weights), weights

    def _residuals(
        self, classes: Sequence[Class], residual: Residual
    ) -> tuple[Residuals, Residuals]:
        """Of the images learned from, and of those held out."""
        total = sum(len(one.learned) + len(one.held_out) for one in classes)
        done, found = 0, []
        for images in (part for one in classes for part in (one.learned, one.held_out)):
            found.append(examples.residuals(images, residual))
            done += len(images)
            if self.progress is not None:
                self.progress("residuals", done, total)
        return Residuals(found[0], found[2]), Residuals(found[1], found[3])

    def _learned(
        self, given: Residuals, held_out: Residuals, output: str, identity: str
    ) -> tuple[Pixels, float, float, Run | None]:
        """The pattern and the means of both classes."""
        if self.method == "mean":
            row, mean_real, mean_fake = mean_residual(given.real, given.fake)
            return row.reshape(self.recipe.crop, -1, 3), mean_real, mean_fake, None
        from memscan.detectors.dif import training

        return training.learn(
            given,
            held_out,
            self.recipe,
            device=self.device,
            checkpoints=_checkpoints(output, self.method, identity),
            progress=self.progress,
            on_epoch=self.on_epoch,
        )

    def _identity(self, real: Sequence[str], fake: Sequence[str]) -> str:
        """What makes a checkpoint that of this training."""
        settings = configuration.text(dataclasses.replace(self.recipe, minutes=None))
        found = hashlib.sha256(f"{settings}{self.residual}".encode())
        for paths in (real, fake):
            found.update("\0".join(paths).encode("utf-8", "surrogateescape"))
            found.update(stamps.digest(paths).encode())
        return found.hexdigest()


def _record(recipe: Recipe, given: Residuals, worth: Worth, run: Run | None) -> dict[str, Any]:
    """What the file tells of the training."""
    return {
        "images": {"real": len(given.real), "generated": len(given.fake)},
        "held_out": {
            "real": {"right": worth.real.count, "of": worth.real.total},
            "generated": {"right": worth.fake.count, "of": worth.fake.total},
        },
        "epochs": 0 if run is None else len(run.epochs),
        "recipe": dataclasses.asdict(recipe),
    }


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= fingerprint.MOST_NAME:
        raise InputError(f"the generator's name must have 1 to {fingerprint.MOST_NAME} characters")


def _require_residuals(given: Residuals) -> None:
    for role, rows in (("real", given.real), ("generated", given.fake)):
        if not rows.any():
            raise InputError(f"all {role} images are plain areas: there is nothing to learn from")


def _require_apart(real: Sequence[str], fake: Sequence[str]) -> None:
    known = {os.path.realpath(path) for path in real}
    for path in fake:
        if os.path.realpath(path) in known:
            raise InputError(f"{path}: is among the real images as well as the generated ones")


def _checkpoint(output: str, what: str) -> str:
    return f"{output}.{what}.checkpoint"


def _checkpoints(output: str, what: str, identity: str) -> Checkpoints:
    from memscan.detectors.training import Checkpoints

    return Checkpoints(_checkpoint(output, what), identity)


def _remove_checkpoint(output: str, what: str) -> None:
    if os.path.exists(_checkpoint(output, what)):
        os.unlink(_checkpoint(output, what))
