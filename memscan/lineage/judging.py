"""From scores to areas under ROC curves, and to what they say about two models."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Mapping, Sequence

from memscan.evidence import areas
from memscan.fingerprints.scoring import Scores
from memscan.kinship import Cell, Kind, Relation

CHANCE = 0.5


@dataclass(frozen=True)
class Table:
    """The scores of real images and of each model's, of shape (images, residuals, fingerprints)."""

    fingerprints: Sequence[str]
    residuals: Sequence[str]
    models: Mapping[str, Scores]
    real: Scores

    @property
    def confidence(self) -> float:
        """Of each interval, so that all of fingerprints on other models' images hold at 95 %."""
        others = sum(one != model for one in self.fingerprints for model in self.models)
        return 1 - 0.05 / max(1, others)


def cells(table: Table) -> list[Cell]:
    """Each fingerprint with each model, a fingerprint after the other."""
    found = []
    for column, fingerprint in enumerate(table.fingerprints):
        for model, scores in table.models.items():
            both = [
                (scores[:, row, column], table.real[:, row, column])
                for row in range(len(table.residuals))
            ]
            each = {name: areas.area(*one) for name, one in zip(table.residuals, both)}
            sure = {
                name: areas.area(*one, confidence=table.confidence).low
                for name, one in zip(table.residuals, both)
            }
            found.append(Cell(fingerprint, model, each, sure))
    return found


def relations(table: Table, found: Sequence[Cell], least: float) -> list[Relation]:
    """What is said of each two models that have both a fingerprint and images."""
    by_names = {(cell.fingerprint, cell.model): cell for cell in found}
    complete = [name for name in table.fingerprints if name in table.models]
    return [
        _relation(first, second, by_names, table.confidence, least)
        for first, second in itertools.combinations(complete, 2)
    ]


def _relation(
    first: str,
    second: str,
    by_names: Mapping[tuple[str, str], Cell],
    confidence: float,
    least: float,
) -> Relation:
    there, back = by_names[first, second], by_names[second, first]
    seen = [all(sure >= least for sure in cell.sure.values()) for cell in (there, back)]
    if all(seen):
        return Relation(first, second, Kind.RELATED)
    blind = [
        reason
        for name, cell in ((first, back), (second, there))
        for reason in _blindness(name, by_names[name, name], cell, confidence, least)
    ]
    if blind:
        return Relation(first, second, Kind.UNDECIDED, "; ".join(blind))
    if any(seen):
        pair = (first, second) if seen[0] else (second, first)
        return Relation(*pair, Kind.ONE_DIRECTION)
    return Relation(first, second, Kind.NOT_SHOWN)


def _blindness(
    name: str, own: Cell, elsewhere: Cell, confidence: float, least: float
) -> Sequence[str]:
    """Why the images of a model, or its fingerprint, could not have shown a relation."""
    one = next(iter(elsewhere.areas.values()))
    best = areas.interval(1.0, one.positives, one.negatives, confidence)[0]
    if best < least:
        return [f"{name} has too few images ({one.positives}, with {one.negatives} real ones)"]
    if any(sure <= CHANCE for sure in own.sure.values()):
        return [f"the fingerprint of {name} is not clearly seen in its own images"]
    return []
