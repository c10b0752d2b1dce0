from __future__ import annotations

import io
import itertools
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.errors import InputError
from memscan.sources.patterns import _without_braces, expand, files_from
from tests.drawing import needs_posix


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def touch(*names: str) -> None:
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("a", ["a"]),
        ("{00..02}", ["00", "01", "02"]),
        ("{8..11}", ["8", "9", "10", "11"]),
        ("{08..11}", ["08", "09", "10", "11"]),
        ("{1..003}", ["001", "002", "003"]),
        ("{3..1}", ["1", "2", "3"]),
        ("{5..5}", ["5"]),
        ("{0..1}", ["0", "1"]),
        ("{a,b}{1..2}", ["a1", "a2", "b1", "b2"]),
        ("x{,y}", ["x", "xy"]),
        ("{a,b{1,2},{c,d}e}", ["a", "b1", "b2", "ce", "de"]),
        ("{}", ["{}"]),
        ("{a}", ["{a}"]),
        ("{a..c}", ["{a..c}"]),
        ("{1..}{,", ["{1..}{,"]),
        ("}{", ["}{"]),
        ("${x}/{a,b}", ["${x}/a", "${x}/b"]),
    ],
)
def test_braces(pattern: str, words: list[str]) -> None:
    assert sorted(set(_without_braces(pattern, 100))) == sorted(words)


@settings(deadline=None)
@given(
    st.lists(
        st.one_of(
            st.text("xy.", max_size=3),
            st.lists(st.text("ab", max_size=2), min_size=2, max_size=3),
            st.tuples(st.integers(0, 12), st.integers(0, 12)),
        ),
        max_size=3,
    )
)
def test_braces_as_a_product(parts: list[str | list[str] | tuple[int, int]]) -> None:
    pattern, pools = "", []
    for part in parts:
        if isinstance(part, str):
            pattern += part
            pools.append([part])
        elif isinstance(part, list):
            pattern += "{" + ",".join(part) + "}"
            pools.append(part)
        else:
            pattern += f"{{{part[0]:03}..{part[1]:03}}}"
            pools.append([f"{number:03}" for number in range(min(part), max(part) + 1)])
    expected = {"".join(words) for words in itertools.product(*pools)}
    assert set(_without_braces(pattern, 10**7)) == expected


@pytest.mark.usefixtures("here")
class TestExpand:
    def test_shards(self) -> None:
        names = [f"shards/{number:05}.tar" for number in range(12)]
        touch(*names, "shards/00012.tar.index", "shards/.00013.tar")
        for pattern in ("shards/{00000..00011}.tar", "shards/*.tar", "shards/000[01]?.tar"):
            assert [name.replace(os.sep, "/") for name in expand(pattern)] == names

    def test_each_path_once_in_bytewise_order(self) -> None:
        touch("b", "a", "B", "é")
        assert expand("{b,a,b,?,é,B}") == ["B", "a", "b", "é"]

    @pytest.mark.parametrize("name", ["{a,b}", "[ab]", "{1..3}[x]"])
    def test_a_path_that_exists_stands_for_itself(self, name: str) -> None:
        touch("a", "b", name)
        assert expand(name) == [name]

    @needs_posix
    def test_special_characters_of_paths_that_exist(self) -> None:
        touch("x*.tar", "xy.tar", "{a}?/1", "{a}?/2")
        assert expand("x*.tar") == ["x*.tar"]
        assert expand("{a}?/{1,2}") == ["{a}?/1", "{a}?/2"]

    @pytest.mark.parametrize(
        ("pattern", "message"),
        [
            ("gone", "^gone: there is no such file or directory$"),
            ("*.zip", r"^\*\.zip: there is no such file or directory, and no file matches it$"),
            (
                "{0..2}.tar",
                r"^[02]\.tar: there is no such file or directory \(from \{0\.\.2\}\.tar\)",
            ),
            ("{1..1}{,.*}", r"(\.\*|1): there is no such file"),
            ("", "there is no such file"),
            ("a\0b", "there is no such file"),
        ],
    )
    def test_nothing_there(self, pattern: str, message: str) -> None:
        touch("1.tar")
        with pytest.raises(InputError, match=message):
            expand(pattern)

    @pytest.mark.parametrize(
        "pattern",
        [
            "{0..999999999999999999999}",
            "{1..10}{1..11}",
            "{a,b}" * 2000,
            "{" * 5000 + "a,b" + "}" * 5000 + "{a,b}" * 9,
        ],
    )
    def test_too_many(self, pattern: str) -> None:
        with pytest.raises(InputError, match="stands for more than 100 paths"):
            expand(pattern, limit=100)

    def test_too_many_files(self) -> None:
        touch(*(f"{number}.tar" for number in range(11)))
        assert len(expand("*.tar", limit=11)) == 11
        with pytest.raises(InputError, match="more than 10 paths"):
            expand("*.tar", limit=10)

    def test_urls_are_not_looked_at(self) -> None:
        assert expand("s3://b/{0..1}-*.tar") == ["s3://b/0-*.tar", "s3://b/1-*.tar"]
        assert expand("https://h/a?b=[c]") == ["https://h/a?b=[c]"]


class TestFilesFrom:
    @pytest.mark.parametrize(
        ("data", "nul", "names"),
        [
            (b"a\nb/c d\n", False, ["a", "b/c d"]),
            (b"a\r\n\r\n\n b \n", False, ["a", " b "]),
            (b"-x\n*\n{a,b}", False, ["-x", "*", "{a,b}"]),
            (b"a\0b\nc\0", True, ["a", "b\nc"]),
            (b"a\0b\r", True, ["a", "b\r"]),
        ],
    )
    def test_names(self, data: bytes, nul: bool, names: list[str], tmp_path: Path) -> None:
        (tmp_path / "list").write_bytes(data)
        assert files_from(str(tmp_path / "list"), nul) == names

    @needs_posix
    @settings(deadline=None)
    @given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name), min_size=1))
    def test_any_bytes_between_nul(self, names: list[bytes]) -> None:
        data = b"".join(name + b"\0" for name in names)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
            assert [os.fsencode(name) for name in files_from("-", True)] == names

    @pytest.mark.parametrize(
        ("data", "nul", "message"),
        [
            (b"", False, "list: the list of files is empty"),
            (b"\n\r\n", False, "list: the list of files is empty"),
            (b"", True, "list: the list of files is empty"),
            (b"a\0\0b\0", True, "list: name 2 is empty"),
            (b"\0", True, "list: name 1 is empty"),
            (b"a\0b\0", False, r"there are NUL bytes between the names \(-0 reads these\)"),
        ],
    )
    def test_bad_lists(self, data: bytes, nul: bool, message: str, tmp_path: Path) -> None:
        (tmp_path / "list").write_bytes(data)
        with pytest.raises(InputError, match=message):
            files_from(str(tmp_path / "list"), nul)

    def test_a_list_that_cannot_be_read(self, tmp_path: Path) -> None:
        for name in ("gone", ""):
            with pytest.raises(InputError, match="cannot be read"):
                files_from(str(tmp_path / name))
