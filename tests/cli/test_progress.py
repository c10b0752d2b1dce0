from __future__ import annotations

import io
import sys

import pytest

from memscan.cli.progress import progress_bars


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("verb", "phase", "words", "unit"),
    [
        ("Hashing", "source", "Hashing source:", "img"),
        ("Encoding", "images", "Encoding images:", "img"),
        ("", "reading", "Reading:", "img"),
        ("Hashing", "candidate pairs", "Scoring candidates:", "pair"),
        ("Hashing", "scores", "Scoring targets:", "img"),
        ("Hashing", "heat maps", "Drawing heat maps:", "pair"),
        ("", "training", "Training:", "batch"),
    ],
)
def test_bars_say_what_is_done_and_count_it(
    monkeypatch: pytest.MonkeyPatch, verb: str, phase: str, words: str, unit: str
) -> None:
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bars(True, verb) as progress:
        assert progress is not None
        progress(phase, 1, 2)
    shown = terminal.getvalue()
    assert words in shown
    assert f"{unit}/s" in shown
