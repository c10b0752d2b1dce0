"""File names from strangers, made safe to show."""

from __future__ import annotations

import base64
import os
from urllib.parse import quote


def inert(text: str) -> str:
    r"""The text with everything that is not printable written as an escape.

    Control characters, line breaks, bidirectional overrides and terminal sequences become
    ``\\x1b`` or ``\\u202e``; a byte that is not UTF-8 becomes ``\\xff``. Other text stays as it is.
    """
    return text if text.isprintable() else "".join(map(_inert_character, text))


def escaped_bytes(path: str) -> str:
    r"""The path with each byte that is not UTF-8 written as ``\\xff``; the rest stays as it is."""
    return "".join(_byte_escape(c) if _is_escaped_byte(c) else c for c in path)


def base64_bytes(path: str) -> str:
    """The path's bytes in the file system's encoding, as base64."""
    return base64.b64encode(os.fsencode(path)).decode("ascii")


def base64_unless_utf8(path: str) -> str | None:
    """The bytes of a path that is not UTF-8, as base64; None for one that is."""
    return base64_bytes(path) if any(map(_is_escaped_byte, path)) else None


def file_uri(path: str) -> str | None:
    """The absolute ``file:`` URI of the path's bytes, in ASCII; None if they cannot be a path."""
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
