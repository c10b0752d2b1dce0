"""Multi-index hashing: the targets near a source, looked up by its four 16-bit words. numpy only.

Two hashes within ``radius`` bits are close in at least one word (the pigeonhole principle): of
radius = 4 a + b, within ``a`` bits in one of the first b + 1 words or within a - 1 bits in one of
the others. Norouzi, Punjani and Fleet, "Fast exact search in Hamming space with multi-index
hashing" (2014), index the table and look the targets up; here the few targets are indexed and
the table is looked up, so nothing is built over the table, and it may come from a disk.
"""

from __future__ import annotations

import math
from typing import Iterator, NamedTuple

import numpy as np
import numpy.typing as npt

from memscan import hamming
from memscan.hamming import ByteDistances, Hashes, Positions

WORDS, WORD_BITS = 4, 16
BUCKETS = 1 << WORD_BITS

TILE = 1 << 17
"""Sources looked up at a time. Each layer (512 KiB) comes into the second-level cache once for a
tile, so fewer cost more; more no longer fit in there beside it."""

CROWDED = 1 / 64
"""Share of all pairs in one word's buckets from which on comparing all pairs costs less."""

# Seconds, measured on one core at 2.6 GHz with numpy 2: a comparison with one target in every
# bucket, asking which buckets hold more, and a comparison with one of those; and what a target
# costs in one bucket while the index is made.
_LAYER, _ASKING, _REST, _PROBE = 2.2e-9, 2.4e-9, 4e-8, 6e-8


class Pairs(NamedTuple):
    """Targets and sources near each other: their rows and positions (int64), distances (uint8)."""

    rows: Positions
    positions: Positions
    distances: ByteDistances

    def chosen(self, which: npt.NDArray[np.bool_] | Positions) -> Pairs:
        """Some of the pairs, by a mask or in an order of their numbers."""
        return Pairs(self.rows[which], self.positions[which], self.distances[which])


NO_PAIRS = Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.uint8))


class _Word(NamedTuple):
    """The targets near each value of one 16-bit word of a source.

    ``rows`` and ``words`` hold the targets of all buckets, one bucket after the other; ``first``
    and ``sizes``, of shape (65536,), say where a bucket begins and how many it holds. ``layers``
    holds the first targets of each bucket once more, one array of shape (65536,) for each.
    """

    radius: int
    rows: Positions
    words: Hashes
    first: Positions
    sizes: Positions
    layers: tuple[Hashes, ...]
    deeper: npt.NDArray[np.bool_]


class _Found(NamedTuple):
    """What one word found: rows of targets, columns of the tile, and the bits that differ."""

    number: int
    rows: Positions
    columns: Positions
    differing: Hashes


class MultiIndex(NamedTuple):
    """Targets, M of them, that can be asked which lie within ``radius`` bits of many sources.

    ``seconds`` is what a source is expected to cost.
    """

    targets: Hashes
    radius: int
    seconds: float
    words: tuple[_Word, ...]

    @classmethod
    def build(cls, targets: Hashes, radius: int, sample: Hashes) -> MultiIndex:
        """Index the targets for a radius of 0 to 15 bits.

        ``sample`` are some of the sources: which buckets they meet decides how many targets of
        each bucket are compared with all sources at once. Memory: 64 bytes for each target and
        value that a word may take, of which there are 137 at 10 bits and 697 at 15.
        Raises ValueError for another radius.
        """
        if not 0 <= radius < WORD_BITS:
            raise ValueError(f"radius must lie between 0 and {WORD_BITS - 1}")
        words, seconds = [], 0.0
        for number, word_radius in enumerate(_radii(radius)):
            word, cost = _word(targets, number, word_radius, sample)
            words.append(word)
            seconds += cost
        return cls(targets, radius, seconds, tuple(words))

    def tiles(self, sources: Hashes) -> Iterator[tuple[int, Hashes, Pairs | None]]:
        """The sources (N,) a tile at a time: its first position, its hashes, and what is near.

        These are all pairs within the radius in the tile, each once, in no order; their positions
        are those in the tile. None instead of pairs if so many sources are so close to so many
        targets that comparing all of them is cheaper.
        """
        size = min(TILE, len(sources))  # memory that is used for each tile: new pages cost more
        buckets, differing = np.empty(size, np.int64), np.empty(size, np.uint64)
        bits, near = np.empty(size, np.uint8), np.empty(size, np.bool_)
        for start in range(0, len(sources), TILE):
            tile = sources[start : start + TILE]
            here = slice(len(tile))
            found = self._found(tile, buckets[here], differing[here], bits[here], near[here])
            yield start, tile, None if found is None else self._each_once(found)

    def _found(
        self,
        tile: Hashes,
        buckets: Positions,
        differing: Hashes,
        bits: ByteDistances,
        near: npt.NDArray[np.bool_],
    ) -> list[_Found] | None:
        """What each word finds in a tile; the other arrays are memory to work in."""
        parts = []
        most = CROWDED * len(self.targets) * len(tile)
        values = _words_of(tile)
        for number, word in enumerate(self.words):
            buckets[:] = values[:, number]
            for depth, layer in enumerate(word.layers):
                np.take(layer, buckets, out=differing, mode="clip")
                np.bitwise_xor(differing, tile, out=differing)
                hamming.count_bits(differing, out=bits)
                np.less_equal(bits, self.radius, out=near)
                columns = np.flatnonzero(near)
                if len(columns):
                    rows = word.rows[word.first[buckets[columns]] + depth]
                    parts.append(_Found(number, rows, columns, differing[columns]))
            np.take(word.deeper, buckets, out=near, mode="clip")
            rest = np.flatnonzero(near)
            if len(rest):
                own = buckets[rest]
                lengths = word.sizes[own] - len(word.layers)
                ends = np.cumsum(lengths)
                if ends[-1] > most:
                    return None
                places = np.repeat(word.first[own] + word.sizes[own] - ends, lengths)
                places += np.arange(len(places))
                others = word.words[places] ^ np.repeat(tile[rest], lengths)
                found = np.flatnonzero(hamming.distances(others, np.uint64(0)) <= self.radius)
                columns = rest[np.searchsorted(ends, found, side="right")]
                parts.append(_Found(number, word.rows[places[found]], columns, others[found]))
        return parts

    def _each_once(self, parts: list[_Found]) -> Pairs:
        """The pairs without those that a word found and one before it as well."""
        if not parts:
            return NO_PAIRS
        numbers = np.repeat([part.number for part in parts], [len(part.rows) for part in parts])
        differing = np.concatenate([part.differing for part in parts])
        new = np.ones(len(differing), np.bool_)
        values = _words_of(differing).astype(np.uint64)
        for number, word in enumerate(self.words[:-1]):
            close = hamming.distances(values[:, number], np.uint64(0)) <= word.radius
            new &= ~close | (numbers <= number)
        rows = np.concatenate([part.rows for part in parts])
        columns = np.concatenate([part.columns for part in parts])
        bits = hamming.count_bits(differing, np.empty(len(differing), np.uint8))
        return Pairs(rows, columns, bits).chosen(new)


def foreseen(targets: int, radius: int) -> tuple[float, float]:
    """Seconds to build an index, and for each source, before anything is known of the hashes."""
    probes = targets * sum(map(_ball_size, _radii(radius)))
    return probes * _PROBE, WORDS * _ASKING + probes / BUCKETS * 2 * _LAYER


def _radii(radius: int) -> list[int]:
    """The radius of each word that is needed: the first few are enough for fewer than 3 bits."""
    whole, more = divmod(radius, WORDS)
    radii = [whole if number <= more else whole - 1 for number in range(WORDS)]
    return [radius for radius in radii if radius >= 0]


def _ball_size(radius: int) -> int:
    return sum(math.comb(WORD_BITS, bits) for bits in range(radius + 1))


def _words_of(hashes: Hashes) -> npt.NDArray[np.uint16]:
    """The four words of each hash, of shape (N, 4), in the order of this machine's bytes."""
    return np.ascontiguousarray(hashes).view(np.uint16).reshape(-1, WORDS)


def _word(targets: Hashes, number: int, radius: int, sample: Hashes) -> tuple[_Word, float]:
    """The buckets of one word, and the seconds that a source is expected to cost in them."""
    values = np.arange(BUCKETS, dtype=np.uint64)
    ball = np.flatnonzero(hamming.distances(values, np.uint64(0)) <= radius).astype(np.uint16)
    keys = (_words_of(targets)[:, number, None] ^ ball).ravel()
    order = np.argsort(keys, kind="stable")
    rows = order // len(ball)
    words = targets[rows]
    sizes = np.bincount(keys, minlength=BUCKETS)
    first = np.cumsum(sizes) - sizes
    met = np.bincount(_words_of(sample)[:, number], minlength=BUCKETS)
    depth, seconds = _cheapest_depth(np.bincount(sizes, weights=met) / max(1, len(sample)))
    # A bucket without a target gets a hash that differs from every source in it by 16 bits.
    far = np.zeros(BUCKETS, np.uint64)
    _words_of(far)[:, number] = ~values.astype(np.uint16)
    layers = []
    for layer in range(depth):
        filled = sizes > layer
        layers.append(far.copy())
        layers[-1][filled] = words[first[filled] + layer]
    return _Word(radius, rows, words, first, sizes, tuple(layers), sizes > depth), seconds


def _cheapest_depth(shares: npt.NDArray[np.float64]) -> tuple[int, float]:
    """How many layers cost a source least, and how many seconds.

    ``shares[n]`` is the share of the sources whose bucket holds n targets.
    """
    sizes = np.arange(len(shares))
    costs = [
        depth * _LAYER + _ASKING + _REST * float(shares @ np.maximum(sizes - depth, 0))
        for depth in range(len(shares))
    ]
    depth = int(np.argmin(costs))
    return depth, costs[depth]
