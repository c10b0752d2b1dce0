from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.detectors import cards
from memscan.detectors.cards import Calibration, Card, Cuts, Input
from memscan.errors import InputError

CARD = Card(
    kind="deepssim",
    name="of a test",
    input=Input(64, 48, channels=1, standardised=True),
    dimensions=8,
    cuts=Cuts(0.85, 0.6),
    architecture={"backbone": "convnext-small-cpu"},
    training={"images": 3},
).calibrated(Cuts(0.85, 0.6), Calibration(1e-3, 0.0, 0.9, 10, 1000), "0" * 64)

numbers = st.floats(-1, 1)
names = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=40)
made = st.builds(
    Card,
    kind=st.sampled_from(cards.KINDS),
    name=names,
    input=st.builds(
        Input,
        width=st.integers(8, 1024),
        height=st.integers(8, 1024),
        fit=st.sampled_from(cards.FITS),
        channels=st.sampled_from((1, 3)),
        standardised=st.booleans(),
    ),
    dimensions=st.integers(1, 8192),
    cuts=st.builds(lambda a, b: Cuts(max(a, b), min(a, b)), numbers, numbers),
    architecture=st.dictionaries(names, st.integers() | names, max_size=3),
)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


def document() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(CARD.text())
    return read


@given(made)
def test_what_is_written_is_read_again(card: Card) -> None:
    read = cards.parse(json.loads(card.text()))
    assert read == card
    assert read.text() == card.text()


def test_a_whole_card_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(CARD.text())
    read = cards.read(str(tmp_path / "model.safetensors"))
    assert read == CARD
    assert read.is_calibrated


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400"])
def test_a_number_that_cannot_be_written_is_refused(tmp_path: Path, number: str) -> None:
    (tmp_path / "model.json").write_text(CARD.text().replace('"images": 3', f'"images": {number}'))
    with pytest.raises(InputError, match=r"model\.json: is no JSON"):
        cards.read(str(tmp_path / "model.safetensors"))


def test_what_a_card_need_not_say() -> None:
    least = {
        "memscan_card": 1,
        "kind": "encoder",
        "name": "x",
        "input": {"width": 8, "height": 8},
        "dimensions": 1,
        "cuts": {"duplicate": 1, "similar": -1},
    }
    card = cards.parse(least)
    assert (card.input.channels, card.input.fit, card.calibration, card.sha256) == (
        3,
        "stretch",
        None,
        None,
    )
    assert not card.is_calibrated


@given(json_values)
def test_whatever_is_no_card_is_told(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must be|is no field"):
        cards.parse(value)


@given(st.data())
def test_a_changed_field_is_read_or_told(data: st.DataObject) -> None:
    changed = document()
    inner = data.draw(st.sampled_from(("", "input", "cuts", "calibration")))
    fields = changed[inner] if inner else changed
    name = data.draw(st.sampled_from(sorted(fields)))
    fields[name] = data.draw(json_values)
    told, card = "", None
    try:
        card = cards.parse(changed)
    except ValueError as error:
        told = str(error)
    if card is None:
        assert 0 < len(told) < 200
        assert "\n" not in told
    else:
        assert 8 <= card.input.width <= 4096
        assert 1 <= card.dimensions <= 8192
        assert card.cuts.similar <= card.cuts.duplicate


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        ("memscan_card", 2, "memscan_card must be 1"),
        ("kind", "sscd", "kind must be one of deepssim, lcmem, encoder"),
        ("name", "two\nlines", "name must be a line of text"),
        ("name", "", "name must be a line of text"),
        ("input", [], "input must be an object"),
        ("input.width", 7, "width must be a whole number from 8 to 4096"),
        ("input.height", 1 << 40, "height must be a whole number from 8 to 4096"),
        ("input.height", True, "height must be a whole number"),
        ("input.channels", 2, "channels must be 1 or 3"),
        ("input.fit", "zoom", "fit must be one of stretch, crop, pad"),
        ("input.mean", [0.5], "mean and std must have one number for each channel"),
        ("input.mean", ["0.5"], "mean must be a list of numbers"),
        ("input.standardised", 1, "standardised must be true or false"),
        ("dimensions", 0, "dimensions must be a whole number"),
        ("dimensions", 1e300, "dimensions must be a whole number"),
        ("cuts.duplicate", float("nan"), "duplicate must be a number from -1 to 1"),
        ("cuts.duplicate", 0.5, "the cut of similar pairs must not be above"),
        ("input", {"width": 4096, "height": 257}, "width times height must be 1048576 or less"),
        ("calibration.rate", 2, "rate must be a number from 0 to 1"),
        ("calibration.observed", 0.01, "observed must be a number from 0 to 0.001"),
        ("sha256", None, "sha256 must say which weights the calibration is of"),
        ("calibration.positives", 0, "positives must be a whole number"),
        ("calibration.settings", "0" * 63, "settings must be 64 hexadecimal digits"),
        ("sha256", "F" * 64, "sha256 must be 64 hexadecimal digits"),
        ("sha256", "0" * 63, "sha256 must be 64 hexadecimal digits"),
        ("architecture", None, "architecture must be an object"),
        ("code", "import os", "'code' is no field of a card"),
    ],
)
def test_a_field_without_meaning_is_named(place: str, value: Any, sentence: str) -> None:
    changed = copy.deepcopy(document())
    inner, _, name = place.rpartition(".")
    (changed[inner] if inner else changed)[name] = value
    with pytest.raises(ValueError, match=sentence):
        cards.parse(changed)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("kind", "encoder"),
        ("input.width", 32),
        ("input.fit", "crop"),
        ("input.standardised", False),
        ("dimensions", 9),
        ("cuts.duplicate", 0.8),
        ("cuts.similar", 0.5),
        ("architecture.backbone", "convnext-tiny"),
        ("sha256", "1" * 64),
    ],
)
def test_a_calibration_is_of_no_other_settings(place: str, value: Any) -> None:
    changed = document()
    inner, _, name = place.rpartition(".")
    (changed[inner] if inner else changed)[name] = value
    card = cards.parse(changed)
    assert not card.is_calibrated
    assert cards.lapse("a/model.onnx", card) == (
        "a/model.json: counts as not calibrated: the input, the cuts or another setting was "
        "changed since the calibration; run memscan calibrate again"
    )


def test_what_no_score_depends_on_may_change() -> None:
    changed = document()
    changed.update(name="renamed", training={})
    changed["input"] = dict(reversed(list(changed["input"].items())))
    other = cards.parse(changed)
    assert other.is_calibrated
    assert cards.lapse("model.onnx", other) is None


def test_a_calibration_that_notes_no_settings_does_not_count() -> None:
    changed = document()
    del changed["calibration"]["settings"]
    card = cards.parse(changed)
    assert card.calibration is not None
    assert not card.is_calibrated
    sentence = cards.lapse("model.onnx", card)
    assert sentence is not None
    assert sentence.startswith("model.json: counts as not calibrated: an earlier memscan did not")
    assert cards.lapse("model.onnx", dataclasses.replace(card, calibration=None)) is None


def test_means_need_deviations_that_divide() -> None:
    changed = document()
    changed["input"].update(mean=[0.5], std=[0.0], standardised=False)
    with pytest.raises(ValueError, match="std must be positive"):
        cards.parse(changed)
    changed["input"].update(std=[0.2])
    assert cards.parse(changed).input.std == (0.2,)
    changed["input"].update(standardised=True)
    with pytest.raises(ValueError, match="false with mean and std"):
        cards.parse(changed)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b"[]", "not a card that can be used: the card must be an object"),
        (b" " * ((1 << 20) + 1), "too large for a card"),
    ],
)
def test_a_file_that_is_no_card_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(InputError, match=sentence) as caught:
        cards.read(str(tmp_path / "model.onnx"))
    assert str(caught.value).startswith(str(tmp_path / "model.json"))


def test_weights_without_a_card_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such card, which must say how .*model\.onnx"):
        cards.read(str(tmp_path / "model.onnx"))
    (tmp_path / "model.json").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        cards.read(str(tmp_path / "model.onnx"))


def test_weights_must_have_the_sum_on_the_card() -> None:
    with pytest.raises(InputError, match=r"^w: not the file that its card describes"):
        cards.require_hash("w", CARD, b"other")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    for said in (None, empty):
        assert cards.require_hash("w", dataclasses.replace(CARD, sha256=said), b"") == empty
