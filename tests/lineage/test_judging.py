from __future__ import annotations

from typing import Mapping, Sequence

import numpy as np
import pytest

from memscan.evidence import areas
from memscan.kinship import Cell, Kind, Relation
from memscan.lineage import judging

NAMES = ("a", "b", "c")
LEAST = 0.7

Gaps = Mapping[str, Mapping[str, Sequence[float]]]
"""For each model, what its images score above real ones by each fingerprint, per residual."""


def table(
    gaps: Gaps, images: int = 60, real: int = 80, names: Sequence[str] = NAMES
) -> judging.Table:
    generator = np.random.default_rng(5)
    residuals = list(next(iter(gaps.values())))
    shape = (len(residuals), len(names))
    models = {
        model: generator.normal(np.array([by[one] for one in residuals]), 1, (images, *shape))
        for model, by in gaps.items()
    }
    return judging.Table(names, residuals, models, generator.normal(0, 1, (real, *shape)))


def judged(made: judging.Table, least: float = LEAST) -> dict[tuple[str, str], Kind]:
    found = judging.relations(made, judging.cells(made), least)
    return {(one.first, one.second): one.kind for one in found}


def by(**rows: Sequence[float]) -> Gaps:
    return {model: {"laplacian": gaps} for model, gaps in rows.items()}


def test_cells_are_the_areas_of_all_fingerprints_with_all_models() -> None:
    made = table(by(a=[3, 0, 0], b=[0, 3, 0]))
    found = judging.cells(made)
    assert [(one.fingerprint, one.model) for one in found] == [
        (fingerprint, model) for fingerprint in NAMES for model in "ab"
    ]
    own = found[0]
    wanted = (made.models["a"][:, 0, 0], made.real[:, 0, 0])
    assert own.areas["laplacian"] == areas.area(*wanted)
    confidence = 1 - 0.05 / 4  # a on b, b on a, c on both
    assert own.sure["laplacian"] == areas.area(*wanted, confidence=confidence).low
    assert own.sure["laplacian"] < own.areas["laplacian"].low


def test_related_only_if_both_ways_are_sure() -> None:
    made = table(by(a=[4, 2, 2], b=[2, 4, 0], c=[0, 0, 4]))
    assert judged(made) == {
        ("a", "b"): Kind.RELATED,
        ("c", "a"): Kind.ONE_DIRECTION,  # the fingerprint of c on the images of a
        ("b", "c"): Kind.NOT_SHOWN,
    }


def test_a_model_that_all_fingerprints_see_is_related_to_none() -> None:
    """Grids of generators are alike: what all see in one model's images is no origin."""
    made = table(by(a=[4, 3, 3], b=[0, 4, 0], c=[0, 0, 4]))
    assert set(judged(made).values()) == {Kind.ONE_DIRECTION, Kind.NOT_SHOWN}


def test_above_chance_is_not_enough() -> None:
    """Both areas are about 0.7, and surely above 0.5."""
    made = table(by(a=[4, 0.75, 0], b=[0.75, 4, 0], c=[0, 0, 4]), images=200, real=300)
    cells = {(one.fingerprint, one.model): one for one in judging.cells(made)}
    for names in (("a", "b"), ("b", "a")):
        assert cells[names].sure["laplacian"] > 0.5
    assert judged(made)["a", "b"] is Kind.NOT_SHOWN
    assert judged(made, least=0.55)["a", "b"] is Kind.RELATED


def test_all_residuals_must_agree() -> None:
    gaps = {
        "a": {"laplacian": [4.0, 3.0], "wiener": [4.0, 3.0]},
        "b": {"laplacian": [3.0, 4.0], "wiener": [0.3, 4.0]},
    }
    names = ("a", "b")
    assert judged(table(gaps, names=names)) == {("b", "a"): Kind.ONE_DIRECTION}
    gaps["b"]["wiener"] = [3.0, 4.0]
    assert judged(table(gaps, names=names)) == {("a", "b"): Kind.RELATED}


def test_what_could_not_have_been_seen_is_undecided() -> None:
    made = table(by(a=[0.2, 0, 0], b=[0, 4, 0], c=[0, 0, 4]))
    found = judging.relations(made, judging.cells(made), LEAST)
    blind = "the fingerprint of a is not clearly seen in its own images"
    assert found == [
        Relation("a", "b", Kind.UNDECIDED, blind),
        Relation("a", "c", Kind.UNDECIDED, blind),
        Relation("b", "c", Kind.NOT_SHOWN),
    ]


@pytest.mark.parametrize("images", [1, 2, 5])
def test_so_few_images_that_none_could_be_sure_are_undecided(images: int) -> None:
    made = table(by(a=[9, 9, 9], b=[9, 9, 9], c=[9, 9, 9]), images=images)
    for relation in judging.relations(made, judging.cells(made), LEAST):
        assert relation.kind is Kind.UNDECIDED
        assert f"has too few images ({images}, with 80 real ones)" in relation.reason


def test_ten_images_are_enough_for_two_models_that_are_all_apart() -> None:
    made = table(by(a=[9, 9], b=[9, 9]), images=10, real=30, names=("a", "b"))
    assert judged(made) == {("a", "b"): Kind.RELATED}


def test_strangers_are_rarely_called_related() -> None:
    """200 tables of two strangers whose fingerprints see each other a little."""
    generator = np.random.default_rng(1)
    related = 0
    for _ in range(200):
        models = {
            "a": generator.normal([[4, 0.74]], 1, (20, 1, 2)),
            "b": generator.normal([[0.74, 4]], 1, (20, 1, 2)),
        }  # an area of 0.7: at the very border
        made = judging.Table("ab", ["laplacian"], models, generator.normal(0, 1, (40, 1, 2)))
        related += Kind.RELATED in judged(made).values()
    assert related <= 2


def test_nothing_is_said_of_a_name_without_images_or_fingerprint() -> None:
    made = table(by(a=[4, 3, 3], d=[3, 3, 3]))
    assert judged(made) == {}
    assert isinstance(judging.cells(made)[0], Cell)
