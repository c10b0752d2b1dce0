"""Tables of hashes at URLs: the memory file system, and S3 and web servers on this machine."""

from __future__ import annotations

import functools
import http.server
import importlib
import re
import shutil
import threading
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest

from memscan import detection, hashed
from memscan.errors import InputError
from memscan.indexing import index
from memscan.selection import Wanted, select, select_by
from memscan.shards import LocalEngine
from memscan.sources import remote
from memscan.sources.directories import Selection
from memscan.sources.given import list_images
from memscan.table import HashTable
from memscan.tables import arrays, places
from memscan.tables.checking import verify
from memscan.tables.foreign import read_hashes
from memscan.tables.identity import Encoder
from memscan.tables.merging import merge
from memscan.tables.stored import StoredTable, is_table
from tests.drawing import picture
from tests.stores import s3_server
from tests.tables.making import PLAIN, finish, rows, table, write

pa = pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
pq = pytest.importorskip("pyarrow.parquet", reason="tables on disk need the extra parquet")
fsspec: Any = pytest.importorskip("fsspec", reason="fsspec is not installed")

NAMES = [f"{n:03d}" for n in range(60)]
SHARDS = [NAMES[0::3], NAMES[1::3], NAMES[2::3]]  # parts that interleave


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """The file system of an S3 server on this machine, with a bucket ``tables``."""
    with s3_server():
        store = fsspec.filesystem("s3", use_listings_cache=False)
        store.mkdir("tables")
        yield store
    importlib.import_module("s3fs").S3FileSystem.clear_instance_cache()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """A plain web server of the test's directory, which sends no parts of files."""
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://user:secret@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    """Sends whole files, but parts of those below a directory whose name begins with "parts"."""

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        file = Path(self.translate_path(self.path))
        if not asked or not self.path.startswith("/parts") or not file.is_file():
            return super().do_GET()
        data = file.read_bytes()
        first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
        self.send_header("Content-Length", str(last + 1 - first))
        self.end_headers()
        self.wfile.write(data[first : last + 1])
        return None


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> tuple[Any, str]:
    """A file system, and the URL of a place on it."""
    scheme = request.param
    return request.getfixturevalue(scheme), f"{scheme}://tables"


def upload(store: Any, local: Path, url: str) -> str:
    """Put a file, or the files of a directory, at a URL."""
    files = [local] if local.is_file() else sorted(local.iterdir())
    for file in files:
        store.pipe(url if local.is_file() else f"{url}/{file.name}", file.read_bytes())
    return url


def assert_equal(one: HashTable, other: HashTable) -> None:
    assert list(one.paths) == list(other.paths)
    assert one.hashes.tolist() == other.hashes.tolist()
    assert one.low_information.tolist() == other.low_information.tolist()
    assert one.views.tolist() == other.views.tolist()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_table_on_a_store_is_the_table_here(
    tmp_path: Path, store: tuple[Any, str], slash: str
) -> None:
    made = table(tmp_path / "h.parquet", SHARDS, lost=["007"])
    assert (made / "_order.npy").exists()
    url = upload(store[0], made, f"{store[1]}/same{len(slash)}.parquet") + slash
    here, there = StoredTable.open(str(made)), StoredTable.open(url)
    assert is_table(url)
    assert there.warnings == ()
    assert_equal(there.load(), here.load())
    assert list(there.failures()) == list(here.failures())
    assert there.paths.find(NAMES) == here.paths.find(NAMES)
    (listing,) = list_images([url], Selection(), "source")
    assert listing.tables == (url,)


def test_one_part_is_a_table_and_other_parquet_files_are_none(
    tmp_path: Path, store: tuple[Any, str]
) -> None:
    made = write(tmp_path, "s", [rows(NAMES)])
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "images.parquet")
    part = upload(store[0], tmp_path / made.name, f"{store[1]}/one.parquet")
    images = upload(store[0], tmp_path / "images.parquet", f"{store[1]}/images.parquet")
    listings = list_images([part, images], Selection(), "source")
    assert [listing.containers for listing in listings] == [(part,), (images,)]
    assert hashed.is_part(part)
    assert not hashed.is_part(images)
    assert not hashed.is_part(f"{store[1]}/nowhere.parquet")
    assert_equal(StoredTable.open(part).load(), StoredTable.open(str(tmp_path / made.name)).load())


def test_findings_are_those_of_the_local_table(tmp_path: Path, memory: Any) -> None:
    for name in ("train", "generated"):
        (tmp_path / name).mkdir()
    for number in range(6):
        picture(number).save(tmp_path / f"train/{number}.png")
    shutil.copy(tmp_path / "train/3.png", tmp_path / "generated/copy.png")
    index(str(tmp_path / "train"), str(tmp_path / "h.parquet"), jobs=1)
    upload(memory, tmp_path / "h.parquet", "memory://h.parquet")
    found = [
        detection.detect(str(tmp_path / "generated"), source, jobs=1).findings
        for source in (str(tmp_path / "h.parquet"), "memory://h.parquet", "memory://h.parquet/")
    ]
    assert found[0][0].matches[0].distance == 0
    assert found[0] == found[1] == found[2]


def test_a_table_of_any_name_is_known_by_its_manifest(tmp_path: Path, memory: Any) -> None:
    url = upload(memory, table(tmp_path / "hashes", SHARDS), "memory://hashes")
    (listing,) = list_images([url], Selection(), "source")
    assert (listing.tables, listing.remote) == ((url,), ())


def test_only_the_columns_that_are_asked_for_are_fetched(
    tmp_path: Path, s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = Encoder(
        PLAIN.algorithm, PLAIN.decoding, PLAIN.fingerprint, views=tuple(map(str, range(100)))
    )
    names = [f"{n:05d}" for n in range(5000)]
    made = write(tmp_path / "t", "s", [rows(names, views=100)], encoder=encoder)
    finish(tmp_path / "t", encoder)
    url = upload(s3, tmp_path / "t", "s3://tables/wide.parquet")
    fetched = []
    read = remote._RemoteFile.readinto

    def counted(self: Any, buffer: Any) -> int:
        size = read(self, buffer)
        fetched.append(size)
        return size

    monkeypatch.setattr(remote._RemoteFile, "readinto", counted)
    loaded = StoredTable.open(url).load(["50"])
    assert made.bytes > 4_000_000
    assert 2 * 8 * 5000 < sum(fetched) < made.bytes / 10
    assert_equal(loaded, StoredTable.open(str(tmp_path / "t")).load(["50"]))


def test_a_table_on_a_web_server_is_what_its_manifest_lists(tmp_path: Path, web: str) -> None:
    made = table(tmp_path / "parts.parquet", SHARDS)
    url = f"{web}/{made.name}"
    (listing,) = list_images([url], Selection(), "source")
    assert listing.tables == (url,)
    assert_equal(StoredTable.open(url).load(), StoredTable.open(str(made)).load())
    for damaged, message in (
        (min(made.glob("part-*")), r"parts\.parquet/part-[^ ]*: there is no such object"),
        (
            made / "_manifest.json",
            r"parts\.parquet/: there is no _manifest\.json here, and a",
        ),
    ):
        damaged.unlink()
        with pytest.raises(InputError, match=rf"^http://127\.0\.0\.1:\d+/{message}"):
            StoredTable.open(f"{url}/")


def test_workers_read_the_parts_from_their_urls(tmp_path: Path, s3: Any) -> None:
    made = table(tmp_path / "h.parquet", SHARDS)
    url = upload(s3, made, "s3://tables/shared.parquet")
    wanted = Wanted(rows(["a", "b"]).hashes[:, 0], 2, 3)
    with LocalEngine(jobs=1) as engine:
        found, failures = select_by(engine, StoredTable.open(url), (), wanted)
    assert failures == ()
    here = StoredTable.open(str(made))
    with LocalEngine(jobs=1) as engine:
        expected, _ = select_by(engine, here, (), wanted)
    assert_equal(found, expected)
    assert set(select(here, (), wanted, len(here)).paths) <= set(found.paths)


class TestDamage:
    def test_a_missing_part(self, tmp_path: Path, store: tuple[Any, str]) -> None:
        made = table(tmp_path / "h.parquet", SHARDS)
        sorted(made.glob("part-*"))[1].unlink()
        url = upload(store[0], made, f"{store[1]}/missing.parquet")
        with pytest.raises(InputError, match=rf"^{url}: 1 of 3 parts are missing \(first part-"):
            StoredTable.open(url)

    def test_a_truncated_part(self, tmp_path: Path, store: tuple[Any, str]) -> None:
        made = table(tmp_path / "h.parquet", SHARDS)
        part = min(made.glob("part-*"))
        part.write_bytes(part.read_bytes()[:-30])
        url = upload(store[0], made, f"{store[1]}/truncated.parquet")
        with pytest.raises(InputError, match=rf"^{url}/{part.name}: not a whole Parquet file"):
            StoredTable.open(url)

    def test_a_part_that_vanishes(self, tmp_path: Path, store: tuple[Any, str]) -> None:
        made = table(tmp_path / "h.parquet", SHARDS)
        url = upload(store[0], made, f"{store[1]}/vanishing.parquet")
        opened = StoredTable.open(url)
        name = min(made.glob("part-*")).name
        store[0].rm(f"{url}/{name}")
        with pytest.raises(InputError, match=rf"^{url}/{name}: there is no such object$"):
            opened.load()

    def test_no_manifest_is_a_warning_and_nothing_at_all_an_error(
        self, tmp_path: Path, store: tuple[Any, str]
    ) -> None:
        made = table(tmp_path / "h.parquet", SHARDS)
        (made / "_manifest.json").unlink()
        url = upload(store[0], made, f"{store[1]}/parts.parquet")
        opened = StoredTable.open(url)
        assert opened.warnings[0].startswith(f"{url}: there is no _manifest.json")
        assert list(opened.load().paths) == NAMES
        with pytest.raises(InputError, match=r"nowhere\.parquet/: (there is no|no hash table)"):
            StoredTable.open(f"{store[1]}/nowhere.parquet/")

    def test_a_changed_order_and_a_manifest_of_noise(self, tmp_path: Path, memory: Any) -> None:
        url = upload(memory, table(tmp_path / "h", SHARDS), "memory://h.parquet")
        order = memory.cat(f"{url}/_order.npy")
        memory.pipe(f"{url}/_order.npy", order[:-1] + b"\xff")
        with pytest.raises(InputError, match=rf"^{url}/_order\.npy: not the order"):
            StoredTable.open(url).load()
        memory.pipe(f"{url}/_manifest.json", b"{")
        with pytest.raises(InputError, match=rf"^{url}/_manifest\.json: not a manifest"):
            StoredTable.open(url)


class TestHashesOfOthers:
    @pytest.fixture
    def files(self, tmp_path: Path) -> Path:
        hashes = rows(NAMES).hashes[:, 0]
        np.save(tmp_path / "h.npy", hashes)
        text = "".join(f"{n},{h:016x}\n" for n, h in zip(NAMES, hashes.tolist()))
        (tmp_path / "h.csv").write_text(f"path,phash\n{text}003,none\n")
        pq.write_table(pa.table({"path": NAMES, "phash": hashes}), tmp_path / "h.parquet")
        return tmp_path

    @pytest.mark.parametrize("name", ["h.npy", "h.csv", "h.parquet"])
    def test_they_are_those_of_the_file_here(
        self, files: Path, store: tuple[Any, str], name: str
    ) -> None:
        url = upload(store[0], files / name, f"{store[1]}/{name}")
        column = None if name == "h.npy" else "phash"
        here, there = read_hashes(str(files / name), column), read_hashes(url, column)
        assert there.table.hashes.tolist() == here.table.hashes.tolist()
        named = [path.replace(str(files), store[1]) for path in here.table.paths]
        assert list(there.table.paths) == named
        assert len(there.failures) == len(here.failures) == (name == "h.csv")
        (listing,) = list_images([url], Selection(hash_column=column), "source")
        assert listing.tables == (url,)

    @pytest.mark.parametrize("name", ["h.npy", "h.csv"])
    def test_a_web_server_sends_them_and_no_secret_is_shown(
        self, files: Path, web: str, name: str
    ) -> None:
        url = f"{web}/{name}?signature=secret"
        (listing,) = list_images([url], Selection(), "source")
        assert listing.tables == (url,)
        found = read_hashes(url)
        assert found.table.hashes.tolist() == read_hashes(str(files / name)).table.hashes.tolist()
        assert "secret" not in found.warning + found.table.paths[0]
        with pytest.raises(InputError, match="there is no such object") as raised:
            read_hashes(f"{web}/none{name}?signature=secret")
        assert "secret" not in str(raised.value)

    def test_parquet_needs_a_server_that_sends_parts(self, files: Path, web: str) -> None:
        with pytest.raises(InputError, match=r"^http://127[^@]*h\.parquet: the server sends it on"):
            read_hashes(f"{web}/h.parquet?signature=secret", "phash")

    @pytest.mark.parametrize(
        ("array", "message"),
        [
            (np.zeros((2, 2), np.uint64), "an array of uint64 with shape"),
            (np.zeros(2, np.float64), "an array of float64"),
            (np.array([{}]), "not an array of numbers"),
        ],
        ids=["shape", "floats", "pickled"],
    )
    def test_other_arrays_are_refused(
        self, tmp_path: Path, memory: Any, array: Any, message: str
    ) -> None:
        np.save(tmp_path / "a.npy", array, allow_pickle=True)
        url = upload(memory, tmp_path / "a.npy", "memory://a.npy")
        with pytest.raises(InputError, match=f"^{url}: {message}"):
            read_hashes(url)

    def test_an_array_that_claims_more_than_it_has(self, tmp_path: Path, memory: Any) -> None:
        with open(tmp_path / "a.npy", "wb") as file:
            header = {"descr": "<u8", "fortran_order": False, "shape": (1 << 60,)}
            np.lib.format.write_array_header_1_0(file, header)
            file.write(bytes(80))
        url = upload(memory, tmp_path / "a.npy", "memory://a.npy")
        with pytest.raises(InputError, match=f"^{url}: it ends before its last number$"):
            read_hashes(url)
        memory.pipe("/a.npy", b"noise")
        with pytest.raises(InputError, match=f"^{url}: not an array of numbers$"):
            read_hashes(url)


def test_numbers_of_two_bytes_are_read_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrays, "_BLOCK", 7)
    array = np.arange(50, dtype=">u2")
    np.save(tmp_path / "a.npy", array)
    with open(tmp_path / "a.npy", "rb") as file:
        assert np.array_equal(arrays.read_numbers(file, *arrays.read_header(file)), array)


def test_what_is_written_is_written_here(memory: Any) -> None:
    for refused in (
        lambda: verify("memory://h.parquet"),
        lambda: merge(["memory://h.parquet"], "out", "1"),
        lambda: merge([], "memory://out", "1"),
        lambda: index("memory://train", "memory://out"),
    ):
        with pytest.raises(InputError, match=r"^memory://[^ ]*: .* a local directory, not a URL$"):
            refused()
    assert not memory.store


def test_urls_go_to_other_processes_as_they_are(tmp_path: Path) -> None:
    assert places.absolute("s3://b/../h.parquet") == "s3://b/../h.parquet"
    assert Path(places.absolute("h.parquet")).is_absolute()
