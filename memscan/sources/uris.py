"""Names of images inside containers, in the chained form of fsspec.

``tar://a/b.jpg::/data/shard.tar`` is the member ``a/b.jpg`` of ``/data/shard.tar``, and
``parquet://image/17::part.parquet`` is row 17, the first being 0, of the column ``image``.

A member's name is only a name: nothing is written to disk, so an absolute one or one with ``..``
stands in the URI as it is. The first ``::`` ends the member. Where a name holds two colons in a row
or ends with one, the colon that would be misread is written ``%3A``; and where a name holds ``%3A``
or ``%25`` itself, that per cent sign is written ``%25``. All other names stay as they are.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

SUFFIXES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "tar",
    ".tgz": "tar",
    ".tar.zst": "tar",
    ".tzst": "tar",
    ".parquet": "parquet",
}
"""The kind of container that a file's name says, by how it ends; also the scheme of its URIs."""

VOLUME_SUFFIXES = (".dcm", ".dicom", ".nii", ".nii.gz")
"""How the names of medical volumes end."""

MANIFEST = "_manifest.json"
"""What a directory that is a table of hashes has in it. pandas and pyarrow pass over the name."""

DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
"""The bytes that tell a DICOM file, whatever its name, and the offset at which they stand."""

_URI = re.compile("(tar|zip|parquet)://(.*?)::(.+)", re.DOTALL)
_HEAD = re.compile("(?:tar|zip|parquet|dicom|nifti)://.*?::(?=.)", re.DOTALL)
_WEB = ("http://", "https://")
_TO_ESCAPE = re.compile("(?<=:):|:$(?!\n)|%(?=3A|25)")
_ESCAPED = re.compile("%(3A|25)")


class Location(NamedTuple):
    """Where an image is: the name of a member, and the path of the container that holds it."""

    member: str
    container: str


def kind_of(path: str) -> str | None:
    """``tar``, ``zip`` or ``parquet`` by how the name ends, in any case; None for other names.

    The file is not looked at.
    """
    name = file_name(path).lower()
    for suffix, kind in SUFFIXES.items():
        if name.endswith(suffix):
            return kind
    return None


def is_container(path: str) -> bool:
    """Whether the name is that of an archive, a Parquet file or a medical volume."""
    return kind_of(path) is not None or file_name(path).lower().endswith(VOLUME_SUFFIXES)


def file_name(path: str) -> str:
    """The last part of a path; of a web address, without what follows its path."""
    if path.lower().startswith(_WEB):
        path = path.partition("#")[0].partition("?")[0]
    return os.path.basename(path)


def split_container(uri: str) -> tuple[str, str]:
    """A URI of an image in a container as what precedes the container, and the container.

    Any other string is returned behind an empty one.
    """
    found = _HEAD.match(uri) if "://" in uri else None
    if found is None or os.path.lexists(uri):
        return "", uri
    return found[0], uri[found.end() :]


def join_uri(kind: str, member: str, container: str) -> str:
    """The URI of a member of a container of this kind."""
    escaped = _TO_ESCAPE.sub(_escape, member) if ":" in member or "%" in member else member
    return f"{kind}://{escaped}::{container}"


def split_uri(uri: str) -> Location | None:
    """The member and the container that a URI names; None for any other string.

    Only what begins with one of the schemes is a URI, and a local file of that very name comes
    first: then the string is its path.
    """
    found = _URI.fullmatch(uri)
    if found is None or os.path.lexists(uri):
        return None
    _, member, container = found.groups()
    return Location(_ESCAPED.sub(_unescape, member), container)


def _escape(found: re.Match[str]) -> str:
    return "%3A" if found[0] == ":" else "%25"


def _unescape(found: re.Match[str]) -> str:
    return ":" if found[1] == "3A" else "%"
