"""Configurations in JSON: frozen dataclasses whose fields say what they take.

A field is made by :func:`number`, :func:`whole` or :func:`choice`, or holds another such dataclass,
a line of text or None. Every field has a default; a file says what is to differ.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Mapping, TypeVar

from memscan.errors import InputError

Configuration = TypeVar("Configuration")

_MOST_BYTES = 1 << 20


def number(default: float, least: float, most: float) -> Any:
    """A field that takes a number from ``least`` to ``most``."""
    return dataclasses.field(default=default, metadata={"least": least, "most": most})


def whole(default: int, least: int, most: int) -> Any:
    """A field that takes a whole number from ``least`` to ``most``."""
    limits = {"least": least, "most": most, "whole": True}
    return dataclasses.field(default=default, metadata=limits)


def choice(default: str, *others: str) -> Any:
    """A field that takes one of some words."""
    return dataclasses.field(default=default, metadata={"words": (default, *others)})


def path() -> Any:
    """A field that takes the path of a file, and is None where there is none."""
    return dataclasses.field(default=None, metadata={"path": True})


def minutes() -> Any:
    """A field that takes a positive number, and is None where there is no limit."""
    return dataclasses.field(default=None, metadata={"least": 1e-3, "most": 1e6, "optional": True})


def read(file_path: str, default: Configuration) -> Configuration:
    """The configuration in a file. Raises InputError that names the file and the field."""
    try:
        with open(file_path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file_path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"{file_path}: too large for a configuration")
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file_path}: is no JSON: {error}") from error
    try:
        return changed(default, document)
    except ValueError as error:
        raise InputError(f"{file_path}: {error}") from error


def text(configuration: object) -> str:
    """The configuration as a file holds it."""
    return json.dumps(dataclasses.asdict(configuration), indent=2) + "\n"  # type: ignore[call-overload]


def changed(default: Configuration, document: Any, place: str = "") -> Configuration:
    """``default`` with what a JSON document says. Raises ValueError that names the field."""
    if not isinstance(document, dict):
        raise ValueError(f"{place.rstrip('.') or 'the configuration'} must be an object")
    fields: Mapping[str, Any] = {
        field.name: field
        for field in dataclasses.fields(default)  # type: ignore[arg-type]
    }
    changes = {}
    for name, value in document.items():
        if name not in fields:
            raise ValueError(
                f"{place}{name!r:.40} is unknown; there are {', '.join(sorted(fields))}"
            )
        now = getattr(default, name)
        if dataclasses.is_dataclass(now):
            changes[name] = changed(now, value, f"{place}{name}.")
        else:
            changes[name] = _checked(value, fields[name].metadata, f"{place}{name}")
    return dataclasses.replace(default, **changes)  # type: ignore[type-var]


def _checked(value: Any, rules: Mapping[str, Any], name: str) -> Any:
    if value is None and ("optional" in rules or "path" in rules):
        return None
    if "path" in rules:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValueError(f"{name} must be the path of a file, or null")
        return value
    if "words" in rules:
        if value not in rules["words"]:
            raise ValueError(f"{name} must be one of {', '.join(rules['words'])}")
        return value
    kinds = (int,) if "whole" in rules else (int, float)
    least, most = rules["least"], rules["most"]
    if not isinstance(value, kinds) or isinstance(value, bool) or not least <= value <= most:
        noun = "a whole number" if "whole" in rules else "a number"
        raise ValueError(f"{name} must be {noun} from {least:g} to {most:g}")
    return value if "whole" in rules else float(value)
