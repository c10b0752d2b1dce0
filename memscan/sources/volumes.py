"""What slices of DICOM and NIfTI have in common: limits, and how values become grey levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan.decode import MAX_PIXELS
from memscan.errors import DecodeError


@dataclass(frozen=True)
class Limits:
    """What a file may ask for: headers are believed only within these.

    ``pixels`` of one slice, ``slices`` of one file, ``held`` bytes in memory (a whole DICOM file,
    or one NIfTI volume), ``expanded`` bytes of a whole NIfTI file without its compression.
    """

    pixels: int = MAX_PIXELS
    slices: int = 100_000
    held: int = 1 << 29
    expanded: int = 1 << 34


@dataclass(frozen=True)
class Plane:
    """One slice: its number (of the volume first, if there are several), and what became of it.

    ``mapping`` says in words how values became grey levels; empty where there is no image.
    """

    index: tuple[int, ...]
    image: Image.Image | DecodeError
    mapping: str = ""


@dataclass(frozen=True)
class GreyLevels:
    """A map from values to grey levels: ``low`` and less to 0, ``high`` and more to 255.

    Linear between them, or the logistic function whose slope in the middle is that of the line
    (DICOM PS3.3 C.11.2.1.3.1). ``inverted`` exchanges black and white. ``text`` says it in words.
    """

    low: float
    high: float
    text: str
    inverted: bool = False
    sigmoid: bool = False

    def image(self, values: npt.NDArray[np.generic]) -> Image.Image:
        """An 8-bit grey image of the values, shape (rows, columns); NaN counts as ``low``."""
        with np.errstate(all="ignore"):
            # Halves, because the difference of two large floats may have no float.
            offset = values.astype(np.float64) / 2 - self.low / 2
            span = self.high / 2 - self.low / 2
            if self.sigmoid:
                share = 1 / (1 + np.exp(-4 * (offset / span - 0.5)))
            elif span > 0:
                share = offset / span
            else:
                share = np.where(offset > 0, 1.0, 0.0)
        share = np.clip(np.nan_to_num(share, nan=0.0), 0, 1)
        levels = np.rint(255 * (1 - share if self.inverted else share))
        return Image.fromarray(levels.astype(np.uint8))


def min_max(low: float, high: float) -> GreyLevels:
    """The map that spreads the values of a volume, from ``low`` to ``high``, over all levels."""
    return GreyLevels(low, high, f"min-max {low:g}..{high:g}")


def finite_range(values: npt.NDArray[np.generic]) -> tuple[float, float] | None:
    """The least and the greatest finite value, or None if there is none."""
    if values.dtype.kind == "f":
        values = values[np.isfinite(values.astype(np.float64, copy=False))]
    return (float(np.min(values)), float(np.max(values))) if values.size else None
