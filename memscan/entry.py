"""Where the commands begin: nothing is imported before an interrupt can end the process quietly."""

from __future__ import annotations

import os
import signal
from typing import NoReturn


def memscan() -> NoReturn:
    """The console script ``memscan`` and ``python -m memscan``."""
    _end_quietly_on_interrupt()
    from memscan.cli import memscan
    from memscan.cli.process import run_and_exit

    run_and_exit(memscan)


def detect() -> NoReturn:
    """``python detect.py``, which is ``memscan detect``."""
    _end_quietly_on_interrupt()
    from memscan.cli.detect import command
    from memscan.cli.process import run_and_exit

    run_and_exit(command)


def _end_quietly_on_interrupt() -> None:
    """Until the command has its own handler, Ctrl-C would show a traceback from an import."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
