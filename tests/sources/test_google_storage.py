"""The part of Google's storage interface that reading needs, served on this machine."""

from __future__ import annotations

import hashlib
import http.server
import importlib
import json
import re
import threading
import urllib.parse
from typing import Any, Iterator

import pytest

from memscan.errors import InputError, ReadError
from memscan.sources.directories import Selection
from memscan.sources.remote import find_remote, identity, open_remote, read_remote

OBJECTS = {
    "train/a.png": bytes(range(256)) * 1000,
    "train/empty.png": b"",
    "train/deep/b c.png": b"b",
    "train/.hidden.png": b"h",
    "train2/d.png": b"d",
}


class _Storage(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: object) -> None:
        pass

    def send(self, status: int, data: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        address = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(address.query))
        found = re.fullmatch(r"(?:/download)?/storage/v1/b/pictures(?:/o(?:/(.+))?)?", address.path)
        if found is None:
            return self.send(404, b'{"error": {"code": 404, "message": "none"}}')
        if not address.path.startswith("/download") and found[1] is None:
            return self.send(200, json.dumps(listing(query)).encode())
        key = urllib.parse.unquote(found[1])
        if key not in OBJECTS:
            return self.send(404, b"No such object")
        if query.get("alt") != "media":
            return self.send(200, json.dumps(described(key)).encode())
        data = OBJECTS[key]
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if asked is None:
            return self.send(200, data)
        if int(asked[1]) >= len(data):
            return self.send(416, b"The requested range cannot be satisfied.")
        return self.send(206, data[int(asked[1]) : int(asked[2]) + 1])


def described(key: str) -> dict[str, str]:
    data = OBJECTS[key]
    digest = hashlib.sha256(data).hexdigest()
    return {"name": key, "bucket": "pictures", "size": str(len(data)), "md5Hash": digest}


def listing(query: dict[str, str]) -> dict[str, Any]:
    prefix, delimiter = query.get("prefix", ""), query.get("delimiter")
    items, prefixes = [], set()
    for key in sorted(OBJECTS):
        if key.startswith(prefix):
            head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                prefixes.add(prefix + head + found)
            else:
                items.append(described(key))
    return {"items": items, "prefixes": sorted(prefixes)}


@pytest.fixture(scope="module", autouse=True)
def storage() -> Iterator[None]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Storage)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server.server_port}")
        # Else gcsfs asks Google itself, and not this server, what kind of bucket this is.
        patch.setenv("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
        gcsfs = pytest.importorskip("gcsfs", reason="gcsfs is not installed")
        patch.setitem(importlib.import_module("fsspec").config.conf, "gs", {"token": "anon"})
        yield
    gcsfs.GCSFileSystem.clear_instance_cache()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("scheme", ["gs", "gcs"])
def test_objects_are_found_and_read(scheme: str) -> None:
    found = find_remote(f"{scheme}://pictures/train", Selection(recursive=True))
    assert [entry.url for entry in found] == [
        f"{scheme}://pictures/train/{name}" for name in ("a.png", "deep/b c.png", "empty.png")
    ]
    for entry in found:
        data = read_remote(entry.url, 1 << 20)
        assert data == OBJECTS[entry.url.partition("pictures/")[2]]
        assert entry.size == len(data)
        assert entry.identity == identity(entry.url) is not None


def test_one_level() -> None:
    found = find_remote("gs://pictures/train", Selection())
    assert [entry.url for entry in found] == [
        "gs://pictures/train/a.png",
        "gs://pictures/train/empty.png",
    ]


def test_parts_are_read() -> None:
    with open_remote("gs://pictures/train/a.png") as file:
        file.seek(1001)
        assert file.read(5) == OBJECTS["train/a.png"][1001:1006]


def test_what_is_not_there() -> None:
    with pytest.raises(ReadError, match=r"^there is no such object$"):
        read_remote("gs://pictures/nothing", 1)
    with pytest.raises(InputError, match=r"^gs://nobody/x: there is no such object$"):
        find_remote("gs://nobody/x", Selection())
