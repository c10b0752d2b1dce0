"""The closest sources of targets over all views of both."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np
import numpy.typing as npt

from memscan.hamming import Distances, Positions
from memscan.metric import HAMMING, Metric, none_of
from memscan.records import View
from memscan.table import HashTable


class Matches(NamedTuple):
    """The closest sources of M targets, each source once, in the views in which they met closest.

    ``positions``, ``distances`` and ``views`` have shape (M, count), the closest first, -1 and
    :func:`memscan.metric.none_of` where there are no more; ``views`` are numbers into ``names``.
    ``within``, of shape (M,), counts the sources inside the radius in the full views.
    """

    positions: Positions
    distances: Distances
    views: Positions
    names: tuple[View, ...]
    within: npt.NDArray[np.int64]


def nearest(
    targets: HashTable,
    sources: HashTable,
    target_views: Sequence[str],
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
    jobs: int | None = None,
    metric: Metric = HAMMING,
) -> Matches:
    """The ``count`` closest sources of each target in any pair of views.

    ``target_views`` are those of the targets, the full one first; of the sources all are taken.
    ``excluded`` is as in :func:`memscan.hamming.nearest`, ``radius`` in units of the ``metric``. Of
    equal distances the source at the lower position comes first, and of its views the first one.
    """
    queries = np.concatenate([targets.column(name) for name in target_views])
    left_out = None if excluded is None else np.tile(excluded, len(target_views))
    source_views = ("full", *sources.view_names)
    names = tuple(View(target, source) for source in source_views for target in target_views)
    found = [
        metric.nearest(queries, sources.column(name), count, left_out, radius, jobs)
        for name in source_views
    ]
    within = found[0].within[: len(targets)]
    if len(names) == 1:
        plain = np.zeros_like(found[0].positions)
        return Matches(found[0].positions, found[0].distances, plain, names, within)
    shape = (len(source_views), len(target_views), len(targets), count)
    positions = np.array([part.positions for part in found]).reshape(shape)
    distances = np.array([part.distances for part in found]).reshape(shape)
    best = Matches(
        np.full((len(targets), count), -1, np.int64),
        np.full_like(distances[0, 0], none_of(distances)),
        np.zeros((len(targets), count), np.int64),
        names,
        within,
    )
    if count == 1:
        _take_closest(positions.reshape(-1, len(targets)), distances, best)
        return best
    ranks = np.repeat(np.arange(len(names)), count)
    for row in range(len(targets)):
        candidates, bits = positions[:, :, row].ravel(), distances[:, :, row].ravel()
        order = np.lexsort((ranks, candidates, bits))
        order = order[candidates[order] >= 0]
        _, first = np.unique(candidates[order], return_index=True)  # the best view of each source
        order = order[np.sort(first)][:count]
        best.positions[row, : len(order)] = candidates[order]
        best.distances[row, : len(order)] = bits[order]
        best.views[row, : len(order)] = ranks[order]
    return best


def _take_closest(positions: Positions, distances: Distances, best: Matches) -> None:
    """Fill in the one closest source of each target; ``positions`` has shape (views, M)."""
    distances = distances.reshape(positions.shape)
    # The least distance, of several the lowest position, of these the first view; none comes last.
    tied = distances == distances.min(axis=0)
    closest = np.where(tied, positions, np.iinfo(np.int64).max).argmin(axis=0)
    columns = np.arange(positions.shape[1])
    best.positions[:, 0] = positions[closest, columns]
    best.distances[:, 0] = distances[closest, columns]
    best.views[:, 0] = closest
