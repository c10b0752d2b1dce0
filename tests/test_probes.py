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
        ({"loss_levels": (51,)}, "denoising loss must be from 1 to 50"),
        ({"loss_levels": ()}, "denoising loss must be from 1 to 50"),
        ({"own_prompts": ("ata", " ")}, "an empty prompt"),
        ({"guidance": float("nan")}, "must be finite"),
        ({"weights": (1.0, -1.0)}, "0 or more"),
    ],
)
def test_options_that_mean_nothing_are_refused(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ProbeOptions(**changes).check()


def test_usual_options_are_taken() -> None:
    ProbeOptions().check()
    ProbeOptions(depth=50, guidance=0, weights=(0, 1), own_prompts=("ata",)).check()


def test_a_report_shows_options_as_single_values() -> None:
    shown = ProbeOptions(loss_levels=(2, 5)).described(("one", "two"))
    assert shown["prompts"] == "one | two"
    assert shown["loss_levels"] == "2, 5"
    assert all(isinstance(value, (str, int, float)) for value in shown.values())
