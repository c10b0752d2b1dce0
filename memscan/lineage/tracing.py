"""The pipeline: fingerprints and folders of images to a report."""

from __future__ import annotations

import dataclasses
from typing import Iterator, Mapping, Sequence

import numpy as np

from memscan import __version__, engines
from memscan.attribution import fingerprints as found_fingerprints
from memscan.attribution import reading
from memscan.attribution.fingerprints import Found
from memscan.attribution.reading import Read, Settings
from memscan.errors import InputError
from memscan.fingerprints import scoring
from memscan.fingerprints.fingerprint import Fingerprint
from memscan.fingerprints.residuals import RESIDUALS
from memscan.fingerprints.scoring import Bank, Scores
from memscan.kinship import LineageReport, Model, Traced
from memscan.lineage import folders, judging
from memscan.reports.names import inert

OWN = "own"
"""The name that stands for the residual that each fingerprint was learned from."""

NAMES = (*RESIDUALS, OWN)
"""What residuals may be asked for."""

SUBSTITUTES = ("laplacian", "wiener")
"""Those that must agree for published fingerprints, whose own residual cannot be had."""

LEAST = 0.75
"""The area that two related models must surely reach; DESIGN.md says why."""

_APART = 0.5  # a share of images from which on their compression is told of


def trace(
    fingerprints: Sequence[str],
    images: str,
    *,
    real: Sequence[str] = (),
    residuals: Sequence[str] = (),
    least: float = LEAST,
    settings: Settings,
) -> LineageReport:
    """Compare the images of all models with all fingerprints.

    Args:
        fingerprints: files, or directories of them.
        images: a directory with a folder for each model (see :mod:`memscan.lineage.folders`).
        real: where real images are; without any, beside those of the models.
        residuals: some of :data:`NAMES`, by which images are compared; all must agree. Without
            any, those that are :func:`required`.
        least: the area under the ROC curve that counts, from 0.5 to 1.
        settings: how images are read.

    Raises InputError for what is missing or unreadable as a whole; single images that cannot be
    read are failures of the report.

    """
    engines.check(settings.jobs)
    if not judging.CHANCE <= least <= 1:
        raise InputError(f"the least area must lie between {judging.CHANCE} and 1")
    for name in residuals:
        if name not in NAMES:
            raise InputError(f"{name}: no such residual; there are {', '.join(NAMES)}")
    found = found_fingerprints.find(fingerprints)
    models, others = folders.generated(images, settings.selection)
    places = folders.real(images, real)
    patterns = [one.fingerprint for one in found]
    residuals = tuple(dict.fromkeys(residuals)) or required(patterns)
    bank = Bank(list(_by_residuals(patterns, residuals)))
    true = reading.read(places, "real image", bank, settings)
    made = {
        folder.name: reading.read([folder.path], f"{inert(folder.name)} image", bank, settings)
        for folder in models
    }
    shape = (-1, len(residuals), len(found))
    table = judging.Table(
        [one.name for one in patterns],
        residuals,
        {name: _scores(one).reshape(shape) for name, one in made.items()},
        _scores(true).reshape(shape),
    )
    cells = judging.cells(table)
    return LineageReport(
        version=__version__,
        fingerprints=tuple(map(_traced, found)),
        models=tuple(Model(name, one.sources[0], len(one.seen)) for name, one in made.items()),
        real=true.sources,
        real_read=len(true.seen),
        residuals=residuals,
        least=least,
        confidence=table.confidence,
        cells=tuple(cells),
        relations=tuple(judging.relations(table, cells, least)),
        failures=tuple(failure for one in (true, *made.values()) for failure in one.failures),
        warnings=(
            *(f"{path}: no images in it, so it was passed over" for path in others),
            *_warnings(patterns, true, made),
        ),
    )


def required(fingerprints: Sequence[Fingerprint]) -> tuple[str, ...]:
    """The residuals by which these are compared, unless others are asked for."""
    return SUBSTITUTES if all(one.made == "published" for one in fingerprints) else (OWN,)


def _by_residuals(
    fingerprints: Sequence[Fingerprint], residuals: Sequence[str]
) -> Iterator[Fingerprint]:
    """Each fingerprint as if learned from each residual, those of one residual together."""
    for residual in residuals:
        for one in fingerprints:
            if residual == OWN:
                yield one
            else:
                yield dataclasses.replace(one, residual=residual, weights={})


def _scores(read: Read) -> Scores:
    """Of shape (images, fingerprints of the bank): the plain correlations, as grids are raw."""
    return scoring.scores(np.stack([one.surfaces for one in read.seen]), search=False)


def _traced(found: Found) -> Traced:
    one = found.fingerprint
    return Traced(one.name, found.path, one.made, one.residual)


def _warnings(
    fingerprints: Sequence[Fingerprint], true: Read, made: Mapping[str, Read]
) -> Iterator[str]:
    """What is to be known about the inputs as a whole."""
    names = [one.name for one in fingerprints]
    for name in names:
        if name not in made:
            yield f"{name}: a fingerprint without a folder of images"
    for name in made:
        if name not in names:
            yield f"{name}: images without a fingerprint"
    side = max(one.side for one in fingerprints)
    for name, one in made.items():
        small = sum(min(seen.size) < side for seen in one.seen)
        if small:
            yield (
                f"{name}: {small} of {len(one.seen)} images are smaller than a fingerprint "
                f"({side} pixels), and less is seen in them"
            )
        own, others = (reading.lossy_share(some.seen) for some in (one, true))
        if abs(own - others) > _APART:
            yield (
                f"{name}: {own:.0%} of its images and {others:.0%} of the real ones are compressed "
                "with loss; what compression leaves could pass for a fingerprint, or hide one"
            )
        elif own > _APART:
            yield f"{name}: {own:.0%} of its images are compressed with loss, which hides much"
