"""Real crops and those of small generators, made once for all tests of fingerprints."""

from __future__ import annotations

from typing import Mapping

import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from tests.detectors.dif import generators
from tests.detectors.dif.generators import Sample

TRAIN, TEST = 512, 200


@pytest.fixture(scope="session")
def real() -> Sample:
    """Crops of photographs."""
    return generators.real(TRAIN, TEST)


@pytest.fixture(scope="session")
def four_families() -> Mapping[str, Sample]:
    """What all four give; takes half a minute."""
    return generators.families(generators.FAMILIES, TRAIN, TEST)
