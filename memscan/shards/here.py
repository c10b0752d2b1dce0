"""Shards in this process, for work that uses all cores, or the one GPU, by itself."""

from __future__ import annotations

from typing import Callable

from memscan.shards.contract import RETRIES, Reply, Request
from memscan.shards.local import LocalEngine


class HereEngine(LocalEngine):
    """One shard at a time, in a thread of this process. A crash of it is the caller's, too."""

    def __init__(self, retries: int = RETRIES) -> None:
        super().__init__(1, retries)

    def _engage(self) -> Callable[[str, Request, Callable[[int], None]], Reply]:
        return self._perform_until_closed

    def _perform_until_closed(
        self, task: str, request: Request, tell: Callable[[int], None]
    ) -> Reply:
        def tell_or_stop(done: int) -> None:
            if self._closed:  # the end of the block, which no thread can be told otherwise
                raise InterruptedError
            tell(done)

        return self._perform_here(task, request, tell_or_stop)
