from __future__ import annotations

import io

import pytest
from PIL import Image

from memscan.reports import plots

pytest.importorskip("matplotlib", reason="matplotlib is not installed (the report extra has it)")
pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from memscan.detectors.training import Epoch


def epochs(count: int) -> list[Epoch]:
    return [
        Epoch(n, 1 / (n + 1), {"loss": 2 / (n + 1), "mae": 0.3, "spearman": 0.5}, 1.0)
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [1, 2, 30])
def test_each_format_is_what_it_says(count: int) -> None:
    with Image.open(io.BytesIO(plots.draw_learning_curves(epochs(count), 0, "png"))) as image:
        assert (image.format, image.size) == ("PNG", (1050, 1200))
        assert len(image.getcolors(1 << 20) or []) > 5  # something is drawn
    assert plots.draw_learning_curves(epochs(count), 0, "pdf").startswith(b"%PDF-")


def test_the_same_epochs_give_the_same_bytes_with_their_names() -> None:
    first = plots.draw_learning_curves(epochs(3), 2, "svg")
    assert first == plots.draw_learning_curves(epochs(3), 2, "svg")
    assert first != plots.draw_learning_curves(epochs(4), 2, "svg")
    assert first != plots.draw_learning_curves(epochs(3), 1, "svg")
    for word in (b"Loss", b"Validation", b"Epoch", b"mae", b"spearman", b"training", b"kept"):
        assert word in first


def test_a_loss_alone_is_drawn() -> None:
    alone = [Epoch(0, 0.5, {"loss": 0.25}, 1.0), Epoch(1, 0.25, {"loss": 0.5}, 1.0)]
    assert plots.draw_learning_curves(alone, 0, "png").startswith(b"\x89PNG")
