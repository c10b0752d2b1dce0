"""A collection of everything that can be hashed, and what a table of it must hold."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

import pytest

from memscan import decode
from memscan.encoders import KNOWN
from memscan.recipe import hash_decoded
from memscan.records import HashedImage
from memscan.views import of_source
from tests.sources.archives import IMAGES, png, tar, zipped

ROOTS = ["loose", "shards/*.tar", "more.zip", "rows.parquet"]
"""The sources of :func:`mixture`, below its folder."""


def settle() -> None:
    """Let the clock of the file system tick, so that what was written is known from now on."""
    time.sleep(0.03)


def tars(folder: Path, count: int, images: int = 3, first: int = 0) -> None:
    """So many archives, no two of which share a name or an image."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        seeds = range(number * images, (number + 1) * images)
        (folder / f"{number:03}.tar").write_bytes(tar({f"{s:05}.png": png(s) for s in seeds}))
    settle()


def mixture(folder: Path) -> tuple[dict[str, bytes], set[str]]:
    """Files, tar, zip and Parquet; gives the bytes of each image by its name, and what is lost."""
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    from pyarrow import parquet

    images = {f"loose/{name}": png(seed) for seed, name in enumerate(["a.png", "b/c.png", "z.png"])}
    for name, data in images.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "loose/broken.png").write_bytes(b"broken")
    os.symlink("nowhere", folder / "loose/link.png")
    tars(folder / "shards", 2, first=10)
    for number in (10, 11):
        for seed in range(number * 3, number * 3 + 3):
            images[f"tar://{seed:05}.png::shards/{number:03}.tar"] = png(seed)
    (folder / "shards/012.tar").write_bytes(tar({"x.png": b"no image"}))
    (folder / "more.zip").write_bytes(zipped(IMAGES))
    images.update({f"zip://{name}::more.zip": data for name, data in IMAGES.items()})
    rows = [{"bytes": png(80), "path": None}, {"bytes": png(81), "path": None}]
    parquet.write_table(pa.table({"image": rows}), folder / "rows.parquet")
    images.update({f"parquet://image/{row}::rows.parquet": png(80 + row) for row in (0, 1)})
    settle()
    return images, {"loose/broken.png", "loose/link.png", "tar://x.png::shards/012.tar"}


def hashed(data: bytes, hash: str, views: str) -> HashedImage:
    """An image hashed by itself."""
    (image,) = hash_decoded([decode.open_bytes(data)], KNOWN[hash], of_source(views))
    return image


def files(table: Path) -> dict[str, bytes]:
    """The files of a table, without what is hidden."""
    return {p.name: p.read_bytes() for p in table.iterdir() if not p.name.startswith(".")}


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The shards whose images are read from now on; for work that is done in this process."""
    from memscan.indexing import work

    seen: list[str] = []
    original: Callable[[dict[str, Any]], Any] = work._found

    def found(request: dict[str, Any]) -> Any:
        seen.append(request["shard"]["name"])
        return original(request)

    monkeypatch.setattr(work, "_found", found)
    return seen
