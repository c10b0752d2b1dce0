from __future__ import annotations

from typing import Any

import pytest

from memscan.errors import InputError
from memscan.probes import ProbeOptions


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prompts": 0}, "prompts must be at least 1, not 0"),
        ({"iterations": -1}, "iterations must be at least 1"),
        ({"depth": 11, "steps": 10}, "images cannot be inverted to step 11: there are 10 steps"),
        ({"loss_shares": (0.0, 0.1)}, "at shares above 0, up to 1"),
        ({"loss_shares": (1.5,)}, "at shares above 0, up to 1"),
        ({"loss_shares": ()}, "at shares above 0, up to 1"),
        ({"seed": 1 << 63}, "seed must be from 0"),
        ({"own_prompts": ("ata", " ")}, "an empty prompt"),
        ({"guidance": float("nan")}, "must be numbers from 0 to 1e"),
        ({"weights": (1.0, -1.0)}, "must be numbers from 0"),
        ({"weights": (1e308, 1.0)}, "must be numbers from 0"),
    ],
)
def test_options_that_mean_nothing_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ProbeOptions(**changes).check()


def test_usual_options_are_taken() -> None:
    ProbeOptions().check()
    ProbeOptions(steps=1, depth=1, seed=(1 << 63) - 1).check()
    ProbeOptions(depth=50, guidance=0, weights=(0, 1), own_prompts=("ata",)).check()


def test_a_report_shows_options_as_single_values() -> None:
    shown = ProbeOptions(loss_shares=(0.04, 0.1)).described(("one", "two"))
    assert shown["prompts"] == "one | two"
    assert shown["loss_shares"] == "0.04, 0.1"
    assert all(isinstance(value, (str, int, float)) for value in shown.values())
