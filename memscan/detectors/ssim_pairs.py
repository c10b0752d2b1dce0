"""Pairs of images with their SSIM, over the whole range from unlike to equal.

A pair begins as two windows of a photograph. The second is altered at any strength, the SSIM of
the aligned pair is taken, and what training does to images afterwards does not change it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from memscan.detectors import augmentations
from memscan.detectors.deepssim_recipe import Alterations, Augmentations
from memscan.detectors.ssim import ssim
from memscan.detectors.tiles import Tiles

_BINS = 20
_SURPLUS = 2  # pairs that are made for each that is used
_MOST_NOISE, _MOST_BLUR = 0.5, 8.0  # standard deviation of pixels from 0 to 1; pixels at side 64
_LEAST_NOISE, _LEAST_BLUR = 0.01, 0.4

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pairs:
    """Pairs of images of shape (n, 1, side, side), pixels from 0 to 1, and their SSIM (n,)."""

    one: torch.Tensor
    other: torch.Tensor
    ssim: torch.Tensor

    def __len__(self) -> int:
        return len(self.ssim)

    def taken(self, chosen: npt.NDArray[np.int64]) -> Pairs:
        """Some of them."""
        rows = torch.from_numpy(chosen).to(self.ssim.device)
        return Pairs(self.one[rows], self.other[rows], self.ssim[rows])


def make(
    tiles: Tiles, side: int, count: int, shares: Alterations, rng: np.random.Generator
) -> Pairs:
    """``count`` pairs from photographs, with as flat a histogram of SSIM as can be had."""
    made = any_pairs(tiles, side, _SURPLUS * count, shares, rng)
    return made.taken(flattened(made.ssim.cpu().numpy(), count, rng))


def any_pairs(
    tiles: Tiles, side: int, count: int, shares: Alterations, rng: np.random.Generator
) -> Pairs:
    """``count`` pairs as the alterations give them."""
    photographs = rng.integers(len(tiles), size=count)
    others = (photographs + rng.integers(1, len(tiles), size=count)) % len(tiles)
    parts = rng.integers(tiles.pixels.shape[1], size=(2, count))
    room = tiles.pixels.shape[-1] - side
    here, there, elsewhere = rng.integers(room + 1, size=(3, count, 2))
    is_shifted = augmentations.chosen(rng, count, shares.shift)
    there = np.where(is_shifted[:, None], there, here)

    one = windows(_tiles(tiles, photographs, parts[0]), here, side)
    other = windows(_tiles(tiles, photographs, parts[0]), there, side)
    stranger = windows(_tiles(tiles, others, parts[1]), elsewhere, side)
    other = altered(other, stranger, shares, rng)
    return Pairs(one, other, ssim(one, aligned(other, there - here)))


def altered(
    x: torch.Tensor, stranger: torch.Tensor, shares: Alterations, rng: np.random.Generator
) -> torch.Tensor:
    """Images, each changed in some ways at any strength by itself or by an image beside it."""
    count, _, side, _ = x.shape
    strengths = augmentations.drawn(rng, count, 0, 1, shares.blend, 0.0)
    strengths = np.where(augmentations.chosen(rng, count, shares.other), 1.0, strengths)
    mix = _wide(strengths, x)
    x = (1 - mix) * x + mix * stranger
    x = torch.where(patches(rng, count, side, shares.patch).to(x.device), stranger, x)
    sigmas = _graded(rng, count, _LEAST_BLUR, _MOST_BLUR, shares.blur) * side / 64
    x = augmentations.smoothed(x, sigmas)
    x = augmentations.noisy(x, _graded(rng, count, _LEAST_NOISE, _MOST_NOISE, shares.noise), rng)
    return x.clamp(0, 1)


def windows(tiles: torch.Tensor, corners: Ints, side: int) -> torch.Tensor:
    """Squares of tiles (n, height, width), whose upper left corners are given as (n, 2).

    The result has shape (n, 1, side, side).
    """
    span = np.arange(side)
    rows = torch.from_numpy(corners[:, 0, None] + span).to(tiles.device)[:, :, None]
    columns = torch.from_numpy(corners[:, 1, None] + span).to(tiles.device)[:, None, :]
    numbers = torch.arange(len(tiles), device=tiles.device)[:, None, None]
    return tiles[numbers, rows, columns][:, None]


def aligned(x: torch.Tensor, moved_by: Ints) -> torch.Tensor:
    """Images brought back by (rows, columns); where nothing of them lies, there is their mean."""
    side = x.shape[-1]
    mean = x.mean((1, 2, 3), keepdim=True)
    most = int(np.abs(moved_by).max(initial=0))
    canvas = functional.pad(x - mean, (most, most, most, most))[:, 0]
    return windows(canvas, most - moved_by, side) + mean


def patches(rng: np.random.Generator, count: int, side: int, share: float) -> torch.Tensor:
    """Masks of shape (count, 1, side, side): a rectangle of any size and place in some of them."""
    area = augmentations.drawn(rng, count, 0, 1, share, 0.0)
    height = np.clip(rng.uniform(area, 1), 1e-6, 1)
    width = area / height
    masks = []
    for extent in (height, width):
        start = rng.uniform(0, 1, count) * (1 - extent)
        at = (np.arange(side) + 0.5) / side
        masks.append((at >= start[:, None]) & (at < (start + extent)[:, None]))
    return torch.from_numpy((masks[0][:, :, None] & masks[1][:, None, :])[:, None])


def flattened(values: npt.NDArray[np.floating], count: int, rng: np.random.Generator) -> Ints:
    """The positions of ``count`` values, chosen so that their histogram from 0 to 1 is flat.

    No position is chosen twice; where values of a kind are too few, all are taken.
    """
    bins = np.clip((values * _BINS).astype(np.int64), 0, _BINS - 1)
    keys = rng.exponential(size=len(values)) * np.bincount(bins, minlength=_BINS)[bins]
    return np.sort(np.argsort(keys, kind="stable")[:count])


def augmented(x: torch.Tensor, how: Augmentations, rng: np.random.Generator) -> torch.Tensor:
    """Images with what the network must learn to look through, each by itself."""
    count, side = len(x), x.shape[-1]
    for axis in (2, 3):
        x = augmentations.flipped(x, augmentations.chosen(rng, count, how.flip), axis)
    moving = augmentations.chosen(rng, count, how.affine)
    most = np.radians(how.turn_degrees)
    turns, down, right = (
        np.where(moving, rng.uniform(-limit, limit, count), 0.0)
        for limit in (most, how.move * side, how.move * side)
    )
    zoom = augmentations.drawn(rng, count, how.zoom_least, how.zoom_most, how.zoom, 1.0)
    x = augmentations.moved(x, turns, down, right, zoom, ("zeros", "border")[rng.integers(2)])
    bias = rng.uniform(0, how.bias_most, (count, augmentations.BIAS_TERMS))
    bias *= augmentations.chosen(rng, count, how.bias)[:, None]
    x = augmentations.with_bias_field(x, bias)
    gammas = augmentations.drawn(rng, count, how.gamma_least, how.gamma_most, how.gamma, 1.0)
    x = augmentations.with_gamma(x, gammas)
    sigmas = augmentations.drawn(rng, count, how.smooth_least, how.smooth_most, how.smooth, 0.0)
    return augmentations.smoothed(x, sigmas)


def _tiles(tiles: Tiles, photographs: Ints, parts: Ints) -> torch.Tensor:
    device = tiles.pixels.device
    chosen = (torch.from_numpy(photographs).to(device), torch.from_numpy(parts).to(device))
    return tiles.pixels[chosen].float() / 255


def _graded(
    rng: np.random.Generator, count: int, least: float, most: float, share: float
) -> npt.NDArray[np.float64]:
    """Strengths whose logarithms are evenly drawn; 0 for images that are left as they are."""
    strengths = np.exp(rng.uniform(np.log(least), np.log(most), count))
    return np.where(augmentations.chosen(rng, count, share), strengths, 0.0)


def _wide(numbers: npt.NDArray[np.float64], x: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(numbers.astype(np.float32), device=x.device).reshape(-1, 1, 1, 1)
