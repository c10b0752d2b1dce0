from __future__ import annotations

import dataclasses

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra learned)")
pytest.importorskip("sklearn", reason="scikit-learn is not installed (extra diffusion)")

import torch

from memscan.detectors.diffusion import digits_training
from memscan.evaluation.digits import experiment
from memscan.evaluation.digits.plan import QUICK
from memscan.memorisation import ABLATION

CPU = torch.device("cpu")


def test_what_was_memorised_is_found_and_the_optimisation_matters() -> None:
    """The experiment itself, trimmed: without its optimisation IIP is its own ablation."""
    outcome = experiment.run(QUICK, 0, CPU)
    scores = outcome.scores["as-is"]
    assert {len(one) for one in scores.values()} == {outcome.memorised + QUICK.others}
    auc = {method: experiment.auc(one, outcome.memorised) for method, one in scores.items()}
    assert auc["iip"] >= 0.9
    assert auc["iip"] > auc[ABLATION] + 0.01
    assert auc["loss"] >= 0.9
    assert outcome.regenerated >= 0.2
    assert max(outcome.choosing) == outcome.choosing[QUICK.settings.index(outcome.setting)]


def test_nothing_that_serves_to_choose_is_reported() -> None:
    digits = digits_training.divided(QUICK.recipe, 0)
    parts = experiment.divided(QUICK, digits)
    rows = [row for part in dataclasses.astuple(parts) for row in part]
    assert len(rows) == len(set(rows))
    assert set(parts.choosing) | set(parts.reported) == set(digits.memorised)
    assert len(parts.reported_others) == QUICK.others
    assert len(set(parts.reported_others) & set(digits.fresh)) == QUICK.others // 2
    assert len(set(parts.reported_others) & set(digits.once)) == QUICK.others // 2
    assert set(parts.reference) <= set(digits.fresh)


def test_the_area_counts_pairs_in_the_right_order() -> None:
    scores = [0.9, 0.5, 0.2, 0.1, 0.5, 0.6, 0.2]
    pairs = [
        1.0 if own > other else 0.5 if own == other else 0.0
        for own in scores[:3]
        for other in scores[3:]
    ]
    assert experiment.auc(scores, 3) == pytest.approx(sum(pairs) / len(pairs))
