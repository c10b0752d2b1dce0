"""Phase congruency: where the waves of an image are in step, which is where features are seen.

Kovesi, Image Features from Phase Congruency, Videre 1(3), 1999, with the constants that FSIM was
published with: 4 scales, 4 orientations, log-Gabor filters and a threshold for noise.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from memscan.evaluation.pixels.measures import Images

SCALES = ORIENTATIONS = 4
SHORTEST_WAVE = 6  # pixels
FACTOR = 2.0  # of the wave length from a scale to the next
BANDWIDTH = 0.55  # the deviation of a log-Gabor filter over its centre frequency
SPREAD = 1.2  # from one orientation to the next, in deviations of the angular filter
CUT_OFF, SHARPNESS = 0.45, 15  # of the low-pass filter that takes the corners off
NOISE_DEVIATIONS = 2.0
NOISE_SCALE = 1.7  # by which the estimate of the noise is divided: found by experiment, says Kovesi
EPSILON = 1e-4


class _Bank(NamedTuple):
    """The filters of one orientation.

    ``filters`` (scales, height, width) are applied to the transform of an image; ``own_power`` and
    ``joint_power`` say how much of white noise passes them, alone and by twos, over the
    power that passes the finest.
    """

    filters: Images
    own_power: float
    joint_power: float


def congruency(images: Images) -> Images:
    """The phase congruency of each pixel, from 0 to 1, in the shape of the images."""
    transformed = np.fft.fft2(images)
    total_energy = np.zeros_like(images)
    total_amplitude = np.zeros_like(images)
    for bank in _banks(*images.shape[1:]):
        responses = np.fft.ifft2(transformed[:, None] * bank.filters)
        amplitudes = np.abs(responses)
        total = responses.sum(axis=1)
        mean_phase = total / (np.abs(total) + EPSILON)
        turned = responses * mean_phase.conj()[:, None]
        energy = (turned.real - np.abs(turned.imag)).sum(axis=1)
        threshold = _noise(amplitudes[:, 0], bank)
        total_energy += np.maximum(energy - threshold[:, None, None], 0)
        total_amplitude += amplitudes.sum(axis=1)
    whole = total_amplitude > 0  # an image of one value has no waves
    congruent: Images = np.where(whole, total_energy / np.where(whole, total_amplitude, 1), 0)
    return congruent


def _noise(finest: Images, bank: _Bank) -> Images:
    """The energy that noise alone may have, by the amplitudes (n, height, width) of the finest.

    Amplitudes of noise have a Rayleigh distribution, whose median gives its mean.
    """
    median = np.median(finest**2, axis=(1, 2))
    power = median / np.log(2)
    squared = 2 * power * bank.own_power + 4 * power * bank.joint_power
    tau = np.sqrt(squared / 2)
    mean, deviation = tau * np.sqrt(np.pi / 2), tau * np.sqrt(2 - np.pi / 2)
    threshold: Images = (mean + NOISE_DEVIATIONS * deviation) / NOISE_SCALE
    return threshold


@functools.lru_cache(maxsize=4)
def _banks(height: int, width: int) -> tuple[_Bank, ...]:
    """The filters of each orientation for images of this size."""
    down, across = (
        np.fft.ifftshift((np.arange(side) - side // 2) / side) for side in (height, width)
    )
    radius = np.hypot(down[:, None], across)
    angle = np.arctan2(-down[:, None], across)
    radius[0, 0] = 1  # its logarithm is taken; the filters are 0 there
    low_pass = 1 / (1 + (radius / CUT_OFF) ** (2 * SHARPNESS))
    radial = []
    for scale in range(SCALES):
        centre = 1 / (SHORTEST_WAVE * FACTOR**scale)
        gabor = np.exp(-(np.log(radius / centre) ** 2) / (2 * np.log(BANDWIDTH) ** 2)) * low_pass
        gabor[0, 0] = 0
        radial.append(gabor)
    deviation = np.pi / ORIENTATIONS / SPREAD
    banks = []
    for orientation in range(ORIENTATIONS):
        apart = angle - orientation * np.pi / ORIENTATIONS
        apart = np.abs(np.arctan2(np.sin(apart), np.cos(apart)))
        angular = np.exp(-(apart**2) / (2 * deviation**2))
        filters = np.stack(radial) * angular
        kernels = np.fft.ifft2(filters).real * np.sqrt(height * width)
        finest = (filters[0] ** 2).sum()
        own = (kernels**2).sum()
        joint = (kernels.sum(axis=0) ** 2).sum() - own  # each two of them twice
        banks.append(_Bank(filters, float(own / finest), float(joint / 2 / finest)))
    return tuple(banks)
