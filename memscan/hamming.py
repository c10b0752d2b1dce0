"""Exact neighbours of packed hashes under the Hamming distance. numpy only.

Hashes are ``uint64``: an array of shape (N,) for hashes of one word, 64 bits, or (N, W) for hashes
of W words. Distances are ``uint8`` for one word and ``uint16`` for several, since 256 bits can
differ in all 256.
"""

from __future__ import annotations

from typing import Iterator, NamedTuple, Union

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]
Distances = npt.NDArray[Union[np.uint8, np.uint16, np.int32]]
"""Of hashes in bytes or pairs of bytes; of embeddings (:mod:`memscan.cosine`) in four."""
ByteDistances = npt.NDArray[np.uint8]
"""Distances of hashes of one word."""
Positions = npt.NDArray[np.int64]

BITS = 64

# Hashes compared at a time. Fewer, and threads wait for the interpreter lock between the calls;
# more, and a tile (up to 1 MiB) no longer stays in a core's second-level cache.
TILE_TARGETS, TILE_SOURCES, TILE_SOURCES_OF_FEW = 8, 1 << 14, 1 << 15


class Neighbours(NamedTuple):
    """The closest sources of M targets.

    ``positions`` (int64) and ``distances`` have shape (M, count), the closest first, -1 and
    :func:`no_distance` where there are no more. ``within`` (int64), of shape (M,), counts the
    sources inside the radius.
    """

    positions: Positions
    distances: Distances
    within: npt.NDArray[np.int64]


class Near(NamedTuple):
    """The hashes within a radius of another one: their positions, which rise, and distances."""

    positions: Positions
    distances: npt.NDArray[np.int64]


def bits(hashes: Hashes) -> int:
    """The number of bits of each hash, and the largest distance."""
    return BITS if hashes.ndim == 1 else BITS * hashes.shape[1]


def distance_type(hashes: Hashes) -> type[np.uint8] | type[np.uint16]:
    """The dtype of the distances of such hashes."""
    return np.uint8 if hashes.ndim == 1 else np.uint16


def no_distance(hashes: Hashes) -> int:
    """What stands where there is no neighbour, together with position -1."""
    return int(np.iinfo(distance_type(hashes)).max)


def distances(hashes: Hashes, hash: np.uint64 | Hashes) -> Distances:
    """The number of bits in which ``hash``, a row of such hashes, differs from each of them."""
    counts = count_bits(hashes ^ hash, out=np.empty(hashes.shape, np.uint8))
    return counts if hashes.ndim == 1 else counts.sum(axis=1, dtype=np.uint16)


def count_bits(words: Hashes, out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The number of set bits (0 to 64) in each word, written to ``out`` of the same shape."""
    return _popcount(words, out=out)


def nearest(
    targets: Hashes,
    sources: Hashes,
    count: int = 1,
    excluded: Positions | None = None,
    radius: int = 0,
) -> Neighbours:
    """The ``count`` closest sources of each target, and how many lie within ``radius`` bits.

    ``targets`` and ``sources`` hold M and N hashes; ``excluded``, of shape (M,), names for each
    target one position in ``sources`` to leave out, or -1. Of equal distances the lower position
    comes first.
    """
    if count < 1:
        raise ValueError("count must be at least 1")
    positions = np.full((len(targets), count), -1, np.int64)
    nothing, dtype = no_distance(sources), distance_type(sources)
    closest = np.full((len(targets), count), nothing, dtype)
    within = np.zeros(len(targets), np.int64)
    worst = np.full(len(targets), nothing, dtype)  # the last column of closest
    for row, start, found in _tiles(targets, sources):
        rows = slice(row, row + len(found))
        if excluded is not None:
            own = excluded[rows] - start
            (inside,) = np.nonzero((own >= 0) & (own < found.shape[1]))
            found[inside, own[inside]] = nothing
        least = np.minimum.reduce(found, axis=1)
        for line in np.flatnonzero(least <= radius).tolist():
            within[row + line] += np.count_nonzero(found[line] <= radius)
        # Strictly closer only: a later source never displaces an earlier one at its distance.
        if count == 1:
            lines = np.flatnonzero(least < worst[rows])
            if len(lines):
                positions[row + lines, 0] = found[lines].argmin(axis=1) + start
                closest[row + lines, 0] = worst[row + lines] = least[lines]
            continue
        for line in np.flatnonzero(least < worst[rows]).tolist():
            better = np.flatnonzero(found[line] < worst[row + line])
            merged = np.concatenate([closest[row + line], found[line, better]])
            order = np.argsort(merged, kind="stable")[:count]
            closest[row + line] = merged[order]
            worst[row + line] = closest[row + line, -1]
            positions[row + line] = np.concatenate([positions[row + line], better + start])[order]
    return Neighbours(positions, closest, within)


def near_any(targets: Hashes, sources: Hashes, radius: int) -> npt.NDArray[np.bool_]:
    """Which of N sources lie within ``radius`` bits, inclusive, of any target; shape (N,)."""
    near = np.zeros(len(sources), np.bool_)
    for _, start, found in _tiles(targets, sources):
        near[start : start + found.shape[1]] |= np.minimum.reduce(found, axis=0) <= radius
    return near


def pairs_within(hashes: Hashes, first: int, last: int, radius: int) -> tuple[Positions, Positions]:
    """The pairs (i, j) with first <= i < last and i < j that differ in ``radius`` bits or less."""
    left, right = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for row, start, found in _tiles(hashes[first:last], hashes[first:]):
        if start + found.shape[1] <= row:  # below the diagonal
            continue
        if np.minimum.reduce(found, axis=None) <= radius:
            lines, columns = np.nonzero(found <= radius)
            above = columns + start > lines + row
            left.append(lines[above] + row + first)
            right.append(columns[above] + start + first)
    return np.concatenate(left), np.concatenate(right)


def histograms(targets: Hashes, sources: Hashes) -> npt.NDArray[np.int64]:
    """How many sources lie at each distance of each target, of shape (M, bits + 1)."""
    counts = np.zeros((len(targets), bits(sources) + 1), np.int64)
    for row, _, found in _tiles(targets, sources):
        for line, values in enumerate(found):
            counts[row + line] += np.bincount(values, minlength=counts.shape[1])
    return counts


def _tiles(targets: Hashes, sources: Hashes) -> Iterator[tuple[int, int, Distances]]:
    """The distances of all pairs, a tile at a time: its first target, its first source, and both.

    Each tile is overwritten by the next.
    """
    width = TILE_SOURCES if len(targets) >= TILE_TARGETS else TILE_SOURCES_OF_FEW
    words = np.empty((TILE_TARGETS, width), np.uint64)
    counts = np.empty((TILE_TARGETS, width), np.uint8)
    sums = np.empty((TILE_TARGETS, width), distance_type(sources))
    for start in range(0, len(sources), width):
        block = _by_word(sources[start : start + width])
        for row in range(0, len(targets), TILE_TARGETS):
            some = _by_word(targets[row : row + TILE_TARGETS])[:, :, None]
            tile = slice(some.shape[1]), slice(block.shape[1])
            differing, found, total = words[tile], counts[tile], sums[tile]
            _popcount(np.bitwise_xor(block[0], some[0], out=differing), out=found)
            if len(block) == 1:
                yield row, start, found
                continue
            total[:] = found
            for ours, theirs in zip(some[1:], block[1:]):
                _popcount(np.bitwise_xor(theirs, ours, out=differing), out=found)
                total += found
            yield row, start, total


def _by_word(hashes: Hashes) -> Hashes:
    """The hashes with an axis for their words in front, of shape (W, N)."""
    return hashes[None] if hashes.ndim == 1 else np.ascontiguousarray(hashes.T)


_BITS_OF_16 = np.zeros(1, np.uint8)
for _ in range(16):  # those of twice as many numbers, the later ones with one bit more
    _BITS_OF_16 = np.concatenate([_BITS_OF_16, _BITS_OF_16 + np.uint8(1)])


def _popcount_by_table(words: Hashes, out: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The number of set bits in each word, for numpy before 2.0, which has no bitwise_count."""
    quarters = np.ascontiguousarray(words).view(np.uint16).reshape((*words.shape, 4))
    return _BITS_OF_16[quarters].sum(axis=-1, dtype=np.uint8, out=out)


_popcount = getattr(np, "bitwise_count", _popcount_by_table)
