from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageOps

from memscan import views
from memscan.encoders import KNOWN as ENCODERS
from memscan.evaluation import detectors
from memscan.evaluation.pixels import detector as pixels
from memscan.table import as_integer
from tests.drawing import picture

PIXELS = ("mse", "ncc", "ssim", "fsim")
IMAGES = [picture(seed, (200, 140)) for seed in range(3)]


def test_every_hash_can_be_evaluated_in_every_view() -> None:
    names = [name + suffix for name in ENCODERS for suffix in ("", "+training", "+thorough")]
    assert sorted(detectors.KNOWN) == sorted([*names, *PIXELS])
    assert [detectors.KNOWN[name]().name for name in names] == names


@pytest.mark.parametrize("name", ["phash", "phash+training", "dhash+training", "pdq+training"])
def test_distances_are_those_of_the_closest_views(name: str) -> None:
    detector = detectors.KNOWN[name]()
    sources = detector.describe_sources(IMAGES)
    targets = detector.describe_targets([ImageOps.mirror(IMAGES[1]), IMAGES[2]])
    found = detector.distances(targets, sources)
    assert found.shape == (2, 3)
    for row in range(2):
        for column in range(3):
            tries = [
                bin(as_integer(target) ^ as_integer(source)).count("1")
                for target in targets[row]
                for source in sources[column]
            ]
            assert found[row, column] == min(tries)
    assert found[1, 2] == 0
    one_by_one = detector.paired(targets, sources[[1, 0]])
    assert one_by_one.dtype == np.float32
    assert one_by_one.tolist() == [found[0, 1], found[1, 0]]
    if name == "phash+training":
        assert found[0, 1] == 0
    assert detector.bytes_per_source() == sources[0].nbytes


def test_the_default_threshold_is_that_of_the_scan() -> None:
    for name, encoder in ENCODERS.items():
        assert detectors.KNOWN[name]().default_threshold == encoder.thresholds.near


def test_no_views_cost_nothing() -> None:
    assert detectors.KNOWN["pdq"]().describe_targets(IMAGES).shape == (3, 1, 4)
    count = 1 + len(views.of_source("training").names)
    assert detectors.KNOWN["pdq+training"]().describe_sources(IMAGES).shape == (3, count, 4)
    assert np.unique(detectors.KNOWN["dhash"]().describe_sources(IMAGES)).size == 3


@pytest.mark.parametrize("name", PIXELS)
def test_measures_of_pixels_compare_thumbnails(name: str) -> None:
    detector = detectors.KNOWN[name]()
    images = [picture(seed, (90 + seed, 60)) for seed in range(4)]
    sources, targets = detector.describe_sources(images), detector.describe_targets(images[:2])
    found = detector.distances(targets, sources)
    assert found.dtype == np.float32
    assert found.shape == (2, 4)
    assert found.argmin(axis=1).tolist() == [0, 1]
    assert found[[0, 1], [0, 1]] == pytest.approx(0, abs=1e-6)
    one_by_one = detector.paired(targets, sources[[3, 1]])
    assert one_by_one == pytest.approx(found[[0, 1], [3, 1]], abs=1e-6)
    assert detector.bytes_per_source() == sources[0].nbytes == 64 * 64
    assert "64 x 64 pixels" in detector.description
    assert detector.origin.estimates_ssim == (name == "ssim")


def test_more_pairs_than_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = detectors.KNOWN["ssim"]()
    rows = detector.describe_sources([picture(seed) for seed in range(7)])
    whole = detector.distances(rows, rows)
    monkeypatch.setattr(pixels, "_AT_ONCE", 3)
    assert (detector.distances(rows, rows) == whole).all()
    assert (detector.paired(rows, rows[::-1]) == whole[range(7), range(6, -1, -1)]).all()
