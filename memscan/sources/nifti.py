"""The axial slices of NIfTI volumes as images. The only importer of nibabel.

nibabel parses the header; the values are read here, so that no more is expanded and held than the
header states and the limits allow. Extensions of the header are passed over unread.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.util
import math
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Iterator, cast

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.errors import DecodeError, ImageError, InputError
from memscan.sources.volumes import GreyLevels, Limits, Plane, finite_range, min_max

_GZIP = b"\x1f\x8b"
_HEADERS = {348: (344, b"n+1\0"), 540: (4, b"n+2\0")}  # size: where the mark stands, the mark
_PART = 1 << 20  # bytes read at a time, so that a header alone cannot make memory be taken
_COLOURS = ("R", "G", "B")


def planes(file: BinaryIO, limits: Limits, only: tuple[int, ...] | None = None) -> Iterator[Plane]:
    """Yield every axial slice of every volume, or only the one of that index.

    ``file`` is at its beginning and can be sought in; it may be compressed by gzip. Values are
    scaled by scl_slope and scl_inter and become grey levels from cal_min to cal_max, where these
    are stated, else from the least to the greatest finite value of the volume; colours are as
    stored. See :func:`_directions` for which axis is cut and which way is up. A volume that cannot
    be read ends the slices. Raises DecodeError for a header that cannot be used, InputError without
    nibabel.
    """
    if importlib.util.find_spec("nibabel") is None:
        raise InputError(
            "a NIfTI file needs nibabel, which is not installed (pip install 'memscan[medical]')"
        )
    stream = _expanded(file)
    with _as_decode_error("the NIfTI header is broken"):
        header = _Header.read(stream, limits)
    volumes, slices = header.numbers(only)
    for volume in volumes:
        try:
            with _as_decode_error("the data cannot be read"):
                values = header.volume(stream, volume)
                levels = header.levels(values)
        except DecodeError as error:
            left = len(slices) * (volumes.stop - volume) - 1
            rest = f"; slices after it that were not read: {left}" if left else ""
            yield Plane(header.index(volume, slices[0]), DecodeError(f"{error}{rest}"))
            return
        for number in slices:
            image = header.image(values, number, levels)
            yield Plane(header.index(volume, number), image, levels.text if levels else "as stored")


@dataclass(frozen=True)
class _Directions:
    """Which axis of the stored array is cut, which become rows and columns, which are turned."""

    cut: int
    rows: int
    columns: int
    turn_rows: bool = False
    turn_columns: bool = False


@dataclass(frozen=True)
class _Header:
    """What a header says about the data, checked against the limits."""

    shape: tuple[int, int, int]
    volumes: int
    dtype: np.dtype[Any]
    offset: int
    slope: float
    intercept: float
    stated: tuple[float, float] | None
    directions: _Directions
    is_series: bool

    @classmethod
    def read(cls, stream: BinaryIO, limits: Limits) -> _Header:
        """Read and check the header at the beginning of a stream. Raises DecodeError."""
        from nibabel.nifti1 import Nifti1Header
        from nibabel.nifti2 import Nifti2Header

        start = stream.read(4)
        size = next(
            (size for size in _HEADERS for order in ("little", "big")
             if start == size.to_bytes(4, cast(Any, order))), None,
        )  # fmt: skip
        if size is None:
            raise DecodeError("no NIfTI file: the header has no size that NIfTI knows")
        data = start + _read_exactly(stream, size - 4)
        place, mark = _HEADERS[size]
        if data[place : place + 4] != mark:
            raise DecodeError("no single NIfTI file: its mark is missing")
        header: Any = (Nifti1Header if size == 348 else Nifti2Header)(bytes(data), check=False)
        shape = tuple(int(length) for length in header.get_data_shape())
        if not shape or min(shape) < 1:
            raise DecodeError("this NIfTI file holds no voxels")
        spatial = cast("tuple[int, int, int]", (*shape, 1, 1)[:3])
        dtype = cast("np.dtype[Any]", header.get_data_dtype())
        slope, intercept = header.get_slope_inter()
        low, high = float(header["cal_min"]), float(header["cal_max"])
        made = cls(
            spatial,
            math.prod(shape[3:]),
            dtype,
            int(header["vox_offset"]),
            1.0 if slope is None else float(slope),
            0.0 if intercept is None else float(intercept),
            (low, high) if -math.inf < low < high < math.inf else None,
            _directions(header),
            len(shape) > 3,
        )
        made._check(limits)
        return made

    def numbers(self, only: tuple[int, ...] | None) -> tuple[range, range]:
        """The volumes and the slices to read. Raises DecodeError if there is no such slice."""
        last = self.shape[self.directions.cut]
        if only is None:
            return range(self.volumes), range(last)
        volume, number = only if len(only) == 2 else (0, only[0])
        if (len(only) == 2) != self.is_series or volume >= self.volumes or number >= last:
            raise DecodeError(f"the file holds {self.volumes} volumes of {last} slices")
        return range(volume, volume + 1), range(number, number + 1)

    def index(self, volume: int, number: int) -> tuple[int, ...]:
        """The index of a slice: with the volume if the file has an axis for several."""
        return (volume, number) if self.is_series else (number,)

    def volume(self, stream: BinaryIO, number: int) -> npt.NDArray[Any]:
        """The stored values of one volume, shape (x, y, z) as the header orders them."""
        size = self._volume_bytes()
        stream.seek(self.offset + number * size)
        data = _read_exactly(stream, size)
        return np.frombuffer(data, self.dtype).reshape(self.shape, order="F")

    def levels(self, values: npt.NDArray[Any]) -> GreyLevels | None:
        """The map from scaled values of a volume to grey levels; None of colours."""
        if self.dtype.names:
            return None
        if self.stated:
            low, high = self.stated
            return GreyLevels(low, high, f"range {low:g}..{high:g} as stated")
        slices = (self._scaled(part) for part in np.moveaxis(values, self.directions.cut, 0))
        ranges = [extent for extent in map(finite_range, slices) if extent is not None]
        if not ranges:
            return min_max(0.0, 0.0)
        return min_max(min(low for low, _ in ranges), max(high for _, high in ranges))

    def image(
        self, values: npt.NDArray[Any], number: int, levels: GreyLevels | None
    ) -> Image.Image:
        """One slice as an image, the way round that ``directions`` says."""
        ways = self.directions
        plane = np.moveaxis(values, ways.cut, 0)[number]  # np.take would copy the volume
        if ways.rows > ways.columns:
            plane = plane.T
        plane = plane[:: -1 if ways.turn_rows else 1, :: -1 if ways.turn_columns else 1]
        if levels is None:
            return Image.fromarray(np.stack([plane[name] for name in _COLOURS], axis=-1))
        return levels.image(self._scaled(plane))

    def _scaled(self, stored: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        with np.errstate(all="ignore"):  # what overflows is not finite, and counts as such
            return stored.astype(np.float64) * self.slope + self.intercept

    def _volume_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def _check(self, limits: Limits) -> None:
        is_number = self.dtype.kind in "iuf" and self.dtype.itemsize <= 8
        is_colour = self.dtype.names is not None and self.dtype.names[:3] == _COLOURS
        if not is_number and not is_colour:
            raise DecodeError("its values are neither grey levels nor colours")
        ways, volume = self.directions, self._volume_bytes()
        if self.shape[ways.rows] * self.shape[ways.columns] > limits.pixels:
            raise DecodeError(f"more than {limits.pixels} pixels (--max-pixels raises the limit)")
        if self.shape[ways.cut] * self.volumes > limits.slices:
            raise DecodeError(f"more than {limits.slices} slices")
        if volume > limits.held:
            raise DecodeError(f"a volume of more than {limits.held} bytes")
        if self.offset < 0 or self.offset + volume * self.volumes > limits.expanded:
            raise DecodeError(f"more than {limits.expanded} bytes")


def _directions(header: Any) -> _Directions:
    """Axial slices as DICOM shows them, if an affine says how the volume lies.

    Then rows go to the back of the body and columns to its left. Axes are exchanged and turned,
    never resampled: a volume that lies askew is cut along its nearest axis. Without a usable affine
    the third axis is cut, rows follow the second axis and columns the first.
    """
    from nibabel.orientations import aff2axcodes

    as_stored = _Directions(cut=2, rows=1, columns=0)
    if not (header["sform_code"] > 0 or header["qform_code"] > 0):
        return as_stored
    try:
        codes = [str(code) for code in aff2axcodes(header.get_best_affine())]
        cut = next(axis for axis in range(3) if codes[axis] in "IS")
        rows = next(axis for axis in range(3) if codes[axis] in "AP")
        columns = next(axis for axis in range(3) if codes[axis] in "LR")
    except Exception:  # an affine of zeros, of NaN, or a quaternion that is none
        return as_stored
    return _Directions(cut, rows, columns, codes[rows] == "A", codes[columns] == "R")


def _expanded(file: BinaryIO) -> BinaryIO:
    mark = file.read(2)
    file.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=file)) if mark == _GZIP else file


def _read_exactly(stream: BinaryIO, size: int) -> bytearray:
    """Read ``size`` bytes, a part at a time. Raises DecodeError if there are fewer."""
    data = bytearray()
    while len(data) < size:
        part = stream.read(min(_PART, size - len(data)))
        if not part:
            raise DecodeError("the file is truncated: it holds less than its header states")
        data += part
    return data


@contextlib.contextmanager
def _as_decode_error(sentence: str) -> Iterator[None]:
    """Turn what nibabel and gzip raise into a DecodeError with a clear sentence."""
    try:
        yield
    except (ImageError, InputError):
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DecodeError("the compressed data is broken or truncated") from error
    except OSError:
        raise
    except Exception as error:  # parsers meet hostile bytes with every kind of exception
        raise DecodeError(f"{sentence} ({type(error).__name__})") from error
