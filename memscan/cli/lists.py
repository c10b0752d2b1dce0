"""Lists of paths that a command was given."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memscan.sources.given import Named


def lists(files: tuple[str, ...], nul: bool) -> list[Named]:
    """The lists, read. Raises InputError."""
    from memscan.sources import patterns  # Pillow, not for --help
    from memscan.sources.given import Named

    return [Named(file, patterns.files_from(file, nul), nul) for file in files]
