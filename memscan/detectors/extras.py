"""Libraries that only the learned detectors need, and what to say where they are missing."""

from __future__ import annotations

import importlib

from memscan.errors import InputError


def require(module: str, extra: str) -> None:
    """Import a library; raises InputError that names the extra to install if it is missing."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        if error.name != module:  # it is there, but broken
            raise
        raise InputError(
            f"this needs {module}, which is not installed: pip install 'memscan[{extra}]' "
            "(the README says how to get torch for a CPU alone)"
        ) from error
