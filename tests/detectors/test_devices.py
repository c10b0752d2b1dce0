from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="torch is not installed (extra learned)")

import torch

from memscan.detectors import devices
from memscan.errors import InputError


@pytest.mark.parametrize("error", [torch.cuda.OutOfMemoryError("full"), MemoryError()])
def test_the_end_of_memory_is_one_sentence(error: Exception) -> None:
    with pytest.raises(InputError, match="too small: ask for less"), devices.enough_memory(
        "ask for less"
    ):
        raise error


def test_the_end_of_the_memory_of_this_machine_is_the_same_sentence() -> None:
    with pytest.raises(InputError, match="too small: ask for less"), devices.enough_memory(
        "ask for less"
    ):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="must match"), devices.enough_memory("ask for less"):
        torch.zeros(2) + torch.zeros(3)
