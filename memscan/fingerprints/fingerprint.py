"""A generator's fingerprint, and its file: ``NAME.dif.npz``, arrays and JSON without a pickle."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import os
import zipfile
from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

from memscan.errors import InputError
from memscan.fingerprints import denoiser
from memscan.fingerprints.residuals import DENOISER, NAMES

SUFFIX = ".dif.npz"

MOST_SIDE = 4096
"""Pixels a side; a larger fingerprint is refused before it is read."""

MOST_NAME = 255
"""Characters of a name, as of a file's in most file systems."""

MADE = ("dif", "mean", "published")
"""By the loss of DIF, as the mean residual (Marra et al., 2019), or by the authors of DIF."""

_FORMAT = 1
_MEMBERS = ("pattern.npy", "about.npy")
_WEIGHTS = "weights/"
_MOST_MEMBERS = len(_MEMBERS) + 2 * denoiser.MOST_LAYERS
_MOST_HEADER = 1 << 10
_MOST_ABOUT = 1 << 20
_MOST_WEIGHT = 4 * 9 * denoiser.MOST_WIDTH**2 + _MOST_HEADER
_FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # of the zip format: equal fingerprints are equal files


@dataclass(frozen=True)
class Fingerprint:
    """What one generator leaves in its images.

    ``pattern`` is float32 of shape (side, side, 3), from -1 to 1. ``residual`` names the one that
    it was learned from (of :data:`memscan.fingerprints.residuals.NAMES`), and by which images must
    be compared with it: :func:`memscan.fingerprints.residuals.residual_of` gives it.
    ``mean_real`` and ``mean_fake`` are the mean correlations of the two classes with it in
    training; their order has no meaning, since the loss fixes no sign. ``made`` says how it came
    about (one of :data:`MADE`), ``training`` what is worth recording of it, as JSON can hold it.
    ``weights`` are those of the denoiser, and empty for the other residuals.
    """

    name: str
    pattern: npt.NDArray[np.float32]
    residual: str
    mean_real: float
    mean_fake: float
    made: str
    training: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)

    @property
    def side(self) -> int:
        """Pixels a side: of the pattern, and of the middle of an image that is compared with it."""
        return int(self.pattern.shape[0])


def write(path: str, fingerprint: Fingerprint) -> None:
    """Write a fingerprint, whole or not at all; equal ones are equal files. Raises OutputError."""
    from memscan.tables import writing

    about = dataclasses.asdict(fingerprint)
    del about["pattern"], about["weights"]
    text = json.dumps({"format": _FORMAT, **about}, sort_keys=True, allow_nan=False)
    values = {"pattern.npy": fingerprint.pattern, "about.npy": np.array(text)}
    for name in sorted(fingerprint.weights):
        values[f"{_WEIGHTS}{name}.npy"] = fingerprint.weights[name]
    with writing.replacing(os.path.realpath(path)) as sink, zipfile.ZipFile(sink, "w") as archive:
        for name, value in values.items():
            with archive.open(zipfile.ZipInfo(name, _FIRST_DAY), "w") as member:
                np.lib.format.write_array(member, value, version=(1, 0), allow_pickle=False)


def read(path: str) -> Fingerprint:
    """The fingerprint in a file. Raises InputError for what is none, or a damaged or huge one."""
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            return _parse(archive)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path}: is no fingerprint that memscan train dif wrote: {error}"
        ) from None
    except Exception:  # whatever the parsers of zip, numpy and JSON make of hostile bytes
        raise InputError(
            f"{path}: is no fingerprint that memscan train dif wrote, or a damaged one"
        ) from None


def _parse(archive: zipfile.ZipFile) -> Fingerprint:
    """Raises whatever the parsers do, and ValueError for what they can read but is none."""
    names = archive.namelist()
    weights = [name for name in names if name.startswith(_WEIGHTS) and name.endswith(".npy")]
    if len(names) > _MOST_MEMBERS or sorted(names) != sorted({*_MEMBERS, *weights}):
        raise ValueError(f"it must hold {' and '.join(_MEMBERS)}")
    about = json.loads(str(_array(archive, "about.npy", _MOST_ABOUT)))
    if not isinstance(about, dict) or about.pop("format", None) != _FORMAT:
        raise ValueError("its format is another one")
    fingerprint = Fingerprint(
        pattern=_array(archive, "pattern.npy", 12 * MOST_SIDE**2 + _MOST_HEADER),
        weights={
            name[len(_WEIGHTS) : -len(".npy")]: _array(archive, name, _MOST_WEIGHT)
            for name in weights
        },
        **about,
    )
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
    if not all(type(mean) is float and -1 <= mean <= 1 for mean in means):
        raise ValueError("its class means are no correlations")
    if type(fingerprint.name) is not str or type(fingerprint.training) is not dict:
        raise ValueError("its fields have wrong types")
    if not 1 <= len(fingerprint.name) <= MOST_NAME:
        raise ValueError(f"its name has not 1 to {MOST_NAME} characters")
    if fingerprint.residual not in NAMES:
        raise ValueError(f"its residual is none of {', '.join(NAMES)}")
    if fingerprint.made not in MADE:
        raise ValueError(f"it was made in none of the ways {', '.join(MADE)}")
    if fingerprint.residual == DENOISER:
        denoiser.check(fingerprint.weights)
    elif fingerprint.weights:
        raise ValueError("it holds weights that its residual does not take")


def _array(archive: zipfile.ZipFile, name: str, most: int) -> npt.NDArray[Any]:
    """An array of the archive. No more memory is taken than the file has bytes.

    The reader of numpy would believe whatever size the header of an array claims.
    """
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
        raise ValueError(f"{name} is compressed or encrypted")
    if member.file_size > most:
        raise ValueError(f"{name} is larger than any fingerprint")
    content = io.BytesIO(archive.read(name))
    if np.lib.format.read_magic(content) != (1, 0):
        raise ValueError(f"{name} is of another version")
    shape, by_columns, dtype = np.lib.format.read_array_header_1_0(content)
    if dtype.hasobject:
        raise ValueError(f"{name} holds a pickle")
    values = content.read()
    if len(values) != dtype.itemsize * math.prod(shape):
        raise ValueError(f"{name} has another size than it says")
    array = np.frombuffer(values, dtype).reshape(shape, order="F" if by_columns else "C")
    return array.copy()
