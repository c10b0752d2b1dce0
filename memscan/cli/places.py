"""Where this user's files belong on this system."""

from __future__ import annotations

import os
import sys


def cache_directory() -> str | None:
    """Where caches belong for this user on this system; None if the user has no home."""
    chosen = os.environ.get("MEMSCAN_CACHE_DIR")
    if chosen:
        return chosen
    home = os.path.expanduser("~") if os.environ.get("HOME") != "" else ""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
    elif sys.platform == "darwin":
        base = os.path.join(home, "Library", "Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    return os.path.join(base, "memscan") if os.path.isabs(base) else None
