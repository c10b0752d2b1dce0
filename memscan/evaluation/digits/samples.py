"""The baseline that needs no probe: the model's own samples, searched for the image."""

from __future__ import annotations

from typing import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from memscan import hamming, hashing
from memscan.detectors.diffusion import sampling
from memscan.detectors.diffusion.denoiser import Denoiser

Numbers = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]

_GUIDANCE = 3.0
_BATCH = 256


def drawn(denoiser: Denoiser, prompts: Sequence[str], seed: int) -> Bytes:
    """A sample for each prompt, by 50 steps of DDIM: grey pixels of shape (n, height, width)."""
    parts = []
    for start in range(0, len(prompts), _BATCH):
        some = prompts[start : start + _BATCH]
        noise = sampling.noise(denoiser, seed, range(start, start + len(some)))
        pixels = sampling.sample(denoiser, some, noise, guidance=_GUIDANCE)[:, 0]
        parts.append((255 * pixels).round().byte().cpu().numpy())
    return np.concatenate(parts)


def nearest(images: Sequence[Image.Image], samples: Bytes) -> Numbers:
    """Of each image, the negative RMSE of grey pixels from the nearest sample, of the same size."""
    own = _grey(images).reshape(len(images), -1).astype(np.float64)
    others = samples.reshape(len(samples), -1).astype(np.float64)
    squares = (own**2).sum(1)[:, None] + (others**2).sum(1) - 2 * own @ others.T
    found: Numbers = -np.sqrt(np.maximum(squares.min(axis=1), 0) / own.shape[1])
    return found


def nearest_by_phash(images: Sequence[Image.Image], samples: Bytes) -> Numbers:
    """Of each image, the negative distance in bits of its pHash from that of any sample."""
    own, others = _phashes(_grey(images)), _phashes(samples)
    return np.array([-float(hamming.distances(others, hash).min()) for hash in own])


def _grey(images: Sequence[Image.Image]) -> Bytes:
    return np.stack([np.asarray(image.convert("L")) for image in images])


def _phashes(pixels: Bytes) -> npt.NDArray[np.uint64]:
    thumbnails = np.stack([hashing.thumbnail(Image.fromarray(one)) for one in pixels])
    return hashing.phashes(thumbnails, hashing.transform(thumbnails))
