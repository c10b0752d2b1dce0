"""What lies in an ONNX file, as far as it must be known before the file is opened.

A tensor may say that its numbers lie in another file, or even at an address in memory. Runtimes
differ in how far they follow such a hint, so that files with one are refused here. The file is a
protobuf message (onnx.proto of the ONNX project); its tensors are stepped over and not read.
"""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple

from memscan.errors import InputError

MOST_BYTES = (1 << 31) - 1
"""Of a protobuf message."""

NESTED: Mapping[str, Mapping[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {},
}
"""The numbers of the fields on the way from a model to its tensors, and what they hold."""

_IR_VERSION, _GRAPH = 1, 7  # of a model: fields that each has
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor
_VARINT, _EIGHT_BYTES, _DELIMITED, _FOUR_BYTES = 0, 1, 2, 5


class _MalformedError(ValueError):
    """These bytes are no protobuf message."""


class _Field(NamedTuple):
    """A field of a message: its number, the place behind it, and its number or its span."""

    number: int
    wire: int
    start: int
    end: int
    value: int


def require_own_tensors(path: str, content: bytes) -> None:
    """Raise InputError unless this is an ONNX file that holds all its tensors itself."""
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: too large for an ONNX file, which has 2 GB at the most")
    try:
        _require_model(content)
        external = _has_external_tensor(content)
    except _MalformedError as error:
        raise InputError(
            f"{path}: neither an ONNX file nor a TorchScript archive, or a damaged one"
        ) from error
    if external:
        raise InputError(
            f"{path}: keeps tensors in other files (external data), which are not read; make it "
            "one file: torch.onnx.export(..., external_data=False), or "
            "onnx.save(onnx.load(FILE), 'model.onnx')"
        )


def _require_model(content: bytes) -> None:
    numbers = {field.number for field in _fields(content, 0, len(content))}
    if not {_IR_VERSION, _GRAPH} <= numbers:
        raise _MalformedError


def _has_external_tensor(content: bytes) -> bool:
    pending = [("ModelProto", 0, len(content))]
    while pending:
        kind, start, end = pending.pop()
        nested = NESTED[kind]
        for field in _fields(content, start, end):
            if kind == "TensorProto":
                if field.number == _EXTERNAL_DATA or (
                    field.number == _DATA_LOCATION and (field.wire != _VARINT or field.value)
                ):
                    return True
            elif field.number in nested and field.wire == _DELIMITED:
                pending.append((nested[field.number], field.start, field.end))
    return False


def _fields(content: bytes, start: int, end: int) -> Iterator[_Field]:
    """The fields of the message from ``start`` to ``end``. Raises _MalformedError."""
    place = start
    while place < end:
        key, place = _varint(content, place, end)
        number, wire = key >> 3, key & 7
        value, begin = 0, place
        if wire == _VARINT:
            value, place = _varint(content, place, end)
        elif wire == _DELIMITED:
            length, begin = _varint(content, place, end)
            place = begin + length
        elif wire in (_EIGHT_BYTES, _FOUR_BYTES):
            place += 8 if wire == _EIGHT_BYTES else 4
        else:  # groups, which ONNX has none of
            raise _MalformedError
        if place > end or not 0 < number < 1 << 29:
            raise _MalformedError
        yield _Field(number, wire, begin, place, value)


def _varint(content: bytes, place: int, end: int) -> tuple[int, int]:
    """A number of seven bits in a byte, the lowest first, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= end:
            break
        byte = content[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _MalformedError
