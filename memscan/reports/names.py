"""File names from strangers, made safe to show: here alone, paths become printable."""

from __future__ import annotations

import base64
import os
from typing import Sequence
from urllib.parse import quote

from memscan.sources.stores import is_remote, shown
from memscan.sources.uris import split_container

_FORMULA_STARTS = ("=", "+", "-", "@")


def inert(text: str) -> str:
    r"""The text with everything that is not printable written as an escape.

    Control characters, line breaks, bidirectional overrides and terminal sequences become
    ``\\x1b`` or ``\\u202e``; a byte that is not UTF-8 becomes ``\\xff``. Other text stays as it is.
    """
    return text if text.isprintable() else "".join(map(_inert_character, text))


def inert_path(path: str) -> str:
    """A path or a URL as :func:`inert` text, without passwords and queries."""
    return inert(shown(path))


def escaped_bytes(path: str) -> str:
    r"""The path with each byte that is not UTF-8 written as ``\\xff``; the rest stays as it is."""
    return "".join(_byte_escape(c) if _is_escaped_byte(c) else c for c in shown(path))


def base64_bytes(path: str) -> str:
    """The path's bytes in the file system's encoding, as base64."""
    return base64.b64encode(os.fsencode(shown(path))).decode("ascii")


def base64_unless_utf8(path: str) -> str | None:
    """The bytes of a path that is not UTF-8, as base64; None for one that is."""
    return base64_bytes(path) if any(map(_is_escaped_byte, path)) else None


def path_fields(key: str, path: str) -> dict[str, str]:
    """A path as JSON holds it: escaped under its key and, unless it is UTF-8, in base64 as well."""
    in_base64 = base64_unless_utf8(path)
    fields = {key: escaped_bytes(path)}
    return fields if in_base64 is None else {**fields, f"{key}_base64": in_base64}


def path_list_fields(key: str, paths: Sequence[str]) -> dict[str, list[str | None]]:
    """Several paths as JSON holds them: a second list in base64 if not all are UTF-8."""
    fields: dict[str, list[str | None]] = {key: [escaped_bytes(path) for path in paths]}
    in_base64 = [base64_unless_utf8(path) for path in paths]
    return {**fields, f"{key}_base64": in_base64} if any(in_base64) else fields


def table_cell(text: str) -> str:
    """The text, inert and with an apostrophe before what a spreadsheet would take for a formula."""
    shown = inert(text)
    return "'" + shown if shown.startswith(_FORMULA_STARTS) else shown


def path_cells(column: str, path: str) -> dict[str, str]:
    """A path as a table holds it: in its column and, where that changed it, in base64 as well."""
    cell = table_cell(shown(path))
    return {column: cell, f"{column}_base64": "" if cell == shown(path) else base64_bytes(path)}


def file_uri(path: str) -> str | None:
    """The absolute ``file:`` URI of the path's bytes, in ASCII; None if they cannot be a path.

    That of the container for an image in one, and None for what is on a store.
    """
    path = split_container(path)[1]
    if is_remote(path):
        return None
    try:
        absolute = os.fsencode(os.path.abspath(path).replace(os.sep, "/"))
    except ValueError:  # a lone surrogate, or a null byte where the system objects to it
        return None
    return "file:///" + quote(absolute.lstrip(b"/"), safe="/:")


def _is_escaped_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"


def _byte_escape(character: str) -> str:
    return f"\\x{ord(character) - 0xDC00:02x}"


def _inert_character(character: str) -> str:
    if character.isprintable():
        return character
    if _is_escaped_byte(character):
        return _byte_escape(character)
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


def hex_digits(hash: int, bits: int) -> str:
    """A hash of so many bits as text, the first bit first, as imagehash and PDQ write it."""
    return f"{hash:0{bits // 4}x}"
