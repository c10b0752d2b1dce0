"""Pairs of images with their SSIM, over the whole range from unlike to equal.

A pair begins as two windows of a photograph. The second is altered at any strength, the SSIM of
the aligned pair is taken, and what training does to images afterwards does not change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from memscan.detectors import augmentations
from memscan.detectors.deepssim_recipe import Alterations, Augmentations
from memscan.detectors.ssim import published_ssim, ssim
from memscan.detectors.tiles import Tiles

_BINS = 20
_MOST_NOISE, _MOST_BLUR = 0.5, 8.0  # standard deviation of pixels from 0 to 1; pixels at side 64
_LEAST_NOISE, _LEAST_BLUR = 0.01, 0.4

Ints = npt.NDArray[np.int64]

Label = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

LABELS: Mapping[str, Label] = {"matched": ssim, "published": published_ssim}
"""What :class:`~memscan.detectors.deepssim_recipe.Recipe` may call the SSIM that is learned."""


@dataclass(frozen=True)
class Pairs:
    """Pairs of the rows of images of shape (n, 1, side, side), pixels from 0 to 1.

    ``one`` and ``other`` are rows, ``ssim`` is that of the aligned images; all have shape (m,).
    ``photographs`` tells which photograph each image is of, ``weights`` how much each pair counts.
    """

    images: torch.Tensor
    one: torch.Tensor
    other: torch.Tensor
    ssim: torch.Tensor
    photographs: torch.Tensor
    weights: torch.Tensor

    def __len__(self) -> int:
        return len(self.ssim)

    def of(self, chosen: Ints) -> Pairs:
        """Some of the pairs, each with images of its own."""
        rows = torch.from_numpy(chosen).to(self.ssim.device)
        images = torch.cat([self.one[rows], self.other[rows]])
        one, other = torch.arange(2 * len(rows), device=rows.device).chunk(2)
        return Pairs(
            self.images[images],
            one,
            other,
            self.ssim[rows],
            self.photographs[images],
            self.weights[rows],
        )


def make(
    tiles: Tiles,
    side: int,
    groups: int,
    size: int,
    shares: Alterations,
    rng: np.random.Generator,
    label: Label = ssim,
) -> Pairs:
    """All pairs within groups of ``size`` images that come from one window of a photograph.

    The first image of a group is the window, the others were altered. Pairs count so much that the
    histogram of their SSIM, weighted, is flat.
    """
    count = groups * size
    photographs = rng.integers(len(tiles), size=groups).repeat(size)
    others = (photographs + rng.integers(1, len(tiles), size=count)) % len(tiles)
    part = rng.integers(tiles.pixels.shape[1], size=groups).repeat(size)
    room = tiles.pixels.shape[-1] - side
    here = rng.integers(room + 1, size=(groups, 2)).repeat(size, axis=0)
    there, elsewhere = rng.integers(room + 1, size=(2, count, 2))
    is_first = np.arange(count) % size == 0
    is_shifted = augmentations.chosen(rng, count, shares.shift) & ~is_first
    corners = np.where(is_shifted[:, None], there, here)

    windows_of = _tiles(tiles, photographs, part)
    clean = windows(windows_of, corners, side)
    strangers = windows(
        _tiles(tiles, others, rng.integers(tiles.pixels.shape[1], size=count)), elsewhere, side
    )
    changed = altered(clean, strangers, shares, rng)
    images = torch.where(augmentations.wide(is_first, clean) > 0, clean, changed)

    one, other = np.triu_indices(size, 1)
    starts = size * np.arange(groups)[:, None]
    one, other = (starts + one).ravel(), (starts + other).ravel()
    values = label(images[one], aligned(images[other], corners[other] - corners[one]))
    to = images.device
    return Pairs(
        images,
        torch.from_numpy(one).to(to),
        torch.from_numpy(other).to(to),
        values,
        torch.from_numpy(photographs).to(to),
        torch.from_numpy(flattening(values.cpu().numpy())).float().to(to),
    )


def altered(
    x: torch.Tensor, stranger: torch.Tensor, shares: Alterations, rng: np.random.Generator
) -> torch.Tensor:
    """Images, each changed in some ways at any strength by itself or by an image beside it."""
    count, _, side, _ = x.shape
    strengths = augmentations.drawn(rng, count, 0, 1, shares.blend, 0.0)
    strengths = np.where(augmentations.chosen(rng, count, shares.other), 1.0, strengths)
    mix = augmentations.wide(strengths, x)
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


def flattening(values: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Weights, 1 in the mean, with which the histogram of values from 0 to 1 is flat.

    A value counts four times another at most.
    """
    bins = np.clip((values * _BINS).astype(np.int64), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    rarity = 1 / np.maximum(counts, counts.max() / 4)[bins]
    weights: npt.NDArray[np.float64] = rarity / rarity.mean()
    return weights


def evenly(values: npt.NDArray[np.floating], count: int, rng: np.random.Generator) -> Ints:
    """The positions of ``count`` values, drawn so that their histogram from 0 to 1 is flat.

    No position is drawn twice; where values of a kind are too few, others take their places.
    """
    bins = np.clip((values * _BINS).astype(np.int64), 0, _BINS - 1)
    sizes = np.bincount(bins, minlength=_BINS)
    shuffled = rng.permutation(len(values))
    by_bin = shuffled[np.argsort(bins[shuffled], kind="stable")]
    turns = np.arange(len(values)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.sort(by_bin[np.argsort(turns, kind="stable")[:count]])


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
