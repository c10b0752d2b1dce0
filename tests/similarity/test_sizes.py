from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

import pytest

from memscan.errors import InputError
from memscan.similarity import sizes


class Usage(NamedTuple):
    free: int


def test_the_size_is_said_before() -> None:
    assert sizes.sentence(2000, 50_000, "m.npz", "npz") == (
        "m.npz: 2,000 targets x 50,000 sources are 100,000,000 scores, about 400 MB"
    )
    assert sizes.sentence(1, 3, "m.npz", "npz").endswith("3 scores, about 12 bytes")
    assert sizes.sentence(1, 1000, "m.parquet", "parquet").endswith("about 6 kB")


def test_absurd_matrices_are_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "m.npz")
    sizes.require_room(10, 10, path, "npz")
    with pytest.raises(InputError, match="are 1,000,000,000,000 scores, and a matrix may have"):
        sizes.require_room(1_000_000, 1_000_000, path, "npz")


def test_a_matrix_must_fit_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(4000))
    path = str(tmp_path / "m.npz")
    sizes.require_room(10, 100, path, "npz")
    with pytest.raises(InputError, match=r"of 4\.04 kB, but there is room for 4 kB"):
        sizes.require_room(10, 101, path, "npz")
