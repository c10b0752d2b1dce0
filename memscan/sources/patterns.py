"""From what was given as a source to paths: braces, globs, and lists of files."""

from __future__ import annotations

import glob
import os
import re
import sys
from typing import Iterator

from memscan.errors import InputError

MAX_EXPANSIONS = 1_000_000
"""Paths that one pattern may stand for."""

_BRACES = re.compile(r"\{(?:([0-9]+)\.\.([0-9]+)|([^{}]*,[^{}]*))\}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def expand(pattern: str, limit: int = MAX_EXPANSIONS) -> list[str]:
    """The paths that a pattern stands for, each once, in bytewise order.

    ``{00000..00099}`` stands for each number, both ends included, with as many digits as the longer
    end if one begins with 0; ``{a,b}`` for each of the words. Braces with neither stay as they
    are, and so do braces around such. ``*``, ``?`` and ``[…]`` then match files as a shell does,
    but for names that begin with a dot. A path that exists is always taken as it stands. In URLs
    only braces are expanded, and whether the files exist is not looked at. Raises InputError if
    one of the paths does not exist, nothing matches, or there are more than ``limit``.
    """
    if os.path.lexists(pattern):
        return [pattern]
    found: set[str] = set()
    for word in list(_without_braces(pattern, limit)):
        found.update(_files(word, pattern))
        if len(found) > limit:
            raise _too_many(pattern, limit)
    return sorted(found, key=os.fsencode)


def _without_braces(pattern: str, limit: int) -> Iterator[str]:
    left = [pattern]
    count = 0
    while left:
        word = left.pop()
        braces = _BRACES.search(word)
        if braces is None:
            count += 1
            yield word
        else:
            before, behind = word[: braces.start()], word[braces.end() :]
            first, last, words = braces.groups()
            if words is not None:
                left += [before + inner + behind for inner in words.split(",")]
            else:
                low, high = sorted((int(first), int(last)))
                if high - low >= limit:
                    raise _too_many(pattern, limit)
                padded = any(end.startswith("0") and len(end) > 1 for end in (first, last))
                width = max(len(first), len(last)) if padded else 0
                left += [f"{before}{number:0{width}}{behind}" for number in range(low, high + 1)]
        if count + len(left) > limit:
            raise _too_many(pattern, limit)


def _files(word: str, pattern: str) -> list[str]:
    """The paths that a word without braces stands for; ``pattern`` is where it comes from."""
    if _URL.match(word) or os.path.lexists(word):
        return [word]
    if not glob.has_magic(word):
        origin = "" if word == pattern else f" (from {pattern})"
        raise InputError(f"{word}: there is no such file or directory{origin}")
    matches = glob.glob(word)
    if not matches:
        raise InputError(f"{word}: there is no such file or directory, and no file matches it")
    return matches


def _too_many(pattern: str, limit: int) -> InputError:
    return InputError(f"{pattern}: stands for more than {limit} paths")


def files_from(path: str, nul: bool = False) -> list[str]:
    """The paths in a list, in its order: one in a line, or with ``nul`` each ended by a NUL byte.

    ``-`` is standard input. Names are bytes as the file system has them; a relative one is relative
    to the working directory. Empty lines are passed over and a carriage return at the end of a line
    is dropped; with ``nul`` every byte counts. Raises InputError for a list that cannot be read,
    is empty, or holds an empty name or, without ``nul``, a NUL byte.
    """
    data = _read(path)
    shown = "standard input" if path == "-" else path
    if nul:
        names = data.split(b"\0")
        if not names[-1]:
            names.pop()
        if b"" in names:
            raise InputError(f"{shown}: name {names.index(b'') + 1} is empty")
    else:
        if b"\0" in data:
            raise InputError(f"{shown}: there are NUL bytes between the names (-0 reads these)")
        lines = (line[:-1] if line.endswith(b"\r") else line for line in data.split(b"\n"))
        names = [line for line in lines if line]
    if not names:
        raise InputError(f"{shown}: the list of files is empty")
    try:
        return [os.fsdecode(name) for name in names]
    except UnicodeDecodeError as error:  # on Windows alone
        raise InputError(f"{shown}: a name is not UTF-8 ({error})") from error


def _read(path: str) -> bytes:
    try:
        if path == "-":
            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
