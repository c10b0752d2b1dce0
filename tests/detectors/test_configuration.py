from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from memscan.detectors import configuration
from memscan.detectors.deepssim_recipe import Recipe
from memscan.errors import InputError


@dataclass(frozen=True)
class Inner:
    share: float = configuration.number(0.5, 0, 1)


@dataclass(frozen=True)
class Outer:
    count: int = configuration.whole(3, 1, 10)
    shape: str = configuration.choice("round", "square")
    file: str | None = configuration.path()
    minutes: float | None = configuration.minutes()
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self) -> None:
        if self.count == 7:
            raise ValueError("count must not be 7")


def read(tmp_path: Path, document: Any) -> Outer:
    (tmp_path / "c.json").write_text(json.dumps(document))
    return configuration.read(str(tmp_path / "c.json"), Outer())


def test_a_file_says_what_is_to_differ(tmp_path: Path) -> None:
    assert read(tmp_path, {}) == Outer()
    assert read(tmp_path, {"inner": {"share": 1}, "count": 4, "file": "w", "minutes": 2}) == Outer(
        count=4, file="w", minutes=2.0, inner=Inner(1.0)
    )
    assert read(tmp_path, {"file": None, "minutes": None, "shape": "square"}).shape == "square"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    for value in (Outer(count=9, inner=Inner(0.25)), Recipe(epochs=3)):
        (tmp_path / "c.json").write_text(configuration.text(value))
        assert configuration.read(str(tmp_path / "c.json"), type(value)()) == value


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ([], "the configuration must be an object"),
        ({"inner": 3}, "inner must be an object"),
        ({"counts": 3}, "'counts' is unknown; there are count, file, inner, minutes, shape"),
        ({"inner": {"shares": 1}}, r"inner\.'shares' is unknown; there are share"),
        ({"count": 0}, "count must be a whole number from 1 to 10"),
        ({"count": 3.0}, "count must be a whole number from 1 to 10"),
        ({"count": True}, "count must be a whole number"),
        ({"count": None}, "count must be a whole number"),
        ({"count": 7}, "count must not be 7"),
        ({"inner": {"share": 1.5}}, r"inner\.share must be a number from 0 to 1"),
        ({"inner": {"share": float("nan")}}, r"inner\.share must be a number"),
        ({"inner": {"share": "1"}}, r"inner\.share must be a number"),
        ({"shape": "flat"}, "shape must be one of round, square"),
        ({"shape": []}, "shape must be one of round, square"),
        ({"file": ""}, "file must be the path of a file, or null"),
        ({"minutes": 0}, "minutes must be a number from 0.001"),
    ],
)
def test_what_has_no_meaning_is_named(tmp_path: Path, document: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        read(tmp_path, document)
    assert str(caught.value).startswith(f"{tmp_path / 'c.json'}: ")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "is no JSON"),
        (b" " * ((1 << 20) + 1), "too large"),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        configuration.read(str(tmp_path / "c.json"), Outer())
    with pytest.raises(InputError, match="cannot be read: No such file"):
        configuration.read(str(tmp_path / "d.json"), Outer())


@pytest.mark.parametrize("name", ["zoom", "gamma", "smooth"])
def test_ranges_of_augmentations_do_not_cross(name: str) -> None:
    def with_ends(least: float, most: float) -> Recipe:
        ends = {f"{name}_least": least, f"{name}_most": most}
        return configuration.changed(Recipe(), {"augmentations": ends})

    with_ends(1, 1)
    with pytest.raises(ValueError, match=f"{name}_least must not be above {name}_most, 2 is"):
        with_ends(2, 0.5)
