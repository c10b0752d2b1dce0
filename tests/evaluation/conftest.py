from __future__ import annotations

import pytest

from memscan.detectors import cards, opening
from tests.evaluation.networks import Coarse


@pytest.fixture
def coarse(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever weights are opened make a Coarse."""

    def open_detector(weights: str, *, device: str = "auto", trust: bool = False) -> Coarse:
        return Coarse(cards.read(weights))

    monkeypatch.setattr(opening, "open_detector", open_detector)
