"""The source images that targets copy."""

from __future__ import annotations

import os
from typing import Sequence

import numpy as np

from memscan.hamming import Hashes
from memscan.metric import HAMMING, Metric
from memscan.records import Finding
from memscan.report import CopiedSource
from memscan.table import HashTable, as_integer, as_keys


def most_copied(
    findings: Sequence[Finding], sources: HashTable, metric: Metric = HAMMING
) -> tuple[CopiedSource, ...]:
    """The sources that targets copy, those copied by most first, then by path.

    ``metric`` says what of a hash names an image.
    """
    targets: dict[str, list[str]] = {}
    for finding in findings:
        if finding.is_copy:
            targets.setdefault(finding.matches[0].source, []).append(finding.target)
    rows = sources.positions(targets)
    names = metric.names(sources.hashes)
    counts = _count_same(names, list(rows.values()))
    ranked = sorted(targets, key=lambda path: (-len(targets[path]), os.fsencode(path)))
    return tuple(
        CopiedSource(path, as_integer(names[rows[path]]), counts[rows[path]], tuple(targets[path]))
        for path in ranked
    )


def _count_same(hashes: Hashes, rows: Sequence[int]) -> dict[int, int]:
    """For some rows of a table, how many of all rows have the same hash."""
    if not rows:
        return {}
    keys = as_keys(hashes)
    wanted = np.unique(keys[rows])
    places = np.searchsorted(wanted, keys)
    places[places == len(wanted)] = 0
    counts = np.bincount(places[wanted[places] == keys], minlength=len(wanted))
    return dict(zip(rows, counts[np.searchsorted(wanted, keys[rows])].tolist()))
