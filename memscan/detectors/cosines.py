"""Scores that are cosines of embeddings."""

from __future__ import annotations

import numpy as np

from memscan.detectors.protocol import Embeddings, Scores


class Cosines:
    """The scores of a detector whose embeddings have length 1, or 0, clipped to -1 to 1.

    Rounding takes the cosine of a row with itself beyond 1 now and then.
    """

    def scores(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """The cosines of all pairs, of shape (M, N)."""
        cosines: Scores = np.clip(targets @ sources.T, -1, 1)
        return cosines

    def paired(self, targets: Embeddings, sources: Embeddings) -> Scores:
        """The cosines row by row, of shape (n,)."""
        cosines: Scores = np.clip(np.einsum("nd,nd->n", targets, sources), -1, 1)
        return cosines
