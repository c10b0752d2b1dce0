"""``_order.npy``: the bytewise order of the names of a table whose parts interleave.

Shards cut from a shuffled collection share one range of names. To sort 10 million of them takes
seconds, so it is done once, when the table is finished, and not by every scan.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from typing import Sequence

import numpy as np

from memscan.errors import InputError
from memscan.sources.stores import is_remote, shown
from memscan.tables import arrays, places, writing
from memscan.tables.runs import Order, Run, order_of

NAME = "_order.npy"

_LONGEST_HEADER = 1 << 16  # bytes


def write(directory: str, runs: Sequence[Run]) -> str | None:
    """Write the order of ``runs``, if they need one; gives the SHA-256 of the file, or None.

    Raises InputError for runs that cannot be read, OutputError.
    """
    path = os.path.join(directory, NAME)
    order = order_of(runs)
    if order is None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return None
    with writing.replacing(path) as sink:
        np.lib.format.write_array(sink, order, allow_pickle=False)
    return sink.sha256


def read(directory: str, sha256: str, count: int) -> Order:
    """The order of ``count`` rows. Raises InputError for a file that is not what it must be."""
    path = places.join(directory, NAME)
    trouble = f"{shown(path)}: not the order that the manifest lists; run memscan index again"
    if not is_remote(path) and not os.path.isfile(path):  # a pipe would have to be waited for
        raise InputError(trouble)
    data = places.read(path, 8 * count + _LONGEST_HEADER)
    if data is None or hashlib.sha256(data).hexdigest() != sha256:
        raise InputError(trouble)
    try:
        file = io.BytesIO(data)
        shape, dtype = arrays.read_header(file)
        order: Order = np.frombuffer(data, dtype, offset=file.tell()).reshape(shape)
    except Exception as error:  # numpy evaluates the header, and fails in as many ways as Python
        raise InputError(trouble) from error
    if order.shape != (count,) or order.dtype.kind != "u" or (count and order.max() >= count):
        raise InputError(trouble)
    seen = np.zeros(count, np.bool_)
    seen[order] = True
    if not seen.all():
        raise InputError(trouble)
    return order
