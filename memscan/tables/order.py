"""``_order.npy``: the bytewise order of the names of a table whose parts interleave.

Shards cut from a shuffled collection share one range of names. To sort 10 million of them takes
seconds, so it is done once, when the table is finished, and not by every scan.
"""

from __future__ import annotations

import contextlib
import os
from typing import Sequence

import numpy as np

from memscan.errors import InputError
from memscan.tables import writing
from memscan.tables.runs import Order, Run, order_of

NAME = "_order.npy"


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
    path = os.path.join(directory, NAME)
    trouble = f"{path}: not the order that the manifest lists; run memscan index again"
    if not os.path.isfile(path):
        raise InputError(trouble)
    try:
        if writing.digest(path) != sha256:
            raise InputError(trouble)
        order = np.array(np.lib.format.open_memmap(path, mode="r"))
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # numpy evaluates the header, and fails in as many ways as Python
        raise InputError(trouble) from error
    if order.shape != (count,) or order.dtype.kind != "u" or (count and order.max() >= count):
        raise InputError(trouble)
    seen = np.zeros(count, np.bool_)
    seen[order] = True
    if not seen.all():
        raise InputError(trouble)
    return order
