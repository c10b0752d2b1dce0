"""The frames of a DICOM file as images. The only importer of pydicom.

Nothing but the elements that describe pixels is parsed, so names of patients never get into a
value, and messages are sentences of this module.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
from typing import Any, Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.decode import pixel_limit
from memscan.errors import DecodeError, InputError
from memscan.sources.uris import DICOM_MARK, DICOM_MARK_AT
from memscan.sources.volumes import GreyLevels, Limits, Plane, finite_range, min_max

_DEFLATED = "1.2.840.10008.1.2.1.99"
_TAGS = (
    "SamplesPerPixel PhotometricInterpretation PlanarConfiguration Rows Columns NumberOfFrames"
    " BitsAllocated BitsStored HighBit PixelRepresentation PixelPaddingValue"
    " PixelPaddingRangeLimit RescaleSlope RescaleIntercept ModalityLUTSequence WindowCenter"
    " WindowWidth VOILUTFunction VOILUTSequence RedPaletteColorLookupTableDescriptor"
    " GreenPaletteColorLookupTableDescriptor BluePaletteColorLookupTableDescriptor"
    " RedPaletteColorLookupTableData GreenPaletteColorLookupTableData"
    " BluePaletteColorLookupTableData SegmentedRedPaletteColorLookupTableData"
    " SegmentedGreenPaletteColorLookupTableData SegmentedBluePaletteColorLookupTableData"
    " SharedFunctionalGroupsSequence PerFrameFunctionalGroupsSequence"
    " ExtendedOffsetTable ExtendedOffsetTableLengths PixelData FloatPixelData DoubleFloatPixelData"
).split()
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def planes(data: bytes, limits: Limits, only: int | None = None) -> Iterator[Plane]:
    """Yield every frame of a DICOM file, or only the one of that number, counted from 0.

    Grey frames go through the modality table or rescale, then through the first window that the
    file states, else its VOI table, else from least to greatest value of all frames (padding left
    out); MONOCHROME1 is inverted. Colours are as stored, 16 bits brought to 8. A frame that cannot
    be decoded is the last one. Raises DecodeError for a file without frames to decode, InputError
    without pydicom.
    """
    if not _is_installed():
        raise InputError(
            "a DICOM file needs pydicom 3 and Python 3.10, which are not both installed "
            "(pip install 'memscan[medical]')"
        )
    with _as_decode_error("the DICOM header is broken"):
        file = _File(data, limits)
    numbers = range(file.frames) if only is None else [only]
    if only is not None and only >= file.frames:
        raise DecodeError(f"the file holds {file.frames} frames")
    decoded = file.decoded(numbers)
    for done, number in enumerate(numbers):
        try:
            with pixel_limit(limits.pixels), _as_decode_error("this frame cannot be decoded"):
                plane = file.plane(number, next(decoded))
        except DecodeError as error:
            left = len(numbers) - done - 1
            rest = f"; frames after it that were not read: {left}" if left else ""
            yield Plane((number,), DecodeError(f"{error}{rest}"))
            return
        yield plane


def _is_installed() -> bool:
    """Whether there is a pydicom that decodes frame by frame, as version 3 does."""
    names = ("pydicom", "pydicom.pixels")  # in this order: the second imports the first
    return all(importlib.util.find_spec(name) is not None for name in names)


class _File:
    """The elements of a file that describe its pixels, checked against the limits."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        import pydicom

        self._check_syntax(data)
        self.elements: Any = pydicom.dcmread(io.BytesIO(data), specific_tags=list(_TAGS))
        held = [name for name in _PIXELS if self.elements.get(name)]
        if not held:
            raise DecodeError("this DICOM file holds no image")
        rows, columns = int(self.elements.Rows), int(self.elements.Columns)
        self.frames = int(self.elements.get("NumberOfFrames") or 1)
        if min(rows, columns, self.frames) < 1:
            raise DecodeError("this DICOM file holds no image")
        if rows * columns > limits.pixels:
            raise DecodeError(f"more than {limits.pixels} pixels (--max-pixels raises the limit)")
        if self.frames > limits.slices:
            raise DecodeError(f"more than {limits.slices} frames")
        self.photometric = str(self.elements.PhotometricInterpretation)
        self.samples = int(self.elements.SamplesPerPixel)
        if self.samples not in (1, 3):
            raise DecodeError(f"{self.samples} values a pixel are neither grey nor a colour")
        self._check_length(len(self.elements[held[0]].value))
        self._whole_range: GreyLevels | None = None

    def decoded(self, numbers: range | list[int]) -> Iterator[npt.NDArray[np.generic]]:
        """The stored values of these frames, shape (rows, columns) or (rows, columns, 3)."""
        from pydicom.pixels import iter_pixels

        frames: Iterator[npt.NDArray[np.generic]] = iter_pixels(self.elements, indices=numbers)
        return frames

    def plane(self, number: int, stored: npt.NDArray[np.generic]) -> Plane:
        """The frame as an image."""
        if self.photometric == "PALETTE COLOR":
            from pydicom.pixels import apply_color_lut

            stored = apply_color_lut(stored, self.elements)
        if stored.ndim == 3:
            return Plane((number,), Image.fromarray(_eight_bits(stored)), "as stored")
        values = self._modality_values(number, stored)
        values, levels = self._levels(number, values)
        return Plane((number,), levels.image(values), levels.text)

    def _check_syntax(self, data: bytes) -> None:
        """Refuse what cannot be decoded, and what pydicom would expand without a limit."""
        from pydicom.filereader import read_dataset
        from pydicom.pixels import get_decoder

        if data[DICOM_MARK_AT : DICOM_MARK_AT + len(DICOM_MARK)] != DICOM_MARK:
            raise DecodeError("no DICOM file: the mark DICM is missing")
        start = io.BytesIO(data)
        start.seek(DICOM_MARK_AT + len(DICOM_MARK))
        meta = read_dataset(start, False, True, stop_when=lambda tag, vr, length: tag.group != 2)
        syntax = meta.get("TransferSyntaxUID")
        if syntax is None:
            raise DecodeError("the DICOM header states no transfer syntax")
        if syntax == _DEFLATED:
            raise DecodeError("DICOM files that are deflated as a whole are not read")
        self.is_compressed = syntax.is_encapsulated
        try:
            available = get_decoder(syntax).is_available
        except NotImplementedError as error:
            raise DecodeError("the transfer syntax is none that pydicom decodes") from error
        if not available:
            raise DecodeError(
                f"compressed as {syntax.name}, for which no decoder is installed "
                "(pylibjpeg with its plugins has one)"
            )

    def _check_length(self, length: int) -> None:
        from pydicom.pixels.utils import get_expected_length

        if not self.is_compressed and length < get_expected_length(self.elements):
            raise DecodeError("the file is truncated: it holds fewer pixels than its header states")

    def _group(self, number: int, name: str) -> Any:
        """The elements of a functional group for a frame: its own, the shared, the file's."""
        for groups, at in (
            (self.elements.get("PerFrameFunctionalGroupsSequence"), number),
            (self.elements.get("SharedFunctionalGroupsSequence"), 0),
        ):
            if groups and at < len(groups) and groups[at].get(name):
                return groups[at].get(name)[0]
        return self.elements

    def _modality_values(
        self, number: int, stored: npt.NDArray[np.generic]
    ) -> npt.NDArray[np.generic]:
        from pydicom.pixels import apply_modality_lut

        group = self._group(number, "PixelValueTransformationSequence")
        values: npt.NDArray[np.generic] = apply_modality_lut(stored, group)
        return values

    def _levels(
        self, number: int, values: npt.NDArray[np.generic]
    ) -> tuple[npt.NDArray[np.generic], GreyLevels]:
        """The values to show, and the map from them to grey levels."""
        inverted = self.photometric == "MONOCHROME1"
        words = ", inverted" if inverted else ""
        group = self._group(number, "FrameVOILUTSequence")
        window = _window(group)
        if window is not None:
            low, high, text, sigmoid = window
            return values, GreyLevels(low, high, text + words, inverted, sigmoid)
        if group.get("VOILUTSequence"):
            from pydicom.pixels import apply_voi

            values = apply_voi(np.rint(values.astype(np.float64)).astype(np.int64), group)
            bits = int(group.VOILUTSequence[0].LUTDescriptor[2])
            return values, GreyLevels(0, 2.0**bits - 1, "VOI table" + words, inverted)
        if self._whole_range is None:
            self._whole_range = self._spread()
        low, high = self._whole_range.low, self._whole_range.high
        return values, GreyLevels(low, high, self._whole_range.text + words, inverted)

    def _spread(self) -> GreyLevels:
        """From the least to the greatest value of all frames that can be decoded."""
        ranges = []
        with contextlib.suppress(Exception):  # told of when the frame itself is read
            for number, stored in enumerate(self.decoded(range(self.frames))):
                shown = self._modality_values(number, stored)[~self._is_padding(stored)]
                ranges.append(finite_range(shown))
        found = [extent for extent in ranges if extent is not None] or [(0.0, 0.0)]
        return min_max(min(low for low, _ in found), max(high for _, high in found))

    def _is_padding(self, stored: npt.NDArray[np.generic]) -> npt.NDArray[np.bool_]:
        """Where a frame holds the value that stands for no measurement."""
        value = self.elements.get("PixelPaddingValue")
        if value is None:
            return np.zeros(stored.shape, bool)
        other = self.elements.get("PixelPaddingRangeLimit")
        low, high = sorted((int(value), int(value if other is None else other)))
        wide = stored.astype(np.float64)
        is_padding: npt.NDArray[np.bool_] = (wide >= low) & (wide <= high)
        return is_padding


def _window(group: Any) -> tuple[float, float, str, bool] | None:
    """The first window stated: its lowest and highest value, it in words, whether a sigmoid.

    None where there is none, or one without a width (DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3).
    """
    centre, width = _first(group.get("WindowCenter")), _first(group.get("WindowWidth"))
    shape = str(group.get("VOILUTFunction") or "LINEAR")
    least = 1 if shape == "LINEAR" else 0
    if centre is None or width is None or not width >= least or width == 0:
        return None
    text = f"window {centre:g}/{width:g}"
    if shape == "SIGMOID":
        return centre - width / 2, centre + width / 2, text + " (sigmoid)", True
    if shape == "LINEAR_EXACT":
        return centre - width / 2, centre + width / 2, text + " (exact)", False
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2, text, False


def _first(value: Any) -> float | None:
    """The first of several values, if it is a finite number."""
    if value is None or value == "":
        return None
    number = float(value if isinstance(value, (int, float, str)) else next(iter(value), "nan"))
    return number if np.isfinite(number) else None


def _eight_bits(colours: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    if colours.dtype == np.uint8:
        return colours.astype(np.uint8, copy=False)
    return np.rint(colours.astype(np.float64) / 257).clip(0, 255).astype(np.uint8)


@contextlib.contextmanager
def _as_decode_error(sentence: str) -> Iterator[None]:
    """Turn what pydicom raises into a DecodeError; its own words may quote the file."""
    try:
        yield
    except (DecodeError, InputError):
        raise
    except Exception as error:  # parsers meet hostile bytes with every kind of exception
        raise DecodeError(f"{sentence} ({type(error).__name__})") from error
