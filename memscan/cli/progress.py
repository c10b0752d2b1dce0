"""A progress bar on stderr, with the rate and the time left."""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator

from memscan.records import Progress

_OTHER_WORK = {
    "candidate pairs": ("Scoring candidates", "pair"),
    "experiments": ("Training and measuring", "part"),
    "heat maps": ("Drawing heat maps", "pair"),
    "scores": ("Scoring targets", "img"),
    "training": ("Training", "batch"),
}
"""Phases that hash no images: what is done in them, and what is counted."""


@contextlib.contextmanager
def progress_bars(wanted: bool, verb: str = "Hashing") -> Iterator[Progress | None]:
    """A callback that draws one bar per phase; None where stderr is no terminal.

    ``verb`` stands before the names of phases of images; without one, they stand for themselves.
    """
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm  # only a scan on a terminal pays for it

    bar = tqdm(disable=True)
    shown: tuple[str, int] | None = None

    def show(phase: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if (phase, total) != shown:  # the files of a phase, then its containers
            bar.close()
            images = f"{verb} {phase}".strip().capitalize(), "img"
            words, unit = _OTHER_WORK.get(phase, images)
            bar = tqdm(
                desc=words,
                total=total or None,
                unit=unit,
                leave=False,
                dynamic_ncols=True,
            )
            shown = (phase, total)
        bar.update(done - bar.n)

    try:
        yield show
    finally:
        bar.close()
