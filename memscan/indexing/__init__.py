"""Hash tables made of collections: a shard at a time, on this machine or on a cluster.

::

    sources ─▶ planning ─▶ shards.engine ─▶ work (one shard → one part file) ─▶ tables.finishing

What is done is a part file that lies in the output, so whatever ends a run, the next one goes on.
"""

from __future__ import annotations

from memscan.indexing.making import Indexed, Progress, Step, index
from memscan.indexing.network import WeightsFile

__all__ = ["Indexed", "Progress", "Step", "WeightsFile", "index"]
