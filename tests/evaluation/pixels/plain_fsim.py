"""FSIM by the steps of its paper, an image and a filter at a time: the oracle."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def phase_congruency(image: Any) -> Any:
    rows, columns = image.shape
    transformed = np.fft.fft2(image)
    energies, amplitudes = np.zeros(image.shape), np.zeros(image.shape)
    for turn in range(4):
        filters = [_filter(rows, columns, scale, turn * math.pi / 4) for scale in range(4)]
        responses = [np.fft.ifft2(transformed * one) for one in filters]
        even = sum(response.real for response in responses)
        odd = sum(response.imag for response in responses)
        length = np.sqrt(even**2 + odd**2) + 1e-4
        mean_even, mean_odd = even / length, odd / length
        energy = np.zeros(image.shape)
        for one in responses:
            energy += one.real * mean_even + one.imag * mean_odd
            energy -= np.abs(one.real * mean_odd - one.imag * mean_even)
        power = -np.median(np.abs(responses[0]) ** 2) / math.log(0.5) / (filters[0] ** 2).sum()
        spatial = [np.fft.ifft2(one).real * math.sqrt(rows * columns) for one in filters]
        own = sum((one**2).sum() for one in spatial)
        joint = sum(
            (spatial[first] * spatial[second]).sum()
            for first in range(4)
            for second in range(first + 1, 4)
        )
        tau = math.sqrt((2 * power * own + 4 * power * joint) / 2)
        threshold = tau * math.sqrt(math.pi / 2) + 2 * math.sqrt((2 - math.pi / 2) * tau**2)
        energies += np.maximum(energy - threshold / 1.7, 0)
        amplitudes += sum(np.abs(one) for one in responses)
    return energies / amplitudes


def _filter(rows: int, columns: int, scale: int, orientation: float) -> Any:
    made = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            y = (row if row < rows / 2 else row - rows) / rows
            x = (column if column < columns / 2 else column - columns) / columns
            radius = math.hypot(x, y)
            if radius == 0:
                continue
            wanted = 1 / (6 * 2**scale)
            radial = math.exp(-(math.log(radius / wanted) ** 2) / (2 * math.log(0.55) ** 2))
            radial /= 1 + (radius / 0.45) ** 30
            apart = abs(math.atan2(-y, x) - orientation)
            apart = min(apart, 2 * math.pi - apart)
            made[row, column] = radial * math.exp(-(apart**2) / (2 * (math.pi / 4 / 1.2) ** 2))
    return made


def gradient(image: Any) -> Any:
    rows, columns = image.shape
    padded = np.pad(image, 1)
    made = np.zeros(image.shape)
    for row in range(rows):
        for column in range(columns):
            around = padded[row : row + 3, column : column + 3]
            across = (np.array([[3, 0, -3], [10, 0, -10], [3, 0, -3]]) / 16 * around).sum()
            down = (np.array([[3, 10, 3], [0, 0, 0], [-3, -10, -3]]) / 16 * around).sum()
            made[row, column] = math.sqrt(across**2 + down**2)
    return made


def fsim(one: Any, other: Any) -> float:
    phases, gradients = (
        [step(image) for image in (one, other)] for step in (phase_congruency, gradient)
    )
    (p1, p2), (g1, g2) = phases, gradients
    alike = (2 * p1 * p2 + 0.85) / (p1**2 + p2**2 + 0.85)
    alike *= (2 * g1 * g2 + 160) / (g1**2 + g2**2 + 160)
    weights = np.maximum(p1, p2)
    return float((alike * weights).sum() / weights.sum())
