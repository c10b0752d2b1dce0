"""From embedded images to a matrix on disk and a report."""

from __future__ import annotations

import contextlib
from typing import Mapping

import numpy as np

from memscan import __version__
from memscan.detectors import classes
from memscan.detectors.cards import Cuts
from memscan.likeness import Labelled, LikenessReport, Nearest, Tally
from memscan.records import Progress
from memscan.similarity import labels, matrix_files, scoring
from memscan.similarity.collecting import Collections
from memscan.similarity.labels import Scored
from memscan.similarity.matrix_files import Names
from memscan.similarity.scoring import Found

CARD, PUBLISHED, FITTED = "card", "published", "fitted"
"""Names of cuts: of the card beside the weights, of DeepSSIM's authors, of labelled pairs."""


def compare(
    collections: Collections,
    matrices: Mapping[str, str],
    *,
    labelled: str | None = None,
    exclude_self: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
) -> LikenessReport:
    """Score all targets with all sources.

    Args:
        collections: the images of both sides.
        matrices: the formats of matrices of scores, by the path where each is written.
        labelled: a list of labelled pairs (:func:`memscan.evaluation.pairs.read_classed`). Half of
            them give fitted cuts, by which all are judged, and the others say how good these are.
        exclude_self: whether a source that is the same file as a target is left out for it;
            matrices have all scores.
        seed: of the halves of labelled pairs.
        progress: called with a phase, the targets done and their number.

    Raises InputError for a list that cannot be used, and OutputError.

    """
    encoder, targets, sources = collections.encoder, collections.targets, collections.sources
    detector, card = encoder.detector, encoder.card
    rows, columns = collections.target_embeddings, collections.source_embeddings
    own = collections.own_rows()
    cuts = {CARD: card.cuts}
    if card.kind == "deepssim":
        cuts[PUBLISHED] = classes.PUBLISHED
    scored = None
    if labelled is not None:
        rows_of = (targets.own_rows, sources.own_rows)
        scored = labels.read(labelled, detector, rows, columns, rows_of, own, seed)
        if scored.fitted is not None:
            cuts[FITTED] = scored.fitted
    names = Names(targets.table.paths, sources.table.paths, detector.fingerprint)

    def tell(done: int) -> None:
        if progress is not None:
            progress("scores", done, len(rows))

    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(matrix_files.opened(path, format, names))
            for path, format in matrices.items()
        ]
        left_out = own if exclude_self else None
        found = scoring.score(detector, rows, columns, cuts, left_out, writers, tell)
    judged_by = FITTED if FITTED in cuts else CARD
    return LikenessReport(
        version=__version__,
        card=card,
        fingerprint=detector.fingerprint,
        targets=targets.sources,
        sources=sources.sources,
        compared_sources=len(columns),
        nearest=_nearest(found, cuts[judged_by], names),
        judged_by=judged_by,
        tallies=_tallies(found, cuts),
        labelled=None if scored is None else _labelled(scored, cuts),
        target_failures=targets.failures,
        source_failures=sources.failures,
        targets_in_source=() if exclude_self else sources.targets_in(targets.table.paths),
        warnings=targets.warnings + sources.warnings,
    )


def _nearest(found: Found, cuts: Cuts, names: Names) -> tuple[Nearest, ...]:
    kinds = classes.classify(found.scores, cuts).tolist()
    each = zip(names.targets, found.sources.tolist(), found.scores.tolist(), kinds)
    return tuple(
        Nearest(target, names.sources[source], score, kind)
        if source >= 0
        else Nearest(target, None, None, kind)
        for target, source, score, kind in each
    )


def _tallies(found: Found, cuts: Mapping[str, Cuts]) -> dict[str, Tally]:
    return {
        name: Tally(
            one,
            tuple(found.pairs[name].tolist()),
            tuple(np.bincount(classes.classify(found.scores, one), minlength=3).tolist()),
        )
        for name, one in cuts.items()
    }


def _labelled(scored: Scored, cuts: Mapping[str, Cuts]) -> Labelled:
    """What there is to say of the reported pairs."""
    chosen = scored.reported
    scores, truths = scored.scores[chosen], scored.labels[chosen]
    qualities: dict[str, classes.Quality] = {
        name: classes.quality(classes.classify(scores, one), truths) for name, one in cuts.items()
    }
    ssim = None if scored.ssim is None else scored.ssim[chosen]
    return Labelled(
        path=scored.path,
        calibration=int(scored.calibrating.sum()),
        reported=int(chosen.sum()),
        missing=scored.missing,
        qualities=qualities,
        absolute_error=None if ssim is None else classes.absolute_error(scores, ssim),
        rank_correlation=None if ssim is None else classes.rank_correlation(scores, ssim),
    )
