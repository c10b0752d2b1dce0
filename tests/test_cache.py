from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import Cache, InputError, decode, detect
from memscan.cache import FILE_NAME
from memscan.intake import Intake
from memscan.records import HashedImage
from memscan.stamps import Stamp
from tests.cli.running import DETECT, MEMSCAN, environment, run
from tests.drawing import needs_posix, picture, save

SOURCE = ["--target", "target.png", "--source", "train", "-r"]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for seed in range(12):
        save(picture(seed), tmp_path / f"train/{seed % 3}/{seed}.png")
    save(picture(4).resize((50, 40)), tmp_path / "target.png")
    time.sleep(0.03)  # files changed this moment are not kept
    return tmp_path / "train"


@pytest.fixture(autouse=True)
def closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every cache that a test opens, as a program would."""
    opened: list[Cache] = []
    original = Cache.__init__

    def remember(self: Cache, directory: str | None) -> None:
        opened.append(self)
        original(self, directory)

    monkeypatch.setattr(Cache, "__init__", remember)
    yield
    for cache in opened:
        cache.close()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths that were decoded to be hashed, in any order."""
    paths: list[str] = []
    monkeypatch.setattr("memscan.verification._read", lambda path, max_pixels: None)
    original = decode.open_image

    def count(path: str, *arguments: Any, **options: Any) -> decode.Decoded:
        paths.append(path)
        return original(path, *arguments, **options)

    monkeypatch.setattr("memscan.decode.open_image", count)
    return paths


def scan(cache: Cache | None = None) -> object:
    return detect("target.png", "train", recursive=True, cache=cache, top_k=3)


def test_the_second_scan_decodes_nothing_and_reports_the_same(
    train: Path, decoded: list[str]
) -> None:
    plain = scan()
    decoded.clear()
    cold = scan(Cache("cache"))
    assert len(decoded) == 13
    decoded.clear()
    warm = scan(Cache("cache"))
    assert decoded == []
    assert plain == cold == warm


def test_other_names_of_the_same_files_are_known(train: Path, decoded: list[str]) -> None:
    scan(Cache("cache"))
    decoded.clear()
    detect(
        os.path.abspath("target.png"),
        ["./train/0/", str(train)],
        recursive=True,
        cache=Cache("cache"),
    )
    assert decoded == []


@needs_posix
def test_a_file_replaced_with_the_same_size_and_time_is_read_again(
    train: Path, decoded: list[str]
) -> None:
    for path in train.rglob("*.png"):
        picture(int(path.stem), (40, 30)).save(path.with_suffix(".bmp"))
        path.unlink()
    time.sleep(0.03)
    scan(Cache("cache"))
    decoded.clear()
    replaced = train / "0/0.bmp"
    old = replaced.stat()
    picture(4, (40, 30)).save(replaced)
    os.utime(replaced, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert (replaced.stat().st_size, replaced.stat().st_mtime_ns) == (old.st_size, old.st_mtime_ns)
    assert scan(Cache("cache")) == scan()
    assert decoded[0] == "train/0/0.bmp"


@pytest.mark.parametrize("change", ["touch", "replace", "grow"])
def test_a_changed_file_is_read_again(train: Path, decoded: list[str], change: str) -> None:
    scan(Cache("cache"))
    decoded.clear()
    path = train / "1/1.png"
    if change == "touch":
        os.utime(path, (1, 1))
    elif change == "replace":
        save(picture(50), train.parent / "other.png")
        os.replace("other.png", path)
    else:
        with open(path, "ab") as file:
            file.write(b"more")
    assert scan(Cache("cache")) == scan()
    assert decoded[0] == os.path.join("train", "1", "1.png")


def test_a_change_in_the_tick_of_the_last_one_is_seen_however_long_the_hashing_takes(
    train: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is young when it is read and old when its hash would be kept."""
    path = train / "0/0.png"
    original = decode.open_image

    def slowly(name: str, *arguments: Any, **options: Any) -> decode.Decoded:
        opened = original(name, *arguments, **options)
        time.sleep(1.2)
        return opened

    monkeypatch.setattr("memscan.decode.open_image", slowly)
    monkeypatch.setattr("memscan.stamps._FINE_TICK", 1_000_000_000)
    cache = Cache("cache")
    path.write_bytes(path.read_bytes())
    Intake(cache=cache).hash_files([str(path)], "source")
    assert cache.usage().images == {}
    time.sleep(0.1)
    Intake(cache=cache).hash_files([str(path)], "source")
    assert sum(cache.usage().images.values()) == 1


def test_failures_are_not_kept(train: Path, decoded: list[str]) -> None:
    (train / "broken.png").write_bytes(b"broken")
    time.sleep(0.03)
    cold = scan(Cache("cache"))
    decoded.clear()
    assert scan(Cache("cache")) == cold
    assert decoded == ["train/broken.png"]


def test_a_lower_pixel_limit_holds_for_known_images_too(train: Path) -> None:
    save(picture(3, (20, 20)), train / "small.png")
    save(picture(3, (20, 20)), Path("target.png"))
    time.sleep(0.03)
    scan(Cache("cache"))
    for cache in (Cache("cache"), None):
        report = detect("target.png", "train", recursive=True, max_pixels=1000, cache=cache)
        assert (report.hashed, len(report.source_failures)) == (1, 12)


def test_other_encoders_do_not_mix(train: Path) -> None:
    cache, path = Cache("cache"), str(train / "0/0.png")
    stamp = Stamp.of(path)
    assert stamp is not None
    cache.keep(path, "one", stamp, HashedImage((2**64 - 1,), True, (5, 1)))
    cache.keep(path, "two", stamp, HashedImage((1,), False, (1, 5)))
    cache.close()
    again = Cache("cache")
    for encoder, hash, low in (("one", 2**64 - 1, True), ("two", 1, False)):
        known = again.find([path], encoder, 5)
        assert (known.known[0], known.first[0], known.low_information[0]) == (True, hash, low)
    assert not again.find([path], "three", 5).known[0]
    assert not again.find([path], "one", 4).known[0]


@settings(deadline=None, max_examples=30)
@given(kept=st.sets(st.integers(0, 15)), asked=st.lists(st.integers(0, 15), unique=True))
def test_find_is_a_plain_look_up(
    tmp_path_factory: pytest.TempPathFactory, kept: set[int], asked: list[int]
) -> None:
    """The oracle: a dictionary."""
    folder = tmp_path_factory.mktemp("files")
    paths = [str(folder / f"d{number % 3}" / f"{number}é.png") for number in range(16)]
    for path in paths:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
    cache = Cache(str(folder / "cache"))
    for number in sorted(kept, reverse=True):
        stamp = Stamp.of(paths[number])
        assert stamp is not None
        cache.keep(paths[number], "e", stamp, HashedImage((number << 60,), number % 2 == 0, (3, 3)))
    cache.flush()
    known = cache.find([paths[number] for number in asked], "e", 9)
    assert known.known.tolist() == [number in kept for number in asked]
    assert known.first.tolist() == [(number in kept) * number << 60 for number in asked]
    assert known.low_information.tolist() == [
        number in kept and number % 2 == 0 for number in asked
    ]


class TestTrouble:
    """The right answer, and one warning."""

    @pytest.fixture(autouse=True)
    def expected(self, train: Path) -> str:
        return run(DETECT, *SOURCE, "--no-cache").stdout

    def check(self, expected: str, *options: str, **env: str | None) -> str:
        done = run(DETECT, *SOURCE, *options, env=env)
        assert done.stdout == expected
        assert done.returncode == 0
        assert "Traceback" not in done.stderr
        assert done.stderr.count("\n") <= 1
        return done.stderr

    def test_none(self, expected: str) -> None:
        assert self.check(expected, "--cache-dir", "cache") == ""
        assert self.check(expected, "--cache-dir", "cache") == ""
        assert os.path.exists(f"cache/{FILE_NAME}")

    def test_no_cache_writes_nothing(self, expected: str) -> None:
        assert self.check(expected, "--no-cache", MEMSCAN_CACHE_DIR=os.path.abspath("c")) == ""
        assert not os.path.exists("c")

    def test_the_environment_names_a_place_and_the_option_another(self, expected: str) -> None:
        self.check(expected, MEMSCAN_CACHE_DIR="one")
        self.check(expected, "--cache-dir", "two", MEMSCAN_CACHE_DIR="three")
        assert [os.path.exists(name) for name in ("one", "two", "three")] == [True, True, False]

    def test_no_home(self, expected: str) -> None:
        home = {"HOME": "", "XDG_CACHE_HOME": None, "MEMSCAN_CACHE_DIR": None}
        assert "no home directory" in self.check(expected, **home)

    @pytest.mark.parametrize(
        "content", [b"not a database" * 99, b"SQLite format 3\0" + b"x" * 4000]
    )
    def test_a_corrupt_file_in_its_place(self, expected: str, content: bytes) -> None:
        os.mkdir("cache")
        Path("cache", FILE_NAME).write_bytes(content)
        assert "goes on without it" in self.check(expected, "--cache-dir", "cache")
        assert Path("cache", FILE_NAME).read_bytes() == content

    def test_a_foreign_database_in_its_place(self, expected: str) -> None:
        os.mkdir("cache")
        with sqlite3.connect(f"cache/{FILE_NAME}") as foreign:
            foreign.execute("CREATE TABLE mine (x)")
        foreign.close()
        assert "not a cache of memscan" in self.check(expected, "--cache-dir", "cache")

    def test_a_cache_of_a_newer_version(self, expected: str) -> None:
        self.check(expected, "--cache-dir", "cache")
        newer = sqlite3.connect(f"cache/{FILE_NAME}")
        newer.execute("PRAGMA user_version = 99")
        newer.close()
        assert "another version of memscan" in self.check(expected, "--cache-dir", "cache")

    def test_pages_damaged_in_the_middle(self, expected: str) -> None:
        self.check(expected, "--cache-dir", "cache")
        path = Path("cache", FILE_NAME)
        data = bytearray(path.read_bytes())
        data[4096:] = b"\xa5" * (len(data) - 4096)
        path.write_bytes(bytes(data))
        assert "goes on without it" in self.check(expected, "--cache-dir", "cache")

    def test_a_file_where_the_directory_should_be(self, expected: str) -> None:
        Path("cache").touch()
        assert "goes on without it" in self.check(expected, "--cache-dir", "cache")

    @needs_posix
    def test_a_place_that_cannot_be_written(self, expected: str) -> None:
        if not os.path.isdir("/proc/self"):
            pytest.skip("needs a directory in which not even root can write")
        assert "goes on without it" in self.check(expected, "--cache-dir", "/proc/self/cache")

    @needs_posix
    def test_a_full_disk(self, expected: str) -> None:
        """A limit on the size of files stands in for it."""
        line = "ulimit -f 8; trap '' XFSZ; exec \"$@\""
        command = ["bash", "-c", line, "-", *DETECT, *SOURCE, "--cache-dir", "cache"]
        done = run(command)
        assert (done.stdout, done.returncode) == (expected, 0)
        assert "goes on without it" in done.stderr
        assert self.check(expected, "--cache-dir", "cache") == "", "the file is whole"

    def test_a_file_system_without_wal(
        self, expected: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A connection that refuses WAL, as on a network disk."""

        class Refusing(sqlite3.Connection):
            def execute(self, sql: str, *arguments: object) -> sqlite3.Cursor:
                if "journal_mode" in sql:
                    raise sqlite3.OperationalError("locking protocol")
                return super().execute(sql, *arguments)  # type: ignore[arg-type]

        connect = sqlite3.connect
        monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: connect(*a, **k, factory=Refusing))
        cache = Cache("cache")
        assert scan(cache) == scan()
        assert cache.trouble is None
        assert sum(cache.usage().images.values()) == 13

    def test_two_scans_at_once(self, expected: str) -> None:
        command = [*DETECT, *SOURCE, "--cache-dir", "cache", "--jobs", "1"]
        processes = [
            subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment(),
            )
            for _ in range(4)
        ]
        for process in processes:
            assert process.communicate(timeout=60) == (expected, "")
        assert sum(Cache("cache").usage().images.values()) == 13

    def test_a_writer_that_never_ends_is_waited_for_in_vain(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("memscan.cache_file._PATIENCE", 0.1)
        cache = Cache("cache")
        other = sqlite3.connect(cache.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        assert scan(cache) == scan()
        assert cache.trouble is not None
        assert "database is locked" in cache.trouble
        other.close()

    def test_a_closed_cache_finds_and_keeps_nothing(self) -> None:
        with Cache("cache") as cache:
            scan(cache)
        assert scan(cache) == scan()
        with pytest.raises(InputError, match="closed"):
            cache.usage()


@needs_posix
def test_a_killed_scan_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Killed again and again at any moment, it loses at most the last batch."""
    large = save(picture(1, (2500, 2000)), tmp_path / "large.png")
    os.mkdir(tmp_path / "train")
    for number in range(60):
        os.link(large, tmp_path / f"train/{number}.png")
    time.sleep(0.03)
    code = (
        "import sys; from memscan import cache, detect, engines; cache._BATCH = engines.CHUNK = 1\n"
        f"detect({large!r}, {str(tmp_path / 'train')!r}, cache=cache.Cache(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "cache")]

    def rows() -> int:
        with Cache(str(tmp_path / "cache")) as cache:
            assert cache.trouble is None
            return sum(cache.usage().images.values())

    kept = 0
    for _ in range(3):
        process = subprocess.Popen(command, env=environment())
        deadline = time.monotonic() + 60
        while process.poll() is None and rows() == kept and time.monotonic() < deadline:
            time.sleep(0.1)
        process.kill()
        process.wait()
        assert rows() > kept or rows() == 61
        kept = rows()
    subprocess.run(command, env=environment(), check=True)
    assert sum(Cache(str(tmp_path / "cache")).usage().images.values()) == 61


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 35), reason="SQLite cannot drop a column")
def test_a_cache_from_before_there_were_views_is_taken_over(
    train: Path, decoded: list[str]
) -> None:
    scan(Cache("cache"))
    connection = sqlite3.connect("cache/hashes.sqlite")
    connection.execute("ALTER TABLE images DROP COLUMN views")
    connection.execute("PRAGMA user_version = 1")
    connection.commit()
    connection.close()
    decoded.clear()
    with Cache("cache") as cache:
        warm = scan(cache)
        assert cache.trouble is None
    assert decoded == ["target.png"]  # whose views were lost with the column
    assert warm == scan()
    decoded.clear()
    detect("target.png", "train", recursive=True, cache=Cache("cache"), views="training")
    assert len(decoded) == 12  # the target's views are the same as for a plain scan
    decoded.clear()
    detect("target.png", "train", recursive=True, cache=Cache("cache"), views="training")
    assert decoded == []


class TestCommands:
    @pytest.fixture(autouse=True)
    def filled(self, train: Path) -> None:
        scan(Cache("cache"))

    def command(self, name: str) -> tuple[str, int]:
        done = run(MEMSCAN, "cache", "--cache-dir", "cache", name)
        return done.stdout + done.stderr, done.returncode

    def test_info(self) -> None:
        shown, code = self.command("info")
        assert shown.startswith(f"Cache: {os.path.join('cache', FILE_NAME)}\nSize: ")
        assert "Images: 12 (phash-64 decode=exact " in shown
        assert code == 0

    def test_prune_forgets_what_is_gone_or_changed(self, train: Path) -> None:
        assert self.command("prune") == ("Forgot 0 images whose file is gone or changed.\n", 0)
        (train / "0/0.png").unlink()
        os.utime(train / "1/1.png", (1, 1))
        assert self.command("prune") == ("Forgot 2 images whose file is gone or changed.\n", 0)
        assert "Images: 10 " in self.command("info")[0]

    def test_clear(self) -> None:
        assert self.command("clear") == (f"Deleted {os.path.join('cache', FILE_NAME)}\n", 0)
        assert os.listdir("cache") == []

    def test_a_corrupt_cache_can_be_cleared_and_a_foreign_file_cannot(self) -> None:
        path = Path("cache", FILE_NAME)
        path.write_bytes(b"SQLite format 3\0" + b"x" * 5000)
        assert self.command("info")[1] == 2
        assert self.command("clear")[1] == 0
        path.write_bytes(b"a letter to a friend")
        shown, code = self.command("clear")
        assert (code, path.exists()) == (2, True)
        assert "not a cache of memscan" in shown


class TestMembers:
    STAMP = Stamp(1, 2, 3, 4)
    IMAGES = tuple((name, HashedImage((seed, 5), False, (8, 4))) for seed, name in enumerate("ab"))

    def test_all_or_none(self, tmp_path: Path) -> None:
        cache = Cache(str(tmp_path))
        cache.keep_members("a.tar", "x", self.STAMP, self.IMAGES, "grey")
        cache.flush()
        found = cache.find_members("a.tar", "x", self.STAMP, 32, 1)
        assert found is not None
        assert (found.names, found.remark) == (["a", "b"], "grey")
        assert found.rows.first.tolist() == [0, 1]
        assert found.rows.rest.tolist() == [[5], [5]]
        for others in (
            ("b.tar", "x", self.STAMP, 32, 1),
            ("a.tar", "y", self.STAMP, 32, 1),
            ("a.tar", "x", Stamp(1, 2, 3, 5), 32, 1),
            ("a.tar", "x", self.STAMP, 31, 1),
            ("a.tar", "x", self.STAMP, 32, 2),
        ):
            assert cache.find_members(*others) is None
        assert cache.usage().images == {"x": 2}

    def test_no_image_is_also_something_to_know(self, tmp_path: Path) -> None:
        cache = Cache(str(tmp_path))
        cache.keep_members("a.tar", "x", self.STAMP, ())
        cache.flush()
        for rest in (0, 3):
            found = cache.find_members("a.tar", "x", self.STAMP, 1, rest)
            assert found is not None
            assert found.names == []
            assert found.rows.rest.shape == (0, rest)
        assert cache.usage().images == {}

    def test_half_of_a_container_is_not_known(self, tmp_path: Path) -> None:
        cache = Cache(str(tmp_path))
        cache.keep_members("a.tar", "x", self.STAMP, self.IMAGES)
        cache.flush()
        with sqlite3.connect(tmp_path / FILE_NAME) as connection:
            connection.execute("DELETE FROM images WHERE name = x'62'")
        connection.close()
        assert cache.find_members("a.tar", "x", self.STAMP, 32, 1) is None

    def test_prune_forgets_containers_that_are_gone_or_changed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        cache = Cache(str(tmp_path))
        for name in ("kept.tar", "changed.tar", "gone.tar"):
            Path(name).write_bytes(b"x")
            stamp = Stamp.of(name)
            assert stamp is not None
            cache.keep_members(name, "x", stamp, self.IMAGES)
        cache.keep_members("s3://b/a.tar", "x", self.STAMP, self.IMAGES)
        cache.flush()
        Path("changed.tar").write_bytes(b"xy")
        Path("gone.tar").unlink()
        assert cache.prune() == 4
        stamp = Stamp.of("kept.tar")
        assert stamp is not None
        assert cache.find_members("kept.tar", "x", stamp, 32, 1) is not None
        assert cache.find_members("s3://b/a.tar", "x", self.STAMP, 32, 1) is not None
        assert cache.prune() == 0
