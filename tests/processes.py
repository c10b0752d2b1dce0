"""Other processes, as the tests see them."""

from __future__ import annotations

import os
import time
from typing import Callable


def is_running(process: int) -> bool:
    """Whether there is a process of this number that has not ended."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:  # one that ended and waits for somebody to take notice
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return os.path.isdir("/proc/self") is False


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Wait for something that takes its time; fail if it never comes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
