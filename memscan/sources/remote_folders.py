"""What lies where on a store: whether a URL is a directory, what is in it, how large a file is.

Stores have no directories, only names with slashes in them: what other names begin with is one.
"""

from __future__ import annotations

from memscan.errors import ReadError
from memscan.sources.stores import as_input_error, as_read_error, connect
from memscan.sources.uris import MANIFEST

_WEB = ("http://", "https://")


def is_directory(url: str) -> bool:
    """Whether there are files below a URL, and none at it; what cannot be told is no directory.

    A URL that ends in a slash says so itself. A web server has no listings: there, a directory is
    what has the manifest of a table in it. Raises InputError for a store that is not served.
    """
    if not can_be_listed(url) and ("?" in url or "#" in url):
        return False  # nothing can be below a web address with a query
    if url.endswith("/"):
        return True
    if not can_be_listed(url):
        return exists(f"{url}/{MANIFEST}")
    store, name = connect(url)
    try:
        with as_read_error():
            return bool(store.info(name)["type"] == "directory")
    except ReadError:
        return False


def can_be_listed(url: str) -> bool:
    """Whether the store tells what lies in a directory, as web servers do not."""
    return not url.lower().startswith(_WEB)


def exists(url: str) -> bool:
    """Whether the store tells of something at a URL. Raises InputError as :func:`is_directory`."""
    store, name = connect(url)
    try:
        with as_read_error():
            store.info(name)
    except ReadError:
        return False
    return True


def names_in(url: str) -> list[str]:
    """The names of what lies in a directory, in no order. Raises InputError."""
    store, name = connect(url)
    with as_input_error(url):
        if not can_be_listed(url):
            raise ReadError(f"there is no {MANIFEST} here, and a web server has no listings")
        return [found.rstrip("/").rpartition("/")[2] for found in store.ls(name, detail=False)]


def size_of(url: str) -> int:
    """The bytes of a file. Raises InputError, also where a web server does not tell."""
    store, name = connect(url)
    with as_input_error(url):
        size = store.info(name).get("size")
        if size is None:
            raise ReadError("the server does not tell its size")
        return int(size)
