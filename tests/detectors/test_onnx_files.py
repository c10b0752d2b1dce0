from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.detectors.onnx_files import NESTED, require_own_tensors
from memscan.errors import InputError

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
helper, Kinds = onnx.helper, onnx.TensorProto


def tensor(location: str | None = None) -> Any:
    made = helper.make_tensor("t", Kinds.FLOAT, [2], [1.0, 2.0])
    if location is not None:
        made.ClearField("float_data")
        made.data_location = Kinds.EXTERNAL
        made.external_data.add(key="location", value=location)
    return made


def sparse(of: Any) -> Any:
    return helper.make_sparse_tensor(of, helper.make_tensor("i", Kinds.INT64, [2], [0, 1]), [4])


def graph(*, tensors: Any = (), nodes: Any = (), sparse_tensors: Any = ()) -> Any:
    made = helper.make_graph(list(nodes), "g", [], [], list(tensors))
    made.sparse_initializer.extend(sparse_tensors)
    return made


def model(of: Any) -> Any:
    return helper.make_model(of)


def in_graph(of: Any) -> Any:
    return model(graph(tensors=[of]))


def in_sparse_values(of: Any) -> Any:
    return model(graph(sparse_tensors=[sparse(of)]))


def in_attribute(of: Any) -> Any:
    return model(graph(nodes=[helper.make_node("Constant", [], ["c"], value=of)]))


def in_attribute_list(of: Any) -> Any:
    return model(graph(nodes=[helper.make_node("Constants", [], ["c"], values=[tensor(), of])]))


def in_branch(of: Any) -> Any:
    branch = graph(nodes=[helper.make_node("Constant", [], ["c"], value=of)])
    deeper = graph(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=branch)])
    return model(graph(nodes=[helper.make_node("If", ["x"], ["y"], then_branch=deeper)]))


def in_function(of: Any) -> Any:
    made = model(graph())
    node = helper.make_node("Constant", [], ["c"], value=of)
    made.functions.append(helper.make_function("d", "f", [], ["c"], [node], []))
    return made


def in_default_of_a_function(of: Any) -> Any:
    made = model(graph())
    function = helper.make_function("d", "f", [], [], [], [])
    function.attribute_proto.append(helper.make_attribute("value", of))
    made.functions.append(function)
    return made


def in_training(of: Any) -> Any:
    made = model(graph())
    made.training_info.add().initialization.CopyFrom(graph(tensors=[of]))
    return made


PLACES = [
    in_graph,
    in_sparse_values,
    in_attribute,
    in_attribute_list,
    in_branch,
    in_function,
    in_default_of_a_function,
    in_training,
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "location", ["data", "../../etc/passwd", "/dev/zero", "*/_ORT_MEM_ADDR_/*"]
)
def test_tensors_elsewhere_are_refused_wherever_they_stand(place: Any, location: str) -> None:
    with pytest.raises(InputError, match=r"^model.onnx: keeps tensors in other files"):
        require_own_tensors("model.onnx", place(tensor(location)).SerializeToString())


@pytest.mark.parametrize("place", PLACES)
def test_own_tensors_are_accepted_wherever_they_stand(place: Any) -> None:
    require_own_tensors("model.onnx", place(tensor()).SerializeToString())


def test_half_a_hint_is_enough_to_refuse() -> None:
    said, named = tensor(), tensor()
    said.data_location = Kinds.EXTERNAL
    named.external_data.add(key="location", value="data")
    for half in (said, named):
        with pytest.raises(InputError, match="keeps tensors in other files"):
            require_own_tensors("model.onnx", in_graph(half).SerializeToString())


def test_a_hint_is_seen_before_and_behind_others() -> None:
    """Fields may come in any order and again, of which a reader takes the last."""
    own, other = tensor().SerializeToString(), tensor("data").SerializeToString()
    for both in (own + other, other + own, other + b"\x70\x00"):
        made = helper.make_model(graph())
        made.graph.initializer.append(Kinds())
        content = made.SerializeToString()
        spot = content.index(b"\x2a\x00")  # the empty initialiser; replaced by one of our own
        body = content[:spot] + b"\x2a" + bytes([len(both)]) + both + content[spot + 2 :]
        start = body.index(b"\x3a") + 1
        longer = body[:start] + bytes([body[start] + len(both)]) + body[start + 1 :]
        onnx.ModelProto.FromString(longer)  # it is a model
        with pytest.raises(InputError, match="keeps tensors in other files"):
            require_own_tensors("model.onnx", longer)


def test_every_way_to_a_tensor_is_known() -> None:
    """The table is what the format's own description says."""

    def leads(message: Any, seen: tuple[str, ...] = ()) -> bool:
        """Whether a message of this kind can hold a tensor."""
        if message is None or message.full_name in seen:
            return False
        below = (*seen, message.full_name)
        return message.name == "TensorProto" or any(
            leads(field.message_type, below) for field in message.fields
        )

    expected: dict[str, dict[int, str]] = {}
    pending = [onnx.ModelProto.DESCRIPTOR]
    while pending:
        message = pending.pop()
        if message.name not in expected:
            fields = [] if message.name == "TensorProto" else message.fields
            fields = [field for field in fields if leads(field.message_type)]
            expected[message.name] = {field.number: field.message_type.name for field in fields}
            pending += [field.message_type for field in fields]
    assert {name: dict(fields) for name, fields in NESTED.items()} == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_judged_without_a_crash(content: bytes) -> None:
    with pytest.raises(InputError, match="neither an ONNX file nor"):
        require_own_tensors("model.onnx", content)


@given(st.data())
def test_a_damaged_model_is_judged_without_a_crash(data: st.DataObject) -> None:
    content = bytearray(in_branch(tensor()).SerializeToString())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(InputError):  # most damage is to names and numbers
        require_own_tensors("model.onnx", bytes(content))
