"""The images of a protocol: files of directories, or those of a list with identities and splits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from memscan.errors import InputError
from memscan.evaluation import pairs as lists
from memscan.evaluation.describing import Described
from memscan.evaluation.detectors import Detector
from memscan.evaluation.edits import AS_IS, Edit
from memscan.evaluation.request import DIRECTLY, Request, list_some
from memscan.records import Failure
from memscan.report import Source
from memscan.sources.directories import Selection
from memscan.sources.given import AnyPath, as_paths

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Halves:
    """The rows of the images of either half; no identity is in both."""

    calibration: Integers
    reported: Integers

    def __iter__(self) -> Iterator[Integers]:
        yield self.calibration
        yield self.reported


@dataclass(frozen=True)
class Images:
    """Image files, the identity of each (n,), and what is to be said of others.

    ``calibrating`` says of each whether it is for calibration, None where the seed decides.
    """

    paths: Sequence[str]
    identities: Integers
    calibrating: npt.NDArray[np.bool_] | None
    sources: tuple[Source, ...]
    ignored: int
    unlisted: tuple[Failure, ...] = ()

    @classmethod
    def found(
        cls,
        paths: AnyPath | Iterable[AnyPath],
        seed: int = 0,
        *,
        selection: Selection = DIRECTLY,
        limit: int | None = None,
    ) -> Images:
        """Those of files and directories, each an identity of its own. Raises InputError."""
        listed = list_some(paths, selection, limit, seed)
        identities = np.arange(len(listed.paths))
        return cls(listed.paths, identities, None, listed.sources, listed.left_out, listed.unlisted)

    @classmethod
    def listed(cls, path: AnyPath) -> Images:
        """Those of a list (:func:`memscan.evaluation.pairs.read_identities`). Raises InputError."""
        (given,) = as_paths(path)
        every = lists.read_identities(given)
        used = [image for image in every if image.half != "ignored"]
        names, identities = np.unique([image.identity for image in used], return_inverse=True)
        calibrating = None
        if all(image.half is not None for image in used):
            calibrating = np.array([image.half == "calibration" for image in used], np.bool_)
            both = np.intersect1d(identities[calibrating], identities[~calibrating])
            if len(both):
                raise InputError(f"{given}: the identity {names[both[0]]} is in both halves")
        return cls(
            [image.path for image in used],
            identities.astype(np.int64),
            calibrating,
            (Source(given, len(every)),),
            len(every) - len(used),
        )

    @property
    def are_several(self) -> bool:
        """Whether some identity has two images."""
        return len(np.unique(self.identities)) < len(self.identities)

    def gather(
        self,
        request: Request,
        detectors: Sequence[Detector],
        edits: Sequence[Edit] = (AS_IS,),
        source_edits: Sequence[Edit] = (AS_IS,),
    ) -> Gathered:
        """Read and describe them. Raises InputError unless each half has two that can be read."""
        described = request.describe(self.paths, detectors, edits, source_edits)
        readable = set(described.paths)
        kept = np.array([path in readable for path in self.paths], np.bool_)
        identities = self.identities[kept]
        if self.calibrating is None:
            groups = np.unique(identities, return_inverse=True)[1]
            calibrating = lists.halve(groups, request.seed)
        else:
            calibrating = self.calibrating[kept]
        halves = Halves(np.flatnonzero(calibrating), np.flatnonzero(~calibrating))
        for name, rows in zip(("calibration", "reported"), halves):
            if len(np.unique(identities[rows])) < 2:
                raise InputError(
                    f"the {name} half needs two images that can be read, of two identities"
                )
        failures = self.unlisted + described.failures
        return Gathered(described, identities, halves, self.sources, self.ignored, failures)


@dataclass(frozen=True)
class Gathered:
    """What detectors keep of the images that could be read, with identity (n,) and half of each."""

    described: Described
    identities: Integers
    halves: Halves
    sources: tuple[Source, ...]
    ignored: int
    failures: tuple[Failure, ...]

    def groups(self, rows: Integers) -> Integers:
        """The numbers, from 0, of the identities of some rows: what is drawn as a whole."""
        _, groups = np.unique(self.identities[rows], return_inverse=True)
        return groups.astype(np.int64)
