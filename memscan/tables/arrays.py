"""Arrays of numbers in numpy's format, from bytes that come in order, such as those of a URL.

Only the header says how much there is to read, so nothing is set aside before it has come.
"""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

_BLOCK = 1 << 22


def read_header(file: BinaryIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """The shape and the type of an array; the file then stands at its first number.

    Raises ValueError for anything but a header of numbers, and whatever else numpy raises.
    """
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} is not one that holds numbers")
    one = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if one else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in "iuf":
        raise ValueError(f"{dtype} is not a number")
    return shape, dtype


def read_numbers(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The numbers below a header, of which bytes beyond the ``shape`` are left.

    Raises EOFError if there are fewer.
    """
    size = math.prod(shape) * dtype.itemsize
    data = bytearray()
    while len(data) < size:
        block = file.read(min(_BLOCK, size - len(data)))
        if not block:
            raise EOFError("it ends before its last number")
        data += block
    return np.frombuffer(data, dtype).reshape(shape)
