from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan.stamps import Stamp, digest, is_same, settled


def test_a_file_changed_this_moment_is_not_settled(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    stamp = Stamp.of(str(tmp_path / "file"))
    assert stamp is not None
    now = max(stamp.mtime, stamp.ctime)
    assert not stamp.is_settled(now + 1_000_000)
    assert stamp.is_settled(now + 50_000_000)
    coarse = stamp._replace(mtime=5_000_000_000, ctime=5_000_000_000)
    assert not coarse.is_settled(6_500_000_000), "a file system that counts in seconds"
    assert coarse.is_settled(7_500_000_000)


def test_only_a_settled_stamp_may_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.touch()
    stamp = Stamp.of(str(path))
    assert stamp is not None
    changed = max(stamp.mtime, stamp.ctime)
    monkeypatch.setattr("time.time_ns", lambda: changed + 1_000_000)
    assert settled(str(path)) is None
    monkeypatch.setattr("time.time_ns", lambda: changed + 5_000_000_000)
    assert settled(str(path)) == stamp
    assert settled(str(tmp_path / "nothing")) is None


def test_what_is_not_there_has_no_stamp(tmp_path: Path) -> None:
    assert Stamp.of(str(tmp_path / "nothing")) is None
    assert Stamp.of("nul\0byte") is None


@pytest.mark.parametrize("change", ["none", "size", "mtime", "ctime", "inode", "gone"])
def test_is_same_compares_stamps(tmp_path: Path, change: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    stamp = Stamp.of(str(path))
    assert stamp is not None
    if change == "gone":
        path.unlink()
    elif change != "none":
        stamp = stamp._replace(**{change: getattr(stamp, change) + 1})
    entry = (-1, *stamp, -1)
    assert is_same(str(path), entry) == (Stamp.of(str(path)) == stamp) == (change == "none")
    assert os.path.exists(path) == (change != "gone")


def test_a_digest_tells_changes_of_size_and_time_and_files_that_come(tmp_path: Path) -> None:
    paths = [str(tmp_path / name) for name in "ab"]
    seen = [digest(paths)]
    for name, content, time in (("a", "x", 5), ("b", "x", 5), ("b", "y", 6), ("b", "yy", 6)):
        (tmp_path / name).write_text(content)
        os.utime(tmp_path / name, ns=(time, time))
        assert digest(paths) == digest(paths)
        seen.append(digest(paths))
    seen.append(digest(paths[::-1]))
    assert len(set(seen)) == len(seen)
