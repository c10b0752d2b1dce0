"""The cache of hashes that a command works with."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator

from memscan.cli.places import cache_directory
from memscan.cli.process import warn

if TYPE_CHECKING:
    from memscan.cache import Cache


@contextlib.contextmanager
def kept_hashes(no_cache: bool, cache_dir: str | None) -> Iterator[Cache | None]:
    """The cache, or None if it is not wanted; it ends with a warning if it was of no use."""
    if no_cache:
        yield None
        return
    from memscan.cache import Cache  # numpy and SQLite, not for --help

    with Cache(cache_dir or cache_directory()) as cache:
        yield cache
    if cache.trouble:
        warn(cache.trouble)
