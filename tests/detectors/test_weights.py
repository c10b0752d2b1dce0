from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from memscan.detectors import cards, weights
from memscan.errors import InputError, OutputError
from tests.detectors.test_cards import CARD

STATE = {"a": torch.arange(6.0).reshape(2, 3), "b.weight": torch.ones(1)}


class _Trap:
    """A pickle that leaves a trace where it is opened."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (self.path,)


def test_weights_come_back_with_their_card(tmp_path: Path) -> None:
    path = str(tmp_path / "model.safetensors")
    written = weights.write(path, {**STATE, "c": STATE["a"].T}, CARD)
    assert cards.read(path) == written
    content = weights.read_bytes(path)
    assert cards.require_hash(path, written, content) == written.sha256 != CARD.sha256
    read = weights.parse(path, content)
    assert torch.equal(read["a"], STATE["a"])
    assert torch.equal(read["c"], STATE["a"].T)
    assert sorted(os.listdir(tmp_path)) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_and_not_opened(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(_Trap(str(tmp_path / "sprung")), protocol))
    with pytest.raises(InputError, match=r"a pickle, which could run any code; convert it"):
        weights.read_bytes(str(path))
    assert os.listdir(tmp_path) == ["model.pkl"]


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([1.0, float("nan")]),
        torch.tensor([float("inf")]),
        torch.ones(2).to(torch.float8_e4m3fn),
    ],
)
def test_what_is_no_finite_number_is_refused(tmp_path: Path, tensor: torch.Tensor) -> None:
    with pytest.raises(InputError, match="damaged weights: 'b' holds what is no finite number"):
        weights.parse("model.safetensors", save({**STATE, "b": tensor}))


def like_a_pickle(second: int) -> bytes:
    """Weights whose header has a length of these bytes: 0x80, and the second one.

    One header in 32 has a length that begins with the byte of a pickle.
    """
    states = ({"a" * count: STATE["a"]} for count in range(1, 2000))
    return next(one for one in map(save, states) if one[:2] == bytes([0x80, second]))


@pytest.mark.parametrize("second", range(7))
def test_damaged_weights_are_not_taken_for_a_pickle(tmp_path: Path, second: int) -> None:
    sound = like_a_pickle(second)
    cut = [sound[:length] for length in (1, 3, 7, 8, 9, 40, len(sound) - 1)]
    spoilt = [sound[:place] + b"\xff" + sound[place + 1 :] for place in range(10)]
    path = tmp_path / "model.safetensors"
    for content in cut + spoilt:
        path.write_bytes(content)
        with pytest.raises(InputError, match="is no safetensors file, or a damaged one"):
            weights.parse(str(path), weights.read_bytes(str(path)))


@settings(max_examples=60)
@given(
    st.recursive(
        st.none() | st.integers() | st.floats() | st.text() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
    ),
    st.integers(2, pickle.HIGHEST_PROTOCOL),
)
def test_a_pickle_is_known_by_how_it_begins(value: object, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    assert weights.is_pickle(content) != (content[8:9] == b"{")


def test_weights_whose_header_is_as_long_as_a_pickle_begins_are_read(tmp_path: Path) -> None:
    content = like_a_pickle(0)
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    assert len(weights.parse(str(path), weights.read_bytes(str(path)))) == 1


@pytest.mark.parametrize("protocol", [0, 1])
def test_an_old_pickle_is_no_safetensors_file(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(_Trap(str(tmp_path / "sprung")), protocol))
    with pytest.raises(InputError, match="is no safetensors file"):
        weights.parse(str(path), weights.read_bytes(str(path)))
    assert os.listdir(tmp_path) == ["model.pkl"]


def test_what_torch_saves_is_refused(tmp_path: Path) -> None:
    for number, zipped in enumerate((True, False)):
        path = str(tmp_path / f"{number}.pt")
        torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(InputError, match=r"safetensors\.torch\.save_file"):
            weights.parse(path, weights.read_bytes(path))


def test_the_sentence_on_pickles_holds(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "old.pt")
    from safetensors.torch import save_file

    save_file(torch.load(tmp_path / "old.pt", weights_only=True), tmp_path / "model.safetensors")
    assert "safetensors.torch.save_file(torch.load(FILE, weights_only=True)" in weights.CONVERSION
    path = str(tmp_path / "model.safetensors")
    assert torch.equal(weights.parse(path, weights.read_bytes(path))["a"], STATE["a"])


@settings(max_examples=60)
@given(st.data())
def test_damaged_weights_are_one_sentence(data: st.DataObject) -> None:
    content = bytearray(save(STATE))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, 80))] = data.draw(st.integers(0, 255))
    told, read = "", {}
    try:
        read = weights.parse("w", bytes(content))
    except InputError as error:
        told = str(error)
    if told:
        assert told.startswith("w: is no safetensors file, or a damaged one")
    else:  # a changed letter of a name, or of nothing that counts
        assert sum(tensor.numel() for tensor in read.values()) <= 14


def test_weights_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"missing.safetensors: cannot be read: No such file"):
        weights.read_bytes(str(tmp_path / "missing.safetensors"))
    with pytest.raises(InputError, match="cannot be read"):
        weights.read_bytes(str(tmp_path))
    (tmp_path / "large").write_bytes(b"12345")
    monkeypatch.setattr(weights, "MOST_BYTES", 4)
    with pytest.raises(InputError, match="too large for weights"):
        weights.read_bytes(str(tmp_path / "large"))


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        weights.write(str(tmp_path / "no" / "model.safetensors"), STATE, CARD)
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="cannot be written"):
        weights.write_whole(str(tmp_path / "there"), b"")
    assert os.listdir(tmp_path) == ["there"]
