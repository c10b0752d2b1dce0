"""What embedding costs against hashing, each printed: ``pytest tests/benchmarks``.

The networks have no trained weights, which takes as long as with them.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any, Callable, List

import pytest

from memscan.detectors.opening import open_detector
from memscan.detectors.protocol import Detector
from memscan.evaluation.embedding import embed
from memscan.intake import Intake
from tests.benchmarks.conftest import Race

Photographs = Callable[[float], List[str]]

SIDE = 224
SIZES = ("convnext-small-cpu", "convnext-tiny")


def exported(path: Path, size: str) -> Detector:
    """A ConvNeXt in TorchScript, as a user would bring it."""
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from memscan.detectors.backbones import SIZES, ConvNeXt

    class Pooled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.backbone = ConvNeXt(SIZES[size], scale=0.1)

        def forward(self, images: Any) -> Any:
            return self.backbone(images)[-1].mean((2, 3))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is said to be deprecated
        traced = torch.jit.trace(Pooled().eval(), torch.rand(2, 3, SIDE, SIDE))
        torch.jit.save(traced, path)
    card = {
        "memscan_card": 1,
        "kind": "encoder",
        "name": size,
        "input": {"width": SIDE, "height": SIDE},
        "dimensions": SIZES[size].widths[-1],
        "cuts": {"duplicate": 0.9, "similar": 0.8},
    }
    path.with_suffix(".json").write_text(json.dumps(card))
    return open_detector(str(path), trust=True)


def deepssim_small(path: Path) -> Detector:
    """DeepSSIM as it is trained by default."""
    pytest.importorskip("torch", reason="torch is not installed")
    from memscan.detectors import classes, deepssim, weights
    from memscan.detectors.cards import Card, Input

    shape = deepssim.Architecture("convnext-small-cpu", 1, "batch", 512, 256)
    taken = Input(32, 32, channels=1, standardised=True)
    cuts = classes.PUBLISHED
    card = Card("deepssim", "small", taken, 256, cuts, architecture=shape.fields())
    weights.write(str(path), deepssim.Network(shape).state_dict(), card)
    return open_detector(str(path))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize(
    ("name", "most"),
    [("DeepSSIM-small at 32", 120), ("convnext-small-cpu", 120), ("convnext-tiny", 20)],
)
def test_embedding_against_hashing(
    race: Race, photographs: Photographs, tmp_path: Path, name: str, most: int
) -> None:
    paths = photographs(0.2)[:most]
    if name in SIZES:
        detector, name = exported(tmp_path / "network.pt", name), f"{name} at {SIDE}"
    else:
        detector = deepssim_small(tmp_path / "network.safetensors")

    def embedded() -> None:
        rows = embed(paths, detector).rows
        assert rows.shape == (len(paths), 1, detector.card.dimensions)

    ratio = race.ratio(
        f"embedding by {name} pixels, {len(paths)} images of 0.2 MP, against pHash",
        lambda: Intake().hash_files(paths, ""),
        embedded,
    )
    rate = len(paths) / race.benchmark.stats.stats.median
    race.report(f"embedding by {name} pixels: {rate:.1f} images/s, pHash {rate / ratio:.0f}")
