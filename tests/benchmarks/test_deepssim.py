"""How well DeepSSIM-small predicts the SSIM of photographs that it has not seen.

MEMSCAN_BENCHMARK_IMAGES names a directory of photographs: every fifth is kept for the test, and a
network is trained on the others with the default configuration, which takes minutes. Where
MEMSCAN_BENCHMARK_DEEPSSIM names weights, all photographs are for the test.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from memscan.detectors import cards, deepssim, deepssim_training, tiles
from memscan.detectors.deepssim_measurement import measure
from memscan.detectors.deepssim_recipe import Recipe
from tests.benchmarks.conftest import Report

_PAIRS = 4000
_TILES = 16  # of each photograph that they are made of, whatever the training has


def test_it_predicts_the_ssim_of_unseen_pairs(tmp_path: Path, report: Report) -> None:
    given = os.environ.get("MEMSCAN_BENCHMARK_IMAGES")
    if not given:
        pytest.skip("MEMSCAN_BENCHMARK_IMAGES names no photographs")
    paths = sorted(str(path) for path in Path(given).iterdir())
    trained = os.environ.get("MEMSCAN_BENCHMARK_DEEPSSIM")
    if trained:
        detector = deepssim.load(trained, cards.read(trained), "cpu")
    else:
        learned = [path for place, path in enumerate(paths) if place % 5]
        output = str(tmp_path / "model.safetensors")
        detector = deepssim_training.train(learned, output, Recipe(), device="cpu").detector
        paths = paths[::5]
    side = detector.card.input.width
    unseen = tiles.read(paths, side, _TILES, 0)[0]
    measured = measure(detector.network, unseen, side, _PAIRS)
    report(f"{_PAIRS} pairs of {len(unseen)} photographs, by aligned SSIM {measured.histogram}")
    for name, errors in measured.network.items():
        plain = measured.plain[name]
        report(
            f"{name:45} DeepSSIM: mean error {errors.mae:.3f}, 95 % {errors.p95:.3f}, Spearman "
            f"{errors.spearman:.3f}; SSIM: {plain.mae:.3f}, {plain.p95:.3f}, {plain.spearman:.3f}"
        )
    assert measured.network["aligned"].spearman >= 0.9
    for name, errors in measured.network.items():
        assert errors.mae <= 0.1, name
