"""All kinds of places at once: one table, whatever does the work and in whatever order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from memscan import Cache, InputError, detect, intake, views
from memscan.collection import Collected, collect
from memscan.crew import Crew, WorkerError
from memscan.encoders import KNOWN
from memscan.intake import Intake
from memscan.records import Failure, Stage
from memscan.sources import items
from memscan.sources.directories import Listing, Selection
from memscan.sources.given import list_images
from tests.drawing import picture, save
from tests.sources.archives import IMAGES, gz, png, tar, zipped

BROKEN = {**IMAGES, "bad.png": b"no image", "\x1b\n.png": png(7)}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Loose files and containers, some of them with members that cannot be read."""
    monkeypatch.chdir(tmp_path)
    for seed in range(4):
        save(picture(seed), Path(f"z/{seed}.png"))
    Path("b.tar").write_bytes(tar(BROKEN))
    Path("a.tgz").write_bytes(gz(tar(IMAGES)))
    Path("c.zip").write_bytes(zipped(BROKEN))
    Path("cut.tar").write_bytes(tar(IMAGES)[:1800])
    return ["z", "c.zip", "b.tar", "cut.tar", "a.tgz"]


def listed(places: list[str]) -> list[Listing]:
    return list_images(places, Selection(), "source")


def assert_equal(one: Collected, other: Collected) -> None:
    assert list(one.table.paths) == list(other.table.paths)
    assert np.array_equal(one.table.hashes, other.table.hashes)
    assert np.array_equal(one.table.views, other.table.views)
    assert np.array_equal(one.table.low_information, other.table.low_information)
    assert np.array_equal(one.table.qualities, other.table.qualities)
    assert one.failures == other.failures
    assert one.counts == other.counts
    assert one.volumes == other.volumes


def test_the_table_is_in_bytewise_order(places: list[str]) -> None:
    found = collect(listed(places), Intake(), "")
    names = [os.fsencode(path) for path in found.table.paths]
    assert names == sorted(names)
    assert found.counts["a.tgz"] == (5, 5, ())
    assert found.counts["b.tar"][:2] == (7, 6)
    assert [failure.path for failure in found.failures] == [
        "cut.tar",
        "tar://bad.png::b.tar",
        "zip://bad.png::c.zip",
    ]
    assert collect(listed(places[::-1]), Intake(), "").table.paths == found.table.paths


def test_by_listing_each_place_keeps_its_turn(places: list[str]) -> None:
    found = collect(listed(places), Intake(), "", by_listing=True)
    turns = [path.rpartition("::")[2].partition("/")[0] for path in found.table.paths]
    assert list(dict.fromkeys(turns)) == ["z", "c.zip", "b.tar", "cut.tar", "a.tgz"]
    for turn in set(turns):
        of_turn = [os.fsencode(p) for p, name in zip(found.table.paths, turns) if name == turn]
        assert of_turn == sorted(of_turn)


@pytest.mark.parametrize("hash", ["phash", "pdq"])
@pytest.mark.parametrize("level", ["plain", "training"])
def test_who_does_the_work_does_not_show(
    places: list[str], hash: str, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: Any = {"encoder": KNOWN[hash], "view_set": views.of_source(level)}
    expected = collect(listed(places), Intake(jobs=1), "", **options)
    assert_equal(collect(listed(places), Intake(jobs=3), "", **options), expected)
    asked: list[str] = []
    ask = Crew.ask

    def noted(self: Crew, request: Any) -> Any:
        asked.append(request["container"])
        return ask(self, request)

    monkeypatch.setattr(Crew, "ask", noted)
    monkeypatch.setattr(intake, "PROCESSES_FROM_BYTES", 1)
    assert_equal(collect(listed(places), Intake(jobs=2), "", **options), expected)
    assert sorted(asked) == ["a.tgz", "b.tar", "c.zip", "cut.tar"]


def test_a_container_that_brings_its_process_down_is_a_failure(
    places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "PROCESSES_FROM_BYTES", 1)
    ask = Crew.ask

    def ask_or_crash(self: Crew, request: Any) -> Any:
        if request["container"] == "c.zip":
            raise WorkerError
        return ask(self, request)

    monkeypatch.setattr(Crew, "ask", ask_or_crash)
    found = collect(listed(places), Intake(jobs=2), "")
    lost = Failure("c.zip", Stage.READ, "the process that read it came to an end")
    assert found.counts["c.zip"] == (1, 0, (lost,))
    assert lost in found.failures
    assert found.counts["a.tgz"].hashed == 5


def test_processes_pass_on_what_the_user_has_to_change(
    places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pytest.importorskip("pyarrow.parquet").write_table(arrow.table({"a": ["b"]}), "a.parquet")
    monkeypatch.setattr(intake, "PROCESSES_FROM_BYTES", 1)
    with pytest.raises(InputError, match=r"^a.parquet: no column of images"):
        collect(listed([*places, "a.parquet"]), Intake(jobs=2), "")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cache]:
    monkeypatch.setattr("memscan.stamps._FINE_TICK", 0)
    with Cache(str(tmp_path / "kept")) as cache:
        yield cache


@pytest.mark.parametrize("hash", ["phash", "pdq"])
@pytest.mark.parametrize("level", ["plain", "training"])
def test_what_is_kept_is_not_read_again(
    places: list[str], hash: str, level: str, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: Any = {"encoder": KNOWN[hash], "view_set": views.of_source(level)}
    whole = ["z", "a.tgz", "w.zip"]
    Path("w.zip").write_bytes(zipped(IMAGES))
    expected = collect(listed(whole), Intake(cache=cache), "", **options)
    with monkeypatch.context() as patch:
        patch.setattr(items, "read_container", None)
        patch.setattr(intake, "hash_files", None)
        assert_equal(collect(listed(whole), Intake(cache=cache), "", **options), expected)
    read: list[str] = []
    read_container = items.read_container

    def noted(path: str, max_pixels: int) -> Any:
        read.append(path)
        return read_container(path, max_pixels)

    monkeypatch.setattr(items, "read_container", noted)
    Path("w.zip").write_bytes(zipped({**IMAGES, "new.png": png(8)}))
    again = collect(listed(whole), Intake(cache=cache), "", **options)
    assert read == ["w.zip"]
    assert again.counts["w.zip"].hashed == 6
    read.clear()
    lower = collect(listed(whole), Intake(max_pixels=100, cache=cache), "", **options)
    assert sorted(read) == ["a.tgz", "w.zip"]
    assert len(lower.table) == 0


def test_containers_with_failures_are_read_again(
    places: list[str], cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = collect(listed(places), Intake(cache=cache), "")
    read: list[str] = []
    read_container = items.read_container

    def noted(path: str, max_pixels: int) -> Any:
        read.append(path)
        return read_container(path, max_pixels)

    monkeypatch.setattr(items, "read_container", noted)
    assert_equal(collect(listed(places), Intake(cache=cache), ""), expected)
    assert sorted(read) == ["b.tar", "c.zip", "cut.tar"]


def test_progress_counts_the_images_of_containers(places: list[str]) -> None:
    told: list[tuple[str, int, int]] = []
    collect(listed(places), Intake(jobs=1, progress=lambda *news: told.append(news)), "source")
    assert ("source", 4, 4) in told
    of_containers = [done for _, done, total in told if total == 0]
    assert of_containers == sorted(of_containers)
    assert of_containers[-1] == 5 + 7 + 7 + 2


def test_fast_scans_with_views_and_kept_containers(places: list[str], cache: Cache) -> None:
    """Only loose files are decoded at reduced scale, so only they are hashed again."""
    for seed in range(4):
        picture(seed, (600, 400)).save(f"z/{seed}.jpg")
    options: Any = {"views": "training", "top_k": 3}
    for source in (["a.tgz"], ["a.tgz", "z"]):
        exact = detect("z/1.png", source, **options)
        for _ in range(2):
            fast = detect("z/1.png", source, fast=True, cache=cache, **options)
            assert [f.verdict for f in fast.findings] == [f.verdict for f in exact.findings]
            near = [m for m in exact.findings[0].matches if m.distance <= 10]
            assert list(fast.findings[0].matches[: len(near)]) == near


class TestInMemory:
    """A store inside this process, which no other process sees."""

    @pytest.fixture
    def store(self) -> Iterator[Any]:
        store = pytest.importorskip("fsspec", reason="fsspec is not installed").filesystem("memory")
        yield store
        store.store.clear()
        store.pseudo_dirs[:] = [""]

    def test_a_store_gives_what_the_directory_gives(self, store: Any, places: list[str]) -> None:
        for name in os.listdir("z"):
            store.pipe(f"/train/{name}", Path("z", name).read_bytes())
        found = collect(listed(["memory://train"]), Intake(), "")
        loose = collect(listed(["z"]), Intake(), "")
        names = [f"z/{path.rpartition('/')[2]}" for path in found.table.paths]
        assert names == list(loose.table.paths)
        assert np.array_equal(found.table.hashes, loose.table.hashes)
        assert {count[:2] for count in found.counts.values()} == {(1, 1)}

    def test_its_containers_are_read_in_this_process(
        self, store: Any, places: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(intake, "PROCESSES_FROM_BYTES", 1)
        for name in ("a.tgz", "b.tar"):
            store.pipe(f"/{name}", Path(name).read_bytes())
        found = collect(listed(["memory://a.tgz", "memory://b.tar"]), Intake(jobs=2), "")
        assert found.counts["memory://a.tgz"] == (5, 5, ())
        assert found.counts["memory://b.tar"][:2] == (7, 6)

    def test_pixels_are_compared_and_volumes_found(self, store: Any, places: list[str]) -> None:
        store.pipe("/t/1.png", Path("z/1.png").read_bytes())
        store.pipe("/t/broken.dcm", b"no volume")
        report = detect("z/1.png", "memory://t")
        assert report.findings[0].matches[0].source == "memory://t/1.png"
        assert report.findings[0].matches[0].similarity == 1.0
        assert [failure.path for failure in report.source_failures] == ["memory://t/broken.dcm"]
