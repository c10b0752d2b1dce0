from __future__ import annotations

from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.probing import captions


def _list(tmp_path: Path, *lines: str) -> str:
    path = tmp_path / "list" / "captions.csv"
    path.parent.mkdir()
    path.write_text("\n".join(["path,caption", *lines]) + "\n", encoding="utf-8")
    return str(path)


def test_captions_belong_to_files_whatever_their_path_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = _list(
        tmp_path, "../a.png,a  red house ", f"{tmp_path}/b.png,Größe", "zip://x.zip::c.png,c"
    )
    found = captions.read(path)
    given = ["a.png", "./list/../b.png", "zip://x.zip::c.png"]
    assert captions.of_all(given, found, path) == dict(zip(given, ["a red house", "Größe", "c"]))
    with pytest.raises(InputError, match=r"1 of 2 images have no caption in it, such as d\.png"):
        captions.of_all(["a.png", "d.png"], found, path)


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (("a.png,",), "line 2: a caption must not be empty"),
        ((" ,a cat",), "line 2: the path is empty or holds a null byte"),
        (("a.png,one", "./a.png,two"), "line 3: './a.png' has another caption above"),
        (("a.png,one,two",), "line 2: 3 cells, but 2 columns"),
        ((), "no line below the first"),
    ],
)
def test_a_list_that_says_nothing_clear_is_refused(
    tmp_path: Path, lines: tuple[str, ...], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        captions.read(_list(tmp_path, *lines))


def test_a_null_byte_in_a_path_is_refused(tmp_path: Path) -> None:
    """Python before 3.11 calls the whole file no CSV."""
    with pytest.raises(InputError, match=r"captions\.csv: .*(null byte|NUL)"):
        captions.read(_list(tmp_path, "a\0.png,a cat"))
