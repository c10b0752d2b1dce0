"""Cuts that let pass no more than a chosen share of the pairs that are not alike.

Ties count against the detector: of pairs with the score of the cut, all pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from memscan.detectors.cards import Calibration, Card, Cuts
from memscan.errors import InputError
from memscan.evidence import rates
from memscan.evidence.rates import Rate
from memscan.records import Failure

STEPS = 1_000_000
"""Cuts are whole numbers of steps of 1 / STEPS, as scans round their thresholds."""


class Tally:
    """How many pairs have which score, in 16 MB for any number of pairs.

    Scores from -1 to 1 are counted by the last step that they reach, so that the numbers of pairs
    at a cut and above are exact.
    """

    def __init__(self) -> None:
        self._counts = np.zeros(2 * STEPS + 1, np.int64)

    def add(self, scores: npt.NDArray[np.float32]) -> None:
        """Count pairs by their scores, of any shape."""
        exact = scores.ravel().astype(np.float64)
        steps = np.floor(exact * STEPS)
        steps += (steps + 1) / STEPS <= exact  # the product is rounded
        steps -= steps / STEPS > exact
        places = np.clip(steps, -STEPS, STEPS).astype(np.int64) + STEPS
        self._counts += np.bincount(places, minlength=len(self._counts))

    @property
    def total(self) -> int:
        """The number of pairs."""
        return int(self._counts.sum())

    def at_least(self, cut: float) -> int:
        """The number of pairs with this score or more; ``cut`` is a whole number of steps."""
        return int(self._counts[round(cut * STEPS) + STEPS :].sum())

    def least_cut(self, most: int) -> float | None:
        """The smallest cut that no more than ``most`` pairs reach; None if more have a 1."""
        reaching = np.cumsum(self._counts[::-1])[::-1]
        if reaching[-1] > most:
            return None
        return (int(np.argmax(reaching <= most)) - STEPS) / STEPS


@dataclass(frozen=True)
class Judged:
    """What a cut does to pairs: the share of right ones that it finds, of others that pass it.

    None where there is no pair of the kind. Intervals take pairs for independent of each other,
    which those that share an image are not quite.
    """

    recall: Rate | None
    passed: Rate | None


@dataclass(frozen=True)
class Labelled:
    """The scores of right pairs (``positives``), and of pairs of unrelated images."""

    positives: Tally = field(default_factory=Tally)
    negatives: Tally = field(default_factory=Tally)

    def judge(self, cut: float) -> Judged:
        """What a cut does to these pairs."""
        recall, passed = (
            rates.rate(tally.at_least(cut), tally.total) if tally.total else None
            for tally in (self.positives, self.negatives)
        )
        return Judged(recall, passed)

    def fit(self, rate: float) -> float:
        """The smallest cut that no more than this share of the negatives reaches.

        Raises InputError where there are too few pairs, or no such cut.
        """
        require_enough(self.positives.total, self.negatives.total, rate)
        cut = self.negatives.least_cut(_allowed(rate, self.negatives.total))
        if cut is None:
            raise InputError(
                f"more than {rate:g} of the unrelated pairs have the highest score there is; are "
                "copies among them?"
            )
        return cut


@dataclass(frozen=True)
class Fit:
    """A cut that was fitted at a false-positive rate, and what it does.

    ``check`` is of pairs that were kept apart, None if there were none.
    """

    rate: float
    cut: float
    fitted: Judged
    check: Judged | None


@dataclass(frozen=True)
class Fitted:
    """Both cuts of a detector, from so many images that could be read."""

    duplicate: Fit
    similar: Fit
    images: int
    failures: tuple[Failure, ...]

    def written_into(self, card: Card, sha256: str) -> Card:
        """The card of the weights with this digest, with these cuts."""
        recall, passed = self.duplicate.fitted.recall, self.duplicate.fitted.passed
        assert recall is not None
        assert passed is not None
        calibration = Calibration(
            rate=self.duplicate.rate,
            observed=passed.share,
            recall=recall.share,
            positives=recall.total,
            negatives=passed.total,
        )
        cuts = Cuts(self.duplicate.cut, self.similar.cut)
        return card.calibrated(cuts, calibration, sha256)


def check_rates(rate: float, similar_rate: float) -> None:
    """Raise InputError for rates that mean nothing."""
    if not 0 < rate <= similar_rate < 1:
        raise InputError(
            "the false-positive rates must lie between 0 and 1, that of similar pairs not below "
            "that of duplicates"
        )


def require_enough(positives: int, negatives: int, rate: float) -> None:
    """Raise InputError unless so many pairs can tell a cut at this false-positive rate."""
    if not positives:
        raise InputError("there is no right pair, so that nobody could tell what a cut finds")
    needed = math.ceil(1 / rate)
    if _allowed(rate, negatives) < 1:
        raise InputError(
            f"a false-positive rate of {rate:g} needs at least {needed:,} unrelated pairs, here "
            f"are {negatives:,}: give more images, or a larger rate"
        )


def _allowed(rate: float, negatives: int) -> int:
    """The largest number of pairs that is no more than this share of all of them."""
    allowed = math.floor(rate * negatives)
    while allowed < negatives and (allowed + 1) / negatives <= rate:  # the product is rounded
        allowed += 1
    while allowed / max(1, negatives) > rate:
        allowed -= 1
    return allowed
