from __future__ import annotations

import numpy as np

from memscan.detectors.cosines import Cosines


def test_scores_are_cosines_from_minus_1_to_1() -> None:
    rows = np.random.default_rng(0).normal(size=(500, 7)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    assert np.einsum("nd,nd->n", rows, rows).max() > 1  # what is clipped
    exact = rows.astype(np.float64) @ rows.T.astype(np.float64)
    scores = Cosines().scores(rows, rows)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, exact, atol=1e-6)
    assert scores.max() == 1
    assert Cosines().scores(rows, -rows).min() == -1
    paired = Cosines().paired(rows, rows)
    np.testing.assert_allclose(paired, np.diag(exact), atol=1e-6)
    assert paired.max() == 1
    assert Cosines().paired(rows, -rows).min() == -1
