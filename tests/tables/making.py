"""Rows and tables made by code."""

from __future__ import annotations

from pathlib import Path
from typing import Collection, Sequence

import numpy as np

from memscan.tables import finishing, manifest, part
from memscan.tables.identity import Encoder, Json, Shard
from memscan.tables.part import Header, Part
from memscan.tables.rows import Rows

PLAIN = Encoder("phash-64", "exact", "phash-64 decode=exact Pillow=12 imagehash=4")
LIBRARIES = {"Pillow": "12.0.0", "imagehash": "4.3.2", "numpy": "2.0.0"}


def rows(
    names: Sequence[str], lost: Collection[str] = (), views: int = 0, words: int = 1, seed: int = 0
) -> Rows:
    """Random rows of these names, those in ``lost`` without a hash."""
    draw = np.random.default_rng([seed, len(names)])
    count = len(names)
    return Rows(
        names,
        draw.integers(0, 1 << 64, (count, words), np.uint64),
        draw.random(count) < 0.3,
        draw.integers(1, 5000, count).astype(np.uint32),
        draw.integers(1, 5000, count).astype(np.uint32),
        [f"cannot read {name}" if name in lost else None for name in names],
        ["decode" if name in lost else None for name in names],
        draw.integers(0, 1 << 64, (count, views, words), np.uint64),
    )


def header(
    shard: str = "00000.tar", encoder: Encoder = PLAIN, stamp: Json = None, **libraries: str
) -> Header:
    """What a part of this shard says about itself."""
    return Header("0.9.0", encoder, {**LIBRARIES, **libraries}, Shard(shard, stamp))


def write(directory: Path, shard: str, batches: Sequence[Rows], **of_header: object) -> Part:
    """The part of a shard under the name that it should have."""
    made = header(shard, **of_header)  # type: ignore[arg-type]
    directory.mkdir(exist_ok=True)
    return part.write_part(str(directory / made.shard.part_name), batches, made)


def finish(
    directory: Path,
    encoder: Encoder = PLAIN,
    failed: Sequence[manifest.FailedShard] = (),
    options: dict[str, Json] | None = None,
) -> manifest.Manifest:
    """Write the manifest of all parts in a directory."""
    names = manifest.part_names(str(directory))
    return finishing.finish(
        str(directory), names, "0.9.0", encoder, options or {"max_pixels": 100}, failed
    )


def table(directory: Path, shards: Sequence[Sequence[str]], **of_rows: object) -> Path:
    """A table of shards with these names, each with hashes of its own."""
    for number, names in enumerate(shards):
        some = rows(names, seed=number, **of_rows)  # type: ignore[arg-type]
        write(directory, f"{number:05d}.tar", [some])
    finish(directory)
    return directory
