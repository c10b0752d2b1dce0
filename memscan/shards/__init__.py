"""Work on shards: pieces of a collection that are worked on, retried and resumed as a whole.

One contract, two engines. A task is the dotted name of a function at the top of a module, such as
``"memscan.indexing:index_shard"``. It takes a request (a dict that JSON can write) and a callable
that it may tell how many images of the shard are done, and returns a small dict that JSON can
write. Its real output is a file that it writes under a temporary name and renames, so that it can
run twice, and is quick when the file exists: that is all that resuming takes. Paths in a request
are absolute, since workers of a cluster have another current folder.
"""

from __future__ import annotations

from memscan.errors import InputError
from memscan.shards.contract import Outcome, ShardEngine
from memscan.shards.here import HereEngine
from memscan.shards.local import LocalEngine
from memscan.shards.ray_engine import RayEngine

__all__ = ["HereEngine", "LocalEngine", "Outcome", "RayEngine", "ShardEngine", "engine"]


def engine(name: str, address: str | None = None, jobs: int | None = None) -> ShardEngine:
    """The engine of this name: ``local`` (this machine's cores) or ``ray`` (a cluster).

    ``address`` says where the cluster is, and is only for Ray. ``jobs`` is how many shards are
    worked on at once (the default is what there is room for). Raises InputError.
    """
    if name == "ray":
        return RayEngine(address, jobs)
    if name != "local":
        raise InputError(f"there is no engine {name!r}: choose local or ray")
    if address is not None:
        raise InputError("an address is only for the engine ray")
    return LocalEngine(jobs)
