"""The pipeline: fingerprints and folders of images to a report."""

from __future__ import annotations

from typing import Iterator, Mapping, Sequence

from memscan import __version__, decode, engines
from memscan.errors import InputError
from memscan.fingerprints.residuals import RESIDUALS
from memscan.kinship import LineageReport, Model, Traced
from memscan.lineage import folders, given, judging, scoring
from memscan.records import Progress
from memscan.report import Source
from memscan.sources import given as sources
from memscan.sources.directories import Listing, Selection

LEAST = 0.7
"""The area that two related models must surely reach; DESIGN.md says why."""

NAMES = (*RESIDUALS, scoring.OWN)
"""What residuals may be asked for."""

REQUIRED = ("laplacian", "wiener")
"""The residuals that must agree, unless others are asked for."""

FLAT = Selection()
"""The files of each folder itself."""


def trace(
    fingerprints: Sequence[str],
    images: str,
    *,
    real: Sequence[str] = (),
    residuals: Sequence[str] = REQUIRED,
    least: float = LEAST,
    selection: Selection = FLAT,
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> LineageReport:
    """Compare the images of all models with all fingerprints.

    Args:
        fingerprints: files, or directories of them.
        images: a directory with a folder for each model (see :mod:`memscan.lineage.folders`).
        real: where real images are; without any, beside those of the models.
        residuals: names of those by which images are compared, all of which must agree.
        least: the area under the ROC curve that counts, from 0.5 to 1.
        selection: which files of a directory are taken.
        max_pixels: images with more pixels are failures.
        jobs: the number of workers; all cores by default. It does not change the report.
        progress: called with a phase, the images done and their number, in this thread.

    Raises InputError for what is missing or unreadable as a whole; single images that cannot be
    read are failures of the report.

    """
    engines.check(jobs)
    if not judging.CHANCE <= least <= 1:
        raise InputError(f"the least area must lie between {judging.CHANCE} and 1")
    for name in residuals:
        if name not in NAMES:
            raise InputError(f"{name}: no such residual; there are {', '.join(NAMES)}")
    opened = given.read(fingerprints)
    models = folders.generated(images, selection)
    real_listings = folders.real(images, real, selection)
    listings = [*real_listings, *(folder.listing for folder in models)]

    comparison = scoring.Comparison([one.fingerprint for one in opened], residuals)

    def score(paths: Sequence[str], phase: str) -> scoring.Scored:
        return comparison.score(paths, max_pixels, jobs, progress, phase)

    true = score(sources.in_bytewise_order(real_listings), "real images")
    made = {folder.name: score(folder.listing.paths, folder.name) for folder in models}
    failures = [*true.failures, *(one for found in made.values() for one in found.failures)]
    sources.require_readable(listings, failures)
    table = judging.Table(
        [one.name for one in opened],
        residuals,
        {name: found.scores for name, found in made.items()},
        true.scores,
    )
    cells = judging.cells(table)
    return LineageReport(
        version=__version__,
        fingerprints=tuple(
            Traced(one.name, one.path, one.fingerprint.made, one.fingerprint.residual)
            for one in opened
        ),
        models=tuple(
            Model(folder.name, _source(folder.listing), len(made[folder.name].scores))
            for folder in models
        ),
        real=tuple(_source(listing) for listing in real_listings),
        real_read=len(true.scores),
        residuals=tuple(residuals),
        least=least,
        confidence=table.confidence,
        cells=tuple(cells),
        relations=tuple(judging.relations(table, cells, least)),
        failures=sources.unlisted(listings) + tuple(failures),
        warnings=tuple(_warnings(table.fingerprints, true, made)),
    )


def _source(listing: Listing) -> Source:
    return Source(listing.root, len(listing.paths))


def _warnings(
    names: Sequence[str], true: scoring.Scored, made: Mapping[str, scoring.Scored]
) -> Iterator[str]:
    """What is to be known about the inputs as a whole."""
    for name in names:
        if name not in made:
            yield f"{name}: a fingerprint without a folder of images"
    for name in made:
        if name not in names:
            yield f"{name}: images without a fingerprint"
    for name, found in made.items():
        if not set(found.formats) & set(true.formats):
            yield (
                f"{name}: its images are {_together(found.formats)} files and the real ones "
                f"{_together(true.formats)}; what tells formats apart could pass for a fingerprint"
            )


def _together(formats: Sequence[str]) -> str:
    return " and ".join(sorted(set(formats)))
