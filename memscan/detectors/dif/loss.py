"""The loss of DIF: correlations of one class should be equal, those of two should differ."""

from __future__ import annotations

import torch


def pairwise(correlations: torch.Tensor, fake: torch.Tensor, margin: float) -> torch.Tensor:
    """The mean over the pairs of a batch, in units of the margin; 0 is perfect.

    The first half of the batch is paired with the second, in order. A pair of one class costs the
    difference of its correlations, one of two classes what its difference lacks of the margin.
    ``correlations`` and ``fake`` (bool) are of shape (n,), n even. No sign is asked for: either
    class may correlate more.
    """
    first, second = correlations.chunk(2)
    apart = (first - second).abs()
    same = torch.eq(*fake.chunk(2))
    return torch.where(same, apart, (margin - apart).clamp(min=0)).mean() / margin
