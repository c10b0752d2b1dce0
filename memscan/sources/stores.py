"""Object stores and web servers behind URLs. The only importer of fsspec.

URLs come from command lines and from lists that strangers wrote, so only the schemes of
:data:`PACKAGES` are served, and a URL is one address: ``a::b`` is never taken apart here. What goes
wrong is told in sentences of this module; the words of the libraries may hold signed addresses.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Iterator

from memscan.errors import ImageError, InputError, MemscanError, ReadError

PACKAGES = {
    "s3": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "memory": "fsspec",
}
"""The schemes that are served, and the package that each of them needs besides fsspec."""

NO_OBJECT = "there is no such object"
"""What is said where a store has nothing by that name."""

_LOCAL = "file://"
_WEB = ("http", "https")

_SENTENCES = {
    "NoCredentialsError": "no credentials were found (a public bucket may be read anonymously)",
    "PartialCredentialsError": "the credentials are not complete",
    "ProfileNotFound": "the credentials name a profile that is not configured",
    "DefaultCredentialsError": "no credentials were found",
    "RefreshError": "the credentials could not be renewed",
    "FileNotFoundError": NO_OBJECT,
    "PermissionError": "there is no permission to read this",
    "TimeoutError": "there was no answer in time",
    "FSTimeoutError": "there was no answer in time",
    "ReadTimeoutError": "there was no answer in time",
    "ConnectTimeoutError": "the store cannot be reached",
    "ConnectionRefusedError": "the store cannot be reached",
    "EndpointConnectionError": "the store cannot be reached",
    "ClientConnectorError": "the store cannot be reached",
    "ClientPayloadError": "the connection ended before all bytes had come",
    "IncompleteReadError": "the connection ended before all bytes had come",
    "ServerDisconnectedError": "the connection ended before all bytes had come",
    "ConnectionClosedError": "the connection ended before all bytes had come",
    "ConnectionError": "the connection broke",
    "InvalidURL": "this is no URL that can be asked for",
}
"""What is said of an exception, by the name of its class or of one that it is derived from.

By name, so that no library needs to be imported for its exceptions.
"""

_STATUSES = {
    401: _SENTENCES["PermissionError"],
    403: _SENTENCES["PermissionError"],
    404: _SENTENCES["FileNotFoundError"],
    410: _SENTENCES["FileNotFoundError"],
}


def is_remote(path: str) -> bool:
    """Whether ``path`` is a URL that is read over a network, and not a path that exists here."""
    return _scheme(path) in PACKAGES and not os.path.lexists(path)


def local_path(path: str) -> str:
    """The path behind a ``file://`` URL, taken literally; any other path as it is."""
    return path[len(_LOCAL) :] if path[: len(_LOCAL)].lower() == _LOCAL else path


def shown(url: str) -> str:
    """The URL without what may be secret: a password, and the query that signs a web address.

    Any other path is returned as it is, and so is what names an image in a container at the URL.
    """
    before, mark, last = url.rpartition("::")  # of a container, with an image in it
    if mark and _scheme(last) in _WEB:
        return before + mark + shown(last)
    if _scheme(url) not in _WEB:
        return url
    address = url.partition("#")[0].partition("?")[0]
    scheme, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def connect(url: str) -> tuple[Any, str]:
    """The fsspec file system that serves the URL, and the name by which that knows the object.

    Endpoints and credentials come from the environment and from fsspec's configuration. Listings
    are not kept: every question is asked of the store. Raises InputError for a scheme that is not
    served, a package that is missing, and credentials that cannot be used.
    """
    scheme = _scheme(url)
    if scheme not in PACKAGES:
        raise InputError(f"{shown(url)}: URLs of {', '.join(PACKAGES)} can be read, and no others")
    import importlib.util

    for package in ("fsspec", PACKAGES[scheme]):
        if importlib.util.find_spec(package) is None:
            raise InputError(
                f"{shown(url)}: reading {scheme}:// needs {package}, which is not installed "
                "(pip install 'memscan[cloud]')"
            )
    import fsspec

    with as_input_error(url):
        store = fsspec.filesystem(scheme, use_listings_cache=False)
        name = store._strip_protocol(scheme + url[len(scheme) :])
    if not name.strip("/") and scheme != "memory":
        raise InputError(f"{shown(url)}: the URL names no object")
    return store, name


@contextlib.contextmanager
def as_input_error(url: str) -> Iterator[None]:
    """Turn whatever a file system raises into an InputError that names the URL."""
    try:
        yield
    except ImageError as error:
        raise InputError(f"{shown(url)}: {error}") from error
    except MemscanError:
        raise
    except Exception as error:  # file systems raise what their libraries do
        raise InputError(f"{shown(url)}: {_said(error)}") from error


@contextlib.contextmanager
def as_read_error() -> Iterator[None]:
    """Turn whatever a file system raises into a ReadError."""
    try:
        yield
    except MemscanError:
        raise
    except Exception as error:  # file systems raise what their libraries do
        raise ReadError(_said(error)) from error


def _scheme(path: str) -> str:
    return path.partition("://")[0].lower() if "://" in path else ""


def _said(error: BaseException) -> str:
    """What there is to say about an exception, in words that hold nothing of its own.

    The first cause that there is a sentence for counts: fsspec calls every web address that it
    gets no answer from a file that is not there.
    """
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.insert(0, cause)
        cause = cause.__cause__
    for cause in causes:
        status = getattr(cause, "status", None)
        if isinstance(status, int):
            return _STATUSES.get(status, f"the server answered with status {status}")
        for base in type(cause).__mro__:
            if base.__name__ in _SENTENCES:
                return _SENTENCES[base.__name__]
    return f"the store cannot be read ({type(error).__name__})"
