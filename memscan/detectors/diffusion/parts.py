"""The files of a part of a model in the layout of diffusers, read as what strangers wrote."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping, Sequence

from memscan.errors import InputError

Document = Dict[str, Any]

CONFIG = "config.json"
_MOST_BYTES = 1 << 24  # the vocabulary of CLIP has one megabyte


def read_text(path: str) -> str:
    """A file of text in UTF-8. Raises InputError."""
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path}: too large for what it should hold")
    try:
        return content.decode("utf-8")
    except ValueError as error:
        raise InputError(f"{path}: is no text in UTF-8") from error


def read_object(path: str) -> Document:
    """A regular file that holds a JSON object. Raises InputError."""
    refuse_pipe(path)
    try:
        document = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: is no JSON object")
    return document


def names_in(folder: str) -> list[str]:
    """What is in a directory, in order; nothing if it is none. Raises InputError."""
    try:
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    except OSError as error:
        raise InputError(f"{folder}: cannot be read: {error.strerror}") from error


def refuse_pipe(path: str) -> None:
    """Raise InputError for what would have to be waited for, maybe without end."""
    if os.path.exists(path) and not os.path.isfile(path):
        raise InputError(f"{path}: not a regular file")


def whole(document: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    """A field that is a whole number within bounds. Raises ValueError that names it."""
    value = document.get(name, default)
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}")
    return value


def number(
    document: Mapping[str, Any], name: str, default: float, least: float, most: float
) -> float:
    """A field that is a number within bounds. Raises ValueError that names it."""
    value = document.get(name, default)
    if type(value) not in (int, float) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}")
    return float(value)


def flag(document: Mapping[str, Any], name: str, default: bool) -> bool:
    """A field that is true or false. Raises ValueError that names it."""
    value = document.get(name, default)
    if type(value) is not bool:
        raise ValueError(f"{name} must be true or false")
    return value


def word(document: Mapping[str, Any], name: str, default: str, known: Sequence[str]) -> str:
    """A field that is one of some words. Raises ValueError that names it."""
    value = document.get(name, default)
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}")
    return value
