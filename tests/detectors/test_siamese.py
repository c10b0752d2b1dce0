from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed (extra learned)")

from memscan.detectors import siamese  # noqa: E402
from memscan.detectors.backbones import Size  # noqa: E402
from memscan.detectors.siamese import Siamese  # noqa: E402

SMALL = Size((1, 1, 1, 1), (8, 8, 8, 12), 2)


def rows(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 5)).astype(np.float32)


def network(seed: int = 0) -> Siamese:
    torch.manual_seed(seed)
    return Siamese(SMALL, channels=4, dimensions=6).eval()


def slow_nt_xent(first: np.ndarray, second: np.ndarray, temperature: float) -> float:
    """By loops over all anchors, as the paper writes it."""
    both = [*first.astype(np.float64), *second.astype(np.float64)]
    count, total = len(first), 0.0

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for anchor in range(2 * count):
        partner = (anchor + count) % (2 * count)
        powers = [
            math.exp(cosine(both[anchor], both[other]) / temperature)
            for other in range(2 * count)
            if other != anchor
        ]
        right = math.exp(cosine(both[anchor], both[partner]) / temperature)
        total -= math.log(right / sum(powers))
    return total / (2 * count)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_nt_xent_is_the_published_sum(temperature: float) -> None:
    first, second = rows(7), rows(7, seed=1)
    found = siamese.nt_xent(torch.from_numpy(first), torch.from_numpy(second), temperature)
    assert float(found) == pytest.approx(slow_nt_xent(first, second, temperature), rel=1e-5)


def test_nt_xent_is_small_only_where_partners_are_the_closest() -> None:
    identity = torch.eye(6)
    right = siamese.nt_xent(identity, identity, 0.07)
    wrong = siamese.nt_xent(identity, identity.roll(1, 0), 0.07)
    assert float(right) < 1e-4
    assert float(wrong) > 1


def test_the_entropy_is_that_of_right_pairs_and_of_rolled_ones() -> None:
    model = network()
    first, second = torch.from_numpy(rows(4)[:, :3]), torch.from_numpy(rows(4, 1)[:, :3])
    first, second = torch.cat([first, first], 1), torch.cat([second, second], 1)
    found = float(siamese.pair_entropy(model, (first, second), shift=3).detach())
    weight = model.head.weight.detach().double().numpy()[0]
    bias = float(model.head.bias.detach())
    expected = 0.0
    for row in range(4):
        for source, label in ((row, 1), ((row - 3) % 4, 0)):
            odds = float(weight @ np.abs(first.numpy()[source] - second.numpy()[row])) + bias
            chance = 1 / (1 + math.exp(-odds))
            expected -= math.log(chance if label else 1 - chance)
    assert found == pytest.approx(expected / 8, rel=1e-5)


def test_the_loss_mixes_both_by_their_shares() -> None:
    model = network()
    embedded = model.embed(torch.randn(3, 4, 16, 16)), model.embed(torch.randn(3, 4, 16, 16))
    entropy = siamese.pair_entropy(model, embedded, 1)
    contrast = siamese.nt_xent(*embedded, 0.07)
    mixed = siamese.loss(model, embedded, 1, 0.8, 0.07)
    assert float(mixed.detach()) == pytest.approx(
        0.8 * float(entropy.detach()) + 0.2 * float(contrast.detach()), rel=1e-6
    )


def test_latents_are_brought_to_one_deviation_whatever_their_scale() -> None:
    latents = torch.randn(2, 4, 16, 16)
    found = siamese.normalised(3 * latents + 7)
    assert torch.allclose(found, siamese.normalised(latents), atol=1e-5)
    assert torch.allclose(found.mean(dim=(2, 3)), torch.zeros(2, 4), atol=1e-6)
    assert torch.allclose(found.std(dim=(2, 3), correction=0), torch.full((2, 4), 0.5), atol=1e-4)


def test_a_flat_latent_does_not_become_noise() -> None:
    flat = torch.full((1, 4, 16, 16), 3.0) + 1e-7 * torch.randn(1, 4, 16, 16)
    assert float(siamese.normalised(flat).abs().max()) < 1e-2


def test_embeddings_lie_between_0_and_1_and_the_score_is_symmetric() -> None:
    model = network()
    one, other = model(torch.randn(5, 4, 16, 16), torch.randn(5, 4, 16, 16))
    assert one.shape == (5, 6)
    assert bool(((one > 0) & (one < 1)).all())
    assert torch.equal(model.logits(one, other), model.logits(other, one))
