"""The columns that protocols of right and unrelated pairs have, and how they are filled."""

from __future__ import annotations

from memscan.evaluation.protocols import statistics
from memscan.evaluation.protocols.statistics import Floats, Pairs
from memscan.protocols import Column

SHEET = "Right and unrelated pairs"

AUC = Column(
    "auc",
    "AUC",
    SHEET,
    "The area below the ROC curve: the chance that a right pair is closer than an unrelated one, "
    "where equally close counts half. It needs no threshold.",
)

_AT = "within the distance at which F1 is greatest on the calibration half"
AT_BEST_F1 = (
    Column("recall", "recall", SHEET, f"The share of right pairs {_AT}."),
    Column("precision", "precision", SHEET, f"The share of right pairs among all {_AT}."),
    Column("fpr", "FPR", SHEET, f"The share of unrelated pairs {_AT}."),
    Column("f1", "F1", SHEET, "The harmonic mean of recall and precision there."),
)


def at_best_f1(pairs: Pairs, threshold: float | None, weights: Floats) -> dict[str, Floats]:
    """AUC, and what the threshold lets pass."""
    rates = statistics.rates(pairs, threshold, weights)
    return {
        AUC.key: statistics.auc(pairs, weights),
        "recall": rates.recall,
        "precision": rates.precision,
        "fpr": rates.false_positives,
        "f1": rates.f1,
    }
