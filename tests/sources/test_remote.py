"""Remote files: fsspec's memory file system, a web server and an S3 server on this machine."""

from __future__ import annotations

import http.server
import importlib
import io
import itertools
import re
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any, Iterator

import pytest

from memscan.errors import InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources import remote
from memscan.sources.directories import Selection
from memscan.sources.remote import find_remote, identity, open_remote, read_many, read_remote
from memscan.sources.stores import PACKAGES, connect, is_remote, local_path, shown
from tests.drawing import needs_posix
from tests.stores import s3_server

fsspec: Any = pytest.importorskip("fsspec", reason="fsspec is not installed")

EVERY_LEVEL = Selection(recursive=True)
CONTENT = bytes(range(256)) * 1000


class TestUrls:
    @pytest.mark.parametrize(
        "url", ["s3://b/k", "gs://b", "gcs://b", "HTTP://h/f", "https://h/f", "memory://a"]
    )
    def test_these_are_remote(self, url: str) -> None:
        assert is_remote(url)
        assert local_path(url) == url

    @pytest.mark.parametrize(
        "path",
        [
            "a/b.png",
            "C:\\pictures",
            "c://pictures",
            "file:///a.png",
            "ssh://host/a",
            "sftp://host/a",
            "ftp://host/a",
            "github://a:b@c/d",
            "reference://x",
            "local://a",
            "dir://a::s3://b",
            "zip://a.png::s3://b/c.zip",
            "simplecache::s3://b/k",
            "://a",
            "",
        ],
    )
    def test_these_are_not(self, path: str) -> None:
        assert not is_remote(path)
        with pytest.raises(InputError, match="and no others"):
            connect(path)

    @needs_posix
    def test_a_path_that_exists_is_no_url(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "s3:/bucket").mkdir(parents=True)
        assert not is_remote("s3://bucket")
        assert is_remote("s3://other")

    def test_file_urls_are_paths(self) -> None:
        assert local_path("file:///a/b%20c.png") == "/a/b%20c.png"
        assert local_path("FILE://a.png") == "a.png"
        assert local_path("/a/b.png") == "/a/b.png"

    def test_what_may_be_secret_is_not_shown(self) -> None:
        assert shown("https://u:p@h:1/a/b@c.png?X-Sig=1#f") == "https://h:1/a/b@c.png"
        assert shown("http://h?token=u@v") == "http://h"
        assert shown("s3://b/a?b#c") == "s3://b/a?b#c"

    def test_a_chain_reaches_no_other_store(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        with pytest.raises(ReadError):
            read_remote(f"memory://a::file://{tmp_path}/secret", 100)


@pytest.mark.parametrize("url", ["s3://b/k", "gs://b/k", "https://u:p@h/k?sig=1", "memory://k"])
@pytest.mark.parametrize("of_scheme", [False, True])
def test_a_missing_package_names_the_extra(
    url: str, of_scheme: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = PACKAGES[url.partition("://")[0]] if of_scheme else "fsspec"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=rf"{package}.*pip install 'memscan\[cloud\]'") as raised:
        read_remote(url, 1)
    assert "sig" not in str(raised.value)
    assert "u:p" not in str(raised.value)


@pytest.fixture
def memory() -> Iterator[Any]:
    store = fsspec.filesystem("memory")
    for name in ("train/b.JPG", "train/a.png", "train/.hidden.png", "train/.git/c.png"):
        store.pipe("/" + name, name.encode())
    for name in ("train/deep/d.webp", "train/deep/deeper/e.tar", "train2/f.png"):
        store.pipe("/" + name, name.encode())
    yield store
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def names(url: str, selection: Selection = EVERY_LEVEL) -> list[str]:
    return [entry.url for entry in find_remote(url, selection)]


@pytest.mark.usefixtures("memory")
class TestFind:
    def test_one_level(self) -> None:
        found = find_remote("memory://train", Selection())
        assert [(entry.url, entry.size) for entry in found] == [
            ("memory://train/a.png", 11),
            ("memory://train/b.JPG", 11),
        ]

    def test_every_level_in_bytewise_order(self) -> None:
        for root in ("memory://train", "memory://train/", "memory:///train"):
            assert names(root) == [
                root.rstrip("/") + below
                for below in ("/a.png", "/b.JPG", "/deep/d.webp", "/deep/deeper/e.tar")
            ]

    def test_the_root_of_the_store(self) -> None:
        assert len(names("memory://")) == 5

    def test_a_named_file_is_taken_whatever_its_name(self) -> None:
        (entry,) = find_remote("memory://train/.hidden.png", Selection(exclude=("*",)))
        assert entry.url == "memory://train/.hidden.png"

    @pytest.mark.parametrize(
        ("pattern", "left"),
        [
            ("*.png", ["b.JPG", "deep/d.webp", "deep/deeper/e.tar"]),
            ("deep", ["a.png", "b.JPG"]),
            ("deep/*", ["a.png", "b.JPG"]),
            ("deep/*er", ["a.png", "b.JPG", "deep/d.webp"]),
            ("train/*", ["a.png", "b.JPG", "deep/d.webp", "deep/deeper/e.tar"]),
        ],
    )
    def test_exclusion_is_of_the_path_below(self, pattern: str, left: list[str]) -> None:
        found = names("memory://train", Selection(True, (pattern,)))
        assert [url[len("memory://train/") :] for url in found] == left

    def test_missing_is_an_error(self) -> None:
        with pytest.raises(InputError, match=r"^memory://nowhere: there is no such object$"):
            find_remote("memory://nowhere", Selection())


class TestMemory:
    def test_identities_follow_changes_and_agree_with_the_listing(self, memory: Any) -> None:
        for file in memory.store.values():  # as if from long ago
            file.created = file.created.replace(year=2020)
        listed = {entry.url: entry.identity for entry in find_remote("memory://train", Selection())}
        before = identity("memory://train/a.png")
        assert before is not None
        assert re.fullmatch("[0-9a-f]{32}", before)
        assert listed["memory://train/a.png"] == before
        memory.store["/train/a.png"].created = memory.store["/train/a.png"].created.replace(day=2)
        assert identity("memory://train/a.png") not in (None, before)

    @pytest.mark.usefixtures("memory")
    def test_a_file_just_changed_has_no_identity(self) -> None:
        assert identity("memory://train/a.png") is None

    @pytest.mark.usefixtures("memory")
    def test_two_readers_do_not_disturb_each_other(self) -> None:
        one, two = open_remote("memory://train/a.png"), open_remote("memory://train/a.png")
        assert (one.read(3), two.read(5), one.read(2)) == (b"tra", b"train", b"in")

    @pytest.mark.usefixtures("memory")
    def test_the_limit_is_inclusive(self) -> None:
        assert read_remote("memory://train/a.png", 11) == b"train/a.png"
        with pytest.raises(ReadError, match=r"^more than 10 bytes$"):
            read_remote("memory://train/a.png", 10)


class TestReadMany:
    def test_the_order_is_the_given_one_and_what_is_missing_a_failure(self, memory: Any) -> None:
        urls = [f"memory://many/{k}" for k in range(100)]
        for k in range(0, 100, 2):
            memory.pipe(f"/many/{k}", b"%d" % k)
        missing = "there is no such object"
        for in_flight in (1, 7, 200):
            found = list(read_many(urls, 10, in_flight))
            assert found == [
                (url, Failure(url, Stage.READ, missing) if k % 2 else b"%d" % k)
                for k, url in enumerate(urls)
            ]

    def test_no_more_are_asked_for_than_may_be_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked: list[str] = []

        def read(url: str, limit: int) -> bytes:
            asked.append(url)
            return b""

        monkeypatch.setattr(remote, "read_remote", read)
        taken = itertools.count()
        reading = read_many((f"s3://b/{next(taken)}" for _ in itertools.count()), 1, 4)
        for done in range(1, 20):
            next(reading)
            assert len(asked) <= done + 3
        reading.close()  # type: ignore[attr-defined]
        assert next(taken) <= 23

    def test_many_are_asked_for_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        together = threading.Barrier(4, timeout=30)

        def read(url: str, limit: int) -> bytes:
            together.wait()  # no read ends before three more have begun
            return b""

        monkeypatch.setattr(remote, "read_remote", read)
        assert len(list(read_many(["s3://b/k"] * 8, 1, 4))) == 8


class _Site(http.server.BaseHTTPRequestHandler):
    """Answers by the path: how it misbehaves."""

    protocol_version = "HTTP/1.1"
    requests = 0

    def log_message(self, *arguments: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        type(self).requests += 1
        self.answer()

    def send(self, status: int, data: bytes, headers: dict[str, str], size: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in headers:
            self.send_header("Content-Length", str(size))
        self.end_headers()
        if self.command == "GET":
            try:
                self.wfile.write(data)
            except OSError:  # the client knows enough
                self.close_connection = True

    def answer(self) -> None:
        path = self.path.partition("?")[0]
        if path.startswith("/status/"):
            return self.send(int(path[8:]), b"", {}, 0)
        if path == "/truncated":
            self.close_connection = True
            return self.send(200, CONTENT[:1000], {}, len(CONTENT))
        if path == "/closed":
            self.close_connection = True
            return None
        if path == "/slow":
            time.sleep(1)
        if path == "/unsized":
            return self.send(200, b"3\r\nabc\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}, 0)
        headers = {
            "/etag": {"ETag": f'"{type(self).etag}"'},
            "/dated": {"Last-Modified": "Sun, 22 Nov 2020 11:06:39 GMT"},
        }.get(path, {})
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked and path == "/parts":
            first, last = int(asked[1]), min(int(asked[2]), len(CONTENT) - 1)
            headers = {"Content-Range": f"bytes {first}-{last}/{len(CONTENT)}"}
            return self.send(206, CONTENT[first : last + 1], headers, last + 1 - first)
        return self.send(200, CONTENT, headers, len(CONTENT))

    etag = "one"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients hang up here; that is no news."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    server = _Server(("127.0.0.1", 0), _Site)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://user:password@127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


class TestWeb:
    @pytest.mark.parametrize("path", ["whole", "parts", "whole?signature=1"])
    def test_a_whole_file(self, site: str, path: str) -> None:
        assert read_remote(f"{site}/{path}", len(CONTENT)) == CONTENT
        with pytest.raises(ReadError, match="more than"):
            read_remote(f"{site}/{path}", len(CONTENT) - 1)

    def test_a_file_without_a_size(self, site: str) -> None:
        assert read_remote(f"{site}/unsized", 3) == b"abc"
        with open_remote(f"{site}/unsized") as file:
            assert not file.seekable()
            assert file.read() == b"abc"

    def test_any_part_where_the_server_sends_parts(self, site: str) -> None:
        with open_remote(f"{site}/parts") as file:
            assert file.seekable()
            file.seek(-10, io.SEEK_END)
            assert file.read() == CONTENT[-10:]
            file.seek(1001)
            assert file.read(300) == CONTENT[1001:1301]

    def test_from_the_beginning_where_it_does_not(self, site: str) -> None:
        with open_remote(f"{site}/whole") as file:
            assert not file.seekable()
            assert file.read(1000) + file.read() == CONTENT
            with pytest.raises(io.UnsupportedOperation):
                file.seek(0)

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("status/404", "there is no such object"),
            ("status/410", "there is no such object"),
            ("status/401", "there is no permission to read this"),
            ("status/403", "there is no permission to read this"),
            ("status/500", "the server answered with status 500"),
            ("closed", "the connection ended before all bytes had come"),
        ],
    )
    def test_refusals(self, site: str, path: str, message: str) -> None:
        for ask in (open_remote, identity, lambda url: read_remote(url, 10)):
            with pytest.raises(ReadError, match=f"^{message}$"):
                ask(f"{site}/{path}?signature=1")
        with pytest.raises(InputError) as raised:
            find_remote(f"{site}/{path}?signature=1", Selection())
        assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/{path}: {message}", str(raised.value))

    def test_a_truncated_file_is_no_short_one(self, site: str) -> None:
        message = "the connection ended before all bytes had come"
        with pytest.raises(ReadError, match=message):
            read_remote(f"{site}/truncated", len(CONTENT))
        with open_remote(f"{site}/truncated") as file, pytest.raises(ReadError, match=message):
            file.read()

    def test_a_slow_server_is_waited_for_as_long_as_configured(
        self, site: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import aiohttp

        timeout = {"client_kwargs": {"timeout": aiohttp.ClientTimeout(total=0.1)}}
        monkeypatch.setitem(fsspec.config.conf, "http", timeout)
        with pytest.raises(ReadError, match="there was no answer in time"):
            read_remote(f"{site}/slow", len(CONTENT))

    def test_nobody_listens(self) -> None:
        pytest.importorskip("aiohttp", reason="aiohttp is not installed")
        with pytest.raises(ReadError, match="the store cannot be reached"):
            read_remote("http://127.0.0.1:9/a.png", 1)

    def test_there_are_no_listings(self, site: str) -> None:
        with pytest.raises(InputError, match=r"^http://127[^ ]*/train/: a web server has no list"):
            find_remote(f"{site}/train/", EVERY_LEVEL)

    def test_a_file_is_listed_as_itself(self, site: str) -> None:
        (entry,) = find_remote(f"{site}/etag?signature=1", Selection())
        assert (entry.url, entry.size) == (f"{site}/etag?signature=1", len(CONTENT))
        assert entry.identity == identity(f"{site}/etag") is not None

    def test_identities(self, site: str, monkeypatch: pytest.MonkeyPatch) -> None:
        assert identity(f"{site}/whole") is None
        store, name = connect(f"{site}/dated")
        if "Last-Modified" in store.info(name):  # not from older versions of fsspec
            assert identity(f"{site}/dated") == identity(f"{site}/dated") is not None
        before = identity(f"{site}/etag")
        monkeypatch.setattr(_Site, "etag", "two")
        assert identity(f"{site}/etag") != before

    def test_a_loose_file_costs_one_request(self, site: str) -> None:
        before = _Site.requests
        read_remote(f"{site}/whole", len(CONTENT))
        assert _Site.requests == before + 1


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of an S3 server on this machine, which the environment names as the endpoint."""
    with s3_server():
        client = importlib.import_module("boto3").client("s3")
        client.create_bucket(Bucket="pictures")
        for key, data in {
            "train/": b"",
            "train/a.png": CONTENT,
            "train/deep/b.png": b"b",
            "train/empty.png": b"",
            "train//twice.png": b"t",
            "train/.hidden/c.png": b"c",
            "train/q?x#é [1].png": b"q",
            "train2/d.png": b"d",
        }.items():
            client.put_object(Bucket="pictures", Key=key, Body=data)
        client.put_object(Bucket="pictures", Key="public.png", Body=b"p", ACL="public-read")
        yield client
    importlib.import_module("s3fs").S3FileSystem.clear_instance_cache()


@pytest.mark.usefixtures("s3")
class TestS3:
    def test_every_level(self) -> None:
        for root in ("s3://pictures/train", "s3://pictures/train/"):
            found = find_remote(root, EVERY_LEVEL)
            assert [(entry.url, entry.size) for entry in found] == [
                ("s3://pictures/train//twice.png", 1),
                ("s3://pictures/train/a.png", len(CONTENT)),
                ("s3://pictures/train/deep/b.png", 1),
                ("s3://pictures/train/empty.png", 0),
                ("s3://pictures/train/q?x#é [1].png", 1),
            ]
            for entry in found:
                assert entry.identity == identity(entry.url) is not None
                assert len(read_remote(entry.url, len(CONTENT))) == entry.size

    def test_one_level(self) -> None:
        assert names("s3://pictures/train", Selection()) == [
            f"s3://pictures/train/{name}" for name in ("a.png", "empty.png", "q?x#é [1].png")
        ]

    def test_a_bucket_and_a_file(self) -> None:
        assert "s3://pictures/train2/d.png" in [url.lower() for url in names("S3://pictures")]
        assert names("s3://pictures/train2/d.png") == ["s3://pictures/train2/d.png"]

    @pytest.mark.parametrize("url", ["s3://pictures/nothing", "s3://nobody", "s3://nobody/a"])
    def test_what_is_not_there(self, url: str) -> None:
        with pytest.raises(InputError, match=f"^{url}: there is no such object$"):
            find_remote(url, Selection())
        with pytest.raises(ReadError, match=r"^there is no such object$"):
            read_remote(url + "/x", 1)

    def test_a_url_without_a_bucket(self) -> None:
        with pytest.raises(InputError, match="names no object"):
            find_remote("s3://", Selection())

    def test_the_limit_is_inclusive(self) -> None:
        assert read_remote("s3://pictures/train/a.png", len(CONTENT)) == CONTENT
        with pytest.raises(ReadError, match="more than 10 bytes"):
            read_remote("s3://pictures/train/a.png", 10)

    def test_an_identity_follows_a_change(self, s3: Any) -> None:
        url = "s3://pictures/changing"
        s3.put_object(Bucket="pictures", Key="changing", Body=b"one")
        before = identity(url)
        s3.put_object(Bucket="pictures", Key="changing", Body=b"two")
        assert identity(url) != before
        s3.delete_object(Bucket="pictures", Key="changing")
        with pytest.raises(ReadError):
            identity(url)

    def test_an_archive_is_read_in_parts(self, s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote, "BLOCK", 1 << 12)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            for k in range(40):
                archive.writestr(f"{k}.bin", CONTENT[k : k + 5000])
        s3.put_object(Bucket="pictures", Key="a.zip", Body=made.getvalue())
        with open_remote("s3://pictures/a.zip") as file, zipfile.ZipFile(file) as archive:
            for k in (39, 0, 17):
                assert archive.read(f"{k}.bin") == CONTENT[k : k + 5000]

    def test_an_archive_that_vanishes_is_a_read_error(
        self, s3: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(remote, "BLOCK", 1 << 12)
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as archive:
            archive.writestr("a.bin", CONTENT)
        s3.put_object(Bucket="pictures", Key="gone.zip", Body=made.getvalue())
        with open_remote("s3://pictures/gone.zip") as file:
            s3.delete_object(Bucket="pictures", Key="gone.zip")
            with pytest.raises(ReadError, match="there is no such object"):
                zipfile.ZipFile(file)

    def test_without_credentials_only_public_objects(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
            monkeypatch.setenv(name, str(tmp_path / "none"))
        monkeypatch.setitem(fsspec.config.conf, "s3", {"skip_instance_cache": True})
        with pytest.raises(ReadError, match="no credentials were found"):
            read_remote("s3://pictures/train/a.png", len(CONTENT))
        monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": True})
        with pytest.raises(ReadError, match="no permission"):
            read_remote("s3://pictures/train/a.png", len(CONTENT))
        assert read_remote("s3://pictures/public.png", 1) == b"p"

    def test_the_endpoint_may_come_from_the_configuration_of_fsspec(
        self, s3: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        endpoint = s3.meta.endpoint_url
        monkeypatch.delenv("AWS_ENDPOINT_URL")
        configuration: dict[str, Any] = {}
        fsspec.config.set_conf_env(configuration, {"FSSPEC_S3_ENDPOINT_URL": endpoint})
        monkeypatch.setitem(fsspec.config.conf, "s3", configuration["s3"])
        assert read_remote("s3://pictures/train/deep/b.png", 1) == b"b"
