"""The published fingerprints of DIF: ``NAME/chk_0.pt``, archives of torch.

They are the one exception to memscan's reading no pickles: torch's weights-only loader, which makes
tensors, numbers, lists and dictionaries and refuses all else, without running it.
"""

from __future__ import annotations

import math
import os
import pickle
import zipfile
from typing import Any

import numpy as np
import torch

from memscan.errors import InputError
from memscan.fingerprints.fingerprint import MOST_SIDE, Fingerprint, check
from memscan.fingerprints.residuals import Pixels

MOST_BYTES = 12 * MOST_SIDE**2 + (1 << 24)
"""Of the largest pattern, and of the numbers beside it."""

LAST = 20
"""Batches of training whose mean correlations give the class means, as in the publication."""

SIGMA = 1.0
"""Pixels. The slow part of a pattern is taken away by a Gaussian: the classical residuals hold
nothing of it, so that it would only add noise."""


def read(path: str, residual: str) -> Fingerprint:
    """The fingerprint in a published file, made ready for a residual; DnCNN's cannot be had.

    The class means are those of its training, with DnCNN's residual. Raises InputError for what is
    none, and for a pickle that asks for code.
    """
    content = _load(path)
    try:
        name = os.path.basename(os.path.dirname(os.path.abspath(path)))
        real, fake = (_last_mean(content[key]) for key in ("Train Real", "Train Fake"))
        pattern = high_passed(_pattern(content["Fingerprint"]))
        fingerprint = Fingerprint(
            name, pattern, residual, real, fake, "published", {"high_pass": SIGMA}
        )
        check(fingerprint)
    except KeyError as error:
        raise InputError(f"{path}: is no published fingerprint of DIF: it has no {error}") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: is no published fingerprint of DIF: {error}") from None
    return fingerprint


def high_passed(pattern: Pixels) -> Pixels:
    """A pattern (side, side, 3) without what a Gaussian of SIGMA leaves of it; borders mirrored."""
    from scipy.ndimage import gaussian_filter

    slow = gaussian_filter(pattern, (SIGMA, SIGMA, 0), mode="reflect")
    return np.asarray(pattern - slow, np.float32)


def _load(path: str) -> dict[str, Any]:
    """What the weights-only loader makes of the file. Raises InputError."""
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise InputError(f"{path}: too large for a fingerprint")
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        stored = all(one.compress_type == zipfile.ZIP_STORED for one in members)
        if not stored or sum(one.file_size for one in members) > MOST_BYTES:
            raise InputError(f"{path}: is no archive as torch writes them")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
    except pickle.UnpicklingError:
        raise InputError(
            f"{path}: holds more than numbers, which could run any code; it was not read"
        ) from None
    except InputError:
        raise
    except Exception:  # whatever a parser makes of hostile bytes
        raise InputError(f"{path}: is no published fingerprint of DIF, or a damaged one") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: is no published fingerprint of DIF")
    return content


def _pattern(tensor: Any) -> Pixels:
    """From (1, 3, side, side) to (side, side, 3). Raises ValueError."""
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        raise ValueError("its fingerprint is no array")
    shape = tuple(tensor.shape)
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        raise ValueError("its fingerprint is no float32 array")
    if len(shape) != 4 or shape[:2] != (1, 3) or shape[2] != shape[3] or shape[2] > MOST_SIDE:
        raise ValueError(f"its fingerprint is no square of three channels: {shape}")
    if not bool(tensor.isfinite().all()):
        raise ValueError("its fingerprint holds what is no finite number")
    return np.ascontiguousarray(tensor.detach()[0].numpy().transpose(1, 2, 0))


def _last_mean(values: Any) -> float:
    """Raises ValueError."""
    if not isinstance(values, list) or not values:
        raise ValueError("it holds no correlations of its training")
    last = values[-LAST:]
    if not all(type(value) in (float, int) and math.isfinite(value) for value in last):
        raise ValueError("its correlations are no numbers")
    return float(sum(last) / len(last))
