"""A generator's fingerprint, and its file: ``NAME.dif.npz``, arrays and JSON without a pickle."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import zipfile
from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

from memscan.errors import InputError

SUFFIX = ".dif.npz"

MOST_SIDE = 4096
"""Pixels a side; a larger fingerprint is refused before it is read."""

_FORMAT = 1
_MEMBERS = ("pattern.npy", "about.npy")
_MOST_ABOUT = 1 << 20
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of the zip format: equal fingerprints are equal files


@dataclass(frozen=True)
class Fingerprint:
    """What one generator leaves in its images.

    ``pattern`` is float32 of shape (side, side, 3), from -1 to 1. ``residual`` names the one that
    it was learned from (:data:`memscan.fingerprints.residuals.RESIDUALS`), and by which images must
    be compared with it. ``mean_real`` and ``mean_fake`` are the mean correlations of the two
    classes with it in training; their order has no meaning, since the loss fixes no sign. ``made``
    says how it came about ("dif", "mean" or "published"),
    ``training`` what is worth recording of it.
    """

    name: str
    pattern: npt.NDArray[np.float32]
    residual: str
    mean_real: float
    mean_fake: float
    made: str
    training: Mapping[str, Any] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """Pixels a side: of the pattern, and of the middle of an image that is compared with it."""
        return int(self.pattern.shape[0])


def write(path: str, fingerprint: Fingerprint) -> None:
    """Write a fingerprint, whole or not at all; equal ones are equal files. Raises OutputError."""
    from memscan.tables import writing

    about = dataclasses.asdict(fingerprint)
    del about["pattern"]
    text = json.dumps({"format": _FORMAT, **about}, sort_keys=True, allow_nan=False)
    values = {"pattern.npy": fingerprint.pattern, "about.npy": np.array(text)}
    with writing.replacing(os.path.realpath(path)) as sink, zipfile.ZipFile(sink, "w") as archive:
        for name, value in values.items():
            with archive.open(zipfile.ZipInfo(name, _FIRST_DAY), "w") as member:
                np.lib.format.write_array(member, value, allow_pickle=False)


def read(path: str) -> Fingerprint:
    """The fingerprint in a file. Raises InputError for what is none, or a damaged or huge one."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _parse(archive)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no fingerprint that memscan train dif wrote: {error}"
        ) from None


def _parse(archive: zipfile.ZipFile) -> Fingerprint:
    """Raises ValueError, KeyError, TypeError."""
    if sorted(archive.namelist()) != sorted(_MEMBERS):
        raise ValueError(f"it must hold {' and '.join(_MEMBERS)}")
    about = json.loads(str(_array(archive, "about.npy", _MOST_ABOUT)))
    if not isinstance(about, dict) or about.pop("format", None) != _FORMAT:
        raise ValueError("its format is another one")
    pattern = _array(archive, "pattern.npy", 12 * MOST_SIDE**2 + 128)
    fingerprint = Fingerprint(pattern=pattern, **about)
    check(fingerprint)
    return fingerprint


def check(fingerprint: Fingerprint) -> None:
    """Raise ValueError for what cannot be a fingerprint."""
    pattern = fingerprint.pattern
    if pattern.dtype != np.float32 or pattern.ndim != 3 or pattern.shape[2] != 3:
        raise ValueError("its pattern is no float32 image of three channels")
    if pattern.shape[0] != pattern.shape[1] or not 8 <= pattern.shape[0] <= MOST_SIDE:
        raise ValueError(f"its pattern is no square of 8 to {MOST_SIDE} pixels a side")
    if not np.isfinite(pattern).all() or not np.ptp(pattern):
        raise ValueError("its pattern holds nothing")
    means = (fingerprint.mean_real, fingerprint.mean_fake)
    if not all(type(mean) is float and math.isfinite(mean) for mean in means):
        raise ValueError("its class means are no numbers")
    texts = (fingerprint.name, fingerprint.residual, fingerprint.made)
    if not all(type(text) is str for text in texts) or type(fingerprint.training) is not dict:
        raise ValueError("its fields have wrong types")


def _array(archive: zipfile.ZipFile, name: str, most: int) -> npt.NDArray[Any]:
    if archive.getinfo(name).file_size > most:
        raise ValueError(f"{name} is larger than any fingerprint")
    with archive.open(name) as member:
        array: npt.NDArray[Any] = np.lib.format.read_array(member, allow_pickle=False)
    return array
