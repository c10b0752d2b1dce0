"""Whether two thumbnails show the same picture: align one to the other and compare the edges.

A hash says that two images may be the same; this looks at their pixels. The second is warped by
an affine map (shift, scale, turn, shear), found together with gain and offset of its grey levels
by Gauss-Newton steps from coarse to fine (Lucas and Kanade 1981, as Baker and Matthews put it in
IJCV 56, 2004), and the score is the correlation of the gradients where both overlap.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SIDE = 64
"""Pixels a side of the thumbnails that are compared."""

_BLURS = (8, 2)  # passes of a 1-2-1 kernel, coarse first
_STEPS = 12
_LONGEST_STEP, _FURTHEST = 1.5, 8.0  # pixels
_SETTLED = 0.02  # pixels
_LEAST_GAIN = 0.1
_LEAST_OVERLAP = 0.5  # of the thumbnail
_RIDGE = 1e-3

Floats = npt.NDArray[np.float64]

_ROWS, _COLUMNS = (grid.astype(np.float64) for grid in np.mgrid[0:SIDE, 0:SIDE])
_ACROSS, _DOWN = (2 * grid / SIDE - (SIDE - 1) / SIDE for grid in (_COLUMNS, _ROWS))
_AFFINE = np.stack([np.ones_like(_ACROSS), _ACROSS, _DOWN])


def similarity(one: Floats, other: Floats) -> float:
    """The correlation, from -1 to 1, of the edges of two grey thumbnails once they are aligned.

    Both have shape (64, 64). 0 where nothing can be said: a flat thumbnail, or too little overlap.
    """
    motion = _align(one, other)
    warped, inside = _warp(_smooth(other, 1), motion)
    if inside.mean() < _LEAST_OVERLAP:
        return 0.0
    whole = inside[:-1, :-1] & inside[1:, :-1] & inside[:-1, 1:]
    return _correlation(_edges(_smooth(one, 1), whole), _edges(warped, whole))


def _align(one: Floats, other: Floats) -> Floats:
    """The affine motion that brings ``other`` onto ``one``, of shape (2, 3): columns, rows."""
    motion = np.zeros((2, 3))
    for blur in _BLURS:
        still, moving = _smooth(one, blur), _smooth(other, blur)
        slope_down: Floats = np.gradient(moving, axis=0)
        slope_across: Floats = np.gradient(moving, axis=1)
        for _ in range(_STEPS):
            warped, inside = _warp(moving, motion)
            across, down = _warp(slope_across, motion)[0], _warp(slope_down, motion)[0]
            parts = [*(across * _AFFINE), *(down * _AFFINE), np.ones_like(warped), warped]
            jacobian = np.stack(parts, axis=-1)[inside]
            if len(jacobian) == 0:
                return motion
            # still = gain * warped + offset + gain * (slopes * step), linear in all unknowns
            normal = jacobian.T @ jacobian + _RIDGE * len(jacobian) * np.eye(len(parts))
            solution = np.linalg.solve(normal, jacobian.T @ still[inside])
            gain = max(abs(float(solution[-1])), _LEAST_GAIN)
            step = np.clip(solution[:6].reshape(2, 3) / gain, -_LONGEST_STEP, _LONGEST_STEP)
            motion = np.clip(motion + step, -_FURTHEST, _FURTHEST)
            if np.abs(step).max() < _SETTLED:
                break
    return motion


def _warp(grey: Floats, motion: Floats) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The thumbnail moved, by bilinear interpolation, and which of its pixels were inside."""
    columns = _COLUMNS + np.tensordot(motion[0], _AFFINE, 1)
    rows = _ROWS + np.tensordot(motion[1], _AFFINE, 1)
    inside = (columns >= 0) & (columns <= SIDE - 1) & (rows >= 0) & (rows <= SIDE - 1)
    columns, rows = np.clip(columns, 0, SIDE - 1), np.clip(rows, 0, SIDE - 1)
    left = np.minimum(columns.astype(np.intp), SIDE - 2)
    upper = np.minimum(rows.astype(np.intp), SIDE - 2)
    right_share, lower_share = columns - left, rows - upper
    above = grey[upper, left] * (1 - right_share) + grey[upper, left + 1] * right_share
    below = grey[upper + 1, left] * (1 - right_share) + grey[upper + 1, left + 1] * right_share
    return above * (1 - lower_share) + below * lower_share, inside


def _smooth(grey: Floats, passes: int) -> Floats:
    for _ in range(passes):
        for axis in (0, 1):
            first, last = (np.take(grey, [end], axis=axis) for end in (0, -1))
            padded = np.concatenate([first, grey, last], axis=axis)
            before, after = (
                np.take(padded, np.arange(start, start + SIDE), axis=axis) for start in (0, 2)
            )
            grey = (before + 2 * grey + after) / 4
    return grey


def _edges(grey: Floats, whole: npt.NDArray[np.bool_]) -> Floats:
    across, down = np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]
    return np.concatenate([across[whole], down[whole]])


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    norm = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / norm if norm > 1e-9 else 0.0
