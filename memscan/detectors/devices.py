"""Where a network runs: the GPU where there is one, or what the user says."""

from __future__ import annotations

import contextlib
import os
from typing import ContextManager, Iterator

import torch

from memscan.engines import available_cores
from memscan.errors import InputError

NAMES = ("auto", "cpu", "cuda", "mps")
"""What ``--device`` takes; a number may follow ``cuda``, as in ``cuda:1``."""


def choose(name: str = "auto") -> torch.device:
    """The device of this name. Raises InputError for one that this machine has not."""
    kind, _, number = name.partition(":")
    if kind not in NAMES or (number and (kind != "cuda" or not number.isdecimal())):
        raise InputError(f"{name}: no such device; there are {', '.join(NAMES)} and cuda:N")
    if "OMP_NUM_THREADS" not in os.environ:
        # Two threads of torch on two cores took twice the time of one: they wait busily for each
        # other, and for the cores on which images are decoded.
        torch.set_num_threads(max(1, available_cores() // 2))
    if name == "auto":
        if not torch.cuda.is_available():
            return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
        kind = name = "cuda"
    if kind == "cuda" and int(number or 0) >= torch.cuda.device_count():
        raise InputError(f"{name}: this machine has {torch.cuda.device_count()} CUDA devices")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("mps: this machine has no Metal device")
    if kind == "cuda":
        # A GPU would round the factors of float32 products to 10 bits (TensorFloat-32), and scores
        # would differ from those of a CPU, and with the batch, in their third decimal.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device(name)


def use_one_thread() -> None:
    """Leave the other cores to the other processes, each of which works on one."""
    torch.set_num_threads(1)


@contextlib.contextmanager
def enough_memory(advice: str) -> Iterator[None]:
    """Turn the end of a device's memory, or of the machine's, into an InputError with advice."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, (torch.cuda.OutOfMemoryError, MemoryError)) and (
            "DefaultCPUAllocator" not in str(error)  # torch has no class for it
        ):
            raise
        raise InputError(f"the memory of the device is too small: {advice}") from error


def mixed_precision(device: torch.device) -> ContextManager[object]:
    """Half precision where it pays, on CUDA; nothing elsewhere.

    bfloat16 has the range of float32, so that no gradient needs to be scaled.
    """
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return contextlib.nullcontext()


def full_precision(device: torch.device) -> ContextManager[object]:
    """Float32 within :func:`mixed_precision`: for products in losses, which need their bits."""
    if device.type == "cuda":
        return torch.autocast("cuda", enabled=False)
    return contextlib.nullcontext()
