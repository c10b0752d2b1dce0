"""Weights on disk: safetensors with a card, and nothing that could run code.

A pickle can do anything to whoever opens it, so none is read, and a file that looks like one is
refused by a sentence that says how to convert it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from typing import TYPE_CHECKING, Dict

from memscan.detectors import cards
from memscan.detectors.cards import Card
from memscan.detectors.extras import require
from memscan.errors import InputError, OutputError

if TYPE_CHECKING:
    import torch

State = Dict[str, "torch.Tensor"]

_DTYPES = {
    f"torch.{name}"
    for name in ("bfloat16", "float16", "float32", "float64", "int32", "int64", "uint8", "bool")
}

MOST_BYTES = 1 << 33
"""Files of more are refused: eight gigabytes, twice the largest encoder in use."""

CONVERSION = (
    "convert it in a place where you trust it: "
    "safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'model.safetensors')"
)


def read_bytes(path: str, conversion: str = CONVERSION) -> bytes:
    """A file of weights; raises InputError for one that cannot be read, and for a pickle.

    ``conversion`` says what to make of a pickle.
    """
    try:
        if os.path.getsize(path) > MOST_BYTES:
            raise InputError(f"{path}: too large for weights")
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if is_pickle(content):
        raise InputError(f"{path}: a pickle, which could run any code; {conversion}")
    return content


def is_pickle(content: bytes) -> bool:
    """Whether it begins as pickles do since protocol 2: with PROTO, its number up to 5, an opcode.

    What is too short to tell counts as a pickle. The length that safetensors begin with may have
    the same first bytes, but it is 8 bytes long, so that it goes on with zeros, and "{" follows,
    one of which is there in a damaged file as well.
    """
    return (
        content[:1] == b"\x80"
        and b"\0" <= content[1:2] <= b"\x05"
        and content[2:3] != b"\0"
        and content[8:9] != b"{"
    )


def is_safetensors(content: bytes) -> bool:
    """Whether it begins with the length of a header in JSON, whatever byte that length begins with.

    No pickle does: its first bytes would be a protocol and an opcode of as many bytes.
    """
    return content[8:9] == b"{" and 8 + int.from_bytes(content[:8], "little") <= len(content)


def parse(path: str, content: bytes) -> State:
    """The tensors of a safetensors file. Raises InputError."""
    require("safetensors", "learned")
    from safetensors import SafetensorError
    from safetensors.torch import load

    if content[:4] == b"PK\3\4":
        raise InputError(
            f"{path}: a torch archive, which may hold a pickle, and not safetensors; {CONVERSION}"
        )
    try:
        state = load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise InputError(f"{path}: is no safetensors file, or a damaged one: {error}") from error
    for name, tensor in state.items():
        if str(tensor.dtype) not in _DTYPES or not bool(tensor.isfinite().all()):
            raise InputError(
                f"{path}: damaged weights: {name!r:.80} holds what is no finite number"
            )
    return state


def write(path: str, state: State, card: Card) -> Card:
    """Write weights, then the card beside them with their sha256; each appears whole.

    Returns the card as it was written. Raises OutputError.
    """
    require("safetensors", "learned")
    from safetensors.torch import save

    content = save({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()})
    stamped = dataclasses.replace(card, sha256=hashlib.sha256(content).hexdigest())
    write_whole(path, content)
    write_whole(cards.path_of(path), stamped.text().encode("utf-8"))
    return stamped


def write_whole(path: str, content: bytes) -> None:
    """Write a file that appears whole or not at all. Raises OutputError."""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        try:
            with open(temporary, "xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror}") from error
