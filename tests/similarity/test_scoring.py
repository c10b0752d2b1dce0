from __future__ import annotations

import numpy as np
import pytest

from memscan.detectors.cards import Cuts
from memscan.detectors.protocol import Embeddings, Scores
from memscan.similarity import scoring
from tests.detectors.pooled import Pooled

CUTS = {"one": Cuts(0.5, 0.1), "other": Cuts(0.9, -1.0)}


def _rows(count: int, seed: int) -> Embeddings:
    rows = np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32)
    unit: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


@pytest.mark.parametrize("block", [1, 15, 1 << 20])
def test_blocks_give_what_the_whole_matrix_gives(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BLOCK_SCORES", block)
    targets, sources = _rows(9, 0), _rows(7, 1)
    written: list[Scores] = []
    done: list[int] = []
    found = scoring.score(Pooled(), targets, sources, CUTS, None, [written.append], done.append)
    whole = targets @ sources.T
    assert np.concatenate(written) == pytest.approx(whole, abs=1e-6)
    assert found.sources.tolist() == whole.argmax(axis=1).tolist()
    assert found.scores == pytest.approx(whole.max(axis=1), abs=1e-6)
    duplicate, similar = int((whole >= 0.5).sum()), int(((whole < 0.5) & (whole >= 0.1)).sum())
    assert found.pairs["one"].tolist() == [63 - duplicate - similar, similar, duplicate]
    assert found.pairs["other"].tolist()[0] == 0
    assert done[-1] == 9


def test_a_target_does_not_meet_itself_but_in_the_matrix() -> None:
    rows = _rows(4, 0)
    own = np.array([0, 1, -1, 3])
    written: list[Scores] = []
    found = scoring.score(Pooled(), rows, rows, CUTS, own, [written.append], lambda done: None)
    assert np.diag(written[0]) == pytest.approx(np.ones(4), abs=1e-6)
    assert found.sources[2] == 2
    assert all(found.sources[row] != row for row in (0, 1, 3))
    assert found.pairs["one"].sum() == 13


def test_a_target_that_is_the_only_source_has_none() -> None:
    rows = _rows(1, 0)
    found = scoring.score(Pooled(), rows, rows, CUTS, np.array([0]), [], lambda done: None)
    assert found.sources.tolist() == [-1]
    assert found.pairs["one"].tolist() == [0, 0, 0]


def test_of_equal_scores_the_first_is_the_most_alike() -> None:
    row = _rows(1, 0)
    found = scoring.score(Pooled(), row, row.repeat(3, 0), CUTS, None, [], lambda done: None)
    assert found.sources.tolist() == [0]
