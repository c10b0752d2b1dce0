"""What makes hashes comparable, and what tells one shard from another."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Dict, Mapping, TypeVar, Union

from memscan import vectors

Json = Union[None, bool, int, float, str, "list[Json]", "dict[str, Json]"]
Libraries = Dict[str, str]

Value = TypeVar("Value")

_MOST_VIEWS, _MOST_WORDS, _MOST_DIMENSIONS = 1024, 64, 8192


class DocumentError(ValueError):
    """A JSON document does not say what it must; the text says what is wrong."""


@dataclass(frozen=True)
class Encoder:
    """How the hashes of a table were made.

    Two tables are comparable if their ``algorithm`` (``"phash-64"``, or what tells the weights of a
    network from others) and ``decoding`` (``"exact"`` or ``"fast"``) are equal. ``fingerprint``
    holds all that can change a hash or a flag, and decides whether a part is made again. ``views``
    names the other views in the order of their columns, ``words`` is the number of 64-bit words of
    one hash. ``dimensions`` is the length of an embedding, 0 for hashes: each image then has the
    words of :mod:`memscan.vectors`.
    """

    algorithm: str
    decoding: str
    fingerprint: str
    views: tuple[str, ...] = ()
    words: int = 1
    dimensions: int = 0

    def to_json(self) -> dict[str, Json]:
        """The encoder as a JSON object."""
        document: dict[str, Json] = {
            "algorithm": self.algorithm,
            "decoding": self.decoding,
            "fingerprint": self.fingerprint,
            "views": list(self.views),
            "words": self.words,
        }
        if self.dimensions:  # tables of hashes are the same bytes as before there were others
            document["dimensions"] = self.dimensions
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Encoder:
        """The encoder that an object describes. Raises DocumentError."""
        views = get(document, "views", list)
        if not all(isinstance(name, str) for name in views) or len(set(views)) < len(views):
            raise DocumentError("views must be a list of different names")
        words = number(document, "words")
        dimensions = number(document, "dimensions") if "dimensions" in document else 0
        if dimensions > _MOST_DIMENSIONS:
            raise DocumentError("no embedding has that many dimensions")
        most = vectors.words_of(dimensions) if dimensions else _MOST_WORDS
        least = most if dimensions else 1
        if not least <= words <= most or len(views) > _MOST_VIEWS:
            raise DocumentError("no hash has that many words or views")
        return cls(
            get(document, "algorithm", str),
            get(document, "decoding", str),
            get(document, "fingerprint", str),
            tuple(views),
            words,
            dimensions,
        )


@dataclass(frozen=True)
class Shard:
    """A piece of a source that is hashed at once: an archive, a row group, a run of files.

    ``stamp`` is any JSON value that changes when the shard does (size and times, an ETag).
    """

    name: str
    stamp: Json = None

    def to_json(self) -> dict[str, Json]:
        """The shard as a JSON object."""
        return {"name": printable(self.name), "stamp": self.stamp}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Shard:
        """The shard that an object describes. Raises DocumentError."""
        return cls(get(document, "name", str), document.get("stamp"))

    @property
    def identity(self) -> str:
        """Name and stamp as one text: equal for the same shard in the same state."""
        return dumps(self.to_json())

    @property
    def part_name(self) -> str:
        """The name of the part file of this shard, which depends on nothing but its name."""
        digest = hashlib.sha256(printable(self.name).encode("utf-8")).hexdigest()
        return f"part-{digest[:16]}.parquet"


def printable(text: str) -> str:
    """The text with what UTF-8 cannot hold (parts of a name in another encoding) escaped."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def dumps(document: Json) -> str:
    """A JSON document in ASCII, the same text for equal documents. Raises ValueError for NaN."""
    return json.dumps(document, sort_keys=True, allow_nan=False)


def loads(text: str | bytes) -> dict[str, Any]:
    """A JSON object that a stranger wrote. Raises DocumentError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"not JSON: {str(error).splitlines()[0]}") from error
    if not isinstance(document, dict):
        raise DocumentError("not a JSON object")
    return document


def get(document: Mapping[str, Any], key: str, kind: type[Value]) -> Value:
    """A member of an object that must be of one kind. Raises DocumentError."""
    value = document.get(key)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise DocumentError(f"{key} is missing, or not what it should be")
    return value


def number(document: Mapping[str, Any], key: str) -> int:
    """A count: a whole number from 0 to 2**63 - 1. Raises DocumentError."""
    value = get(document, key, int)
    if not 0 <= value < 1 << 63:
        raise DocumentError(f"{key} is no count")
    return value
