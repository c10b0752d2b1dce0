"""Where the members of a container are, remembered between single reads."""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from typing import Callable, Iterable, Tuple

import numpy as np

from memscan.stamps import Stamp, settled

REMEMBERED = 1 << 22
"""Members of all remembered containers together, 16 bytes each; the latest is always kept."""


class Positions:
    """From names to byte positions: two columns, sorted by the names' hashes of 64 bits.

    No name is kept, so what is found has to be compared with the name.
    """

    def __init__(self, members: Iterable[tuple[str, int]]) -> None:
        """Take the name and the position of each member, in their order."""
        keys, positions = array("q"), array("q")
        for name, position in members:
            keys.append(hash(name))
            positions.append(position)
        order = np.argsort(np.frombuffer(keys, np.int64), kind="stable")
        self._keys = np.frombuffer(keys, np.int64)[order]
        self._positions = np.frombuffer(positions, np.int64)[order]

    def __len__(self) -> int:
        return len(self._keys)

    def of(self, name: str) -> list[int]:
        """The positions where the name can be, in the order in which they were given."""
        begin = np.searchsorted(self._keys, hash(name), "left")
        end = np.searchsorted(self._keys, hash(name), "right")
        found: list[int] = self._positions[begin:end].tolist()
        return found


_Key = Tuple[str, Stamp]
_remembered: OrderedDict[_Key, Positions] = OrderedDict()
_lock = threading.Lock()


def positions_of(path: str, scan: Callable[[], Iterable[tuple[str, int]]]) -> Positions:
    """The positions in the container at ``path``: remembered, or by ``scan`` of it.

    They are remembered for as long as the file is unchanged, if its stamp would show a change.
    """
    stamp = settled(path)
    if stamp is None:
        return Positions(scan())
    key = (path, stamp)
    with _lock:
        if key in _remembered:
            _remembered.move_to_end(key)
            return _remembered[key]
    found = Positions(scan())
    with _lock:
        _remembered[key] = found
        while len(_remembered) > 1 and sum(map(len, _remembered.values())) > REMEMBERED:
            _remembered.popitem(last=False)
    return found
