"""What all fingerprints on the images of all models say about the models. All values immutable."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Mapping

from memscan.evidence.areas import Area
from memscan.records import Failure
from memscan.report import Source


class Kind(enum.Enum):
    """What is said of two models."""

    RELATED = "related"
    ONE_DIRECTION = "one direction only"
    NOT_SHOWN = "not shown"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Traced:
    """A fingerprint that took part; ``own_residual`` is the one that it was learned from."""

    name: str
    path: str
    made: str
    own_residual: str


@dataclass(frozen=True)
class Model:
    """A folder of generated images: found there, and read of them."""

    name: str
    source: Source
    read: int


@dataclass(frozen=True)
class Cell:
    """A fingerprint on the images of a model, against real images.

    ``areas`` go by the name of the residual, with intervals of 95 %; ``sure`` are the lower ends of
    wider ones, which all comparisons with another model exceed together in 97.5 % of cases.
    """

    fingerprint: str
    model: str
    areas: Mapping[str, Area]
    sure: Mapping[str, float]


@dataclass(frozen=True)
class Relation:
    """Two models by their names, in order, and what is said of them.

    Of ``ONE_DIRECTION``, the fingerprint of ``first`` is seen in the images of ``second`` and not
    the other way round. ``reason`` says why something is undecided.
    """

    first: str
    second: str
    kind: Kind
    reason: str = ""


@dataclass(frozen=True)
class LineageReport:
    """Which models seem to be related. The same inputs make an equal report.

    ``fingerprints`` and ``models`` are in bytewise order of their names, and ``cells`` has each
    fingerprint with each model, a fingerprint after the other. ``residuals`` are those by which
    images were compared. Two models are related if, both ways and by all residuals, ``sure`` is at
    least ``least``. ``relations`` has each two names of which both have a fingerprint and images.
    """

    version: str
    fingerprints: tuple[Traced, ...]
    models: tuple[Model, ...]
    real: tuple[Source, ...]
    real_read: int
    residuals: tuple[str, ...]
    least: float
    confidence: float
    cells: tuple[Cell, ...]
    relations: tuple[Relation, ...]
    failures: tuple[Failure, ...] = ()
    warnings: tuple[str, ...] = ()

    def cell(self, fingerprint: str, model: str) -> Cell:
        """That of these names. Raises KeyError."""
        for one in self.cells:
            if (one.fingerprint, one.model) == (fingerprint, model):
                return one
        raise KeyError((fingerprint, model))

    def of_kind(self, kind: Kind) -> list[Relation]:
        """The relations of one kind, in their order."""
        return [one for one in self.relations if one.kind is kind]
