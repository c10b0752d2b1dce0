"""Commands run as a user runs them: in a process of their own, from another directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Mapping

ROOT = Path(__file__).parents[2]

DETECT = [sys.executable, str(ROOT / "detect.py")]
MEMSCAN = [sys.executable, "-m", "memscan"]


def environment(extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
    """This process's environment, with the package found as on a fresh clone."""
    merged: dict[str, str | None] = {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}
    return {name: value for name, value in merged.items() if value is not None}


def run(
    command: list[str], *arguments: str, env: Mapping[str, str | None] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run to the end; the output is decoded so that no byte is lost."""
    return subprocess.run(
        [*command, *arguments],
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        env=environment(env),
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )
