from __future__ import annotations

import numpy as np
import pytest
from PIL import ImageOps

from memscan import views
from memscan.encoders import KNOWN as ENCODERS
from memscan.evaluation import detectors
from memscan.table import as_integer
from tests.drawing import picture

IMAGES = [picture(seed, (200, 140)) for seed in range(3)]


def test_every_hash_can_be_evaluated_in_every_view() -> None:
    names = [name + suffix for name in ENCODERS for suffix in ("", "+training", "+thorough")]
    assert sorted(detectors.KNOWN) == sorted(names)
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
