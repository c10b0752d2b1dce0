from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from memscan.errors import InputError
from memscan.evaluation import pairs
from memscan.evaluation.pairs import Classed, Identified, Pair


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def test_pairs_are_read_with_paths_relative_to_the_list(tmp_path: Path) -> None:
    path = write(
        tmp_path / "list.csv",
        "\ufeffLabel, path_a ,path_b,note\r\n"
        "1,a.png,sub/b.png,x\r\n\r\nFALSE,/c.png,d\udcff.png,\r\n",
    )
    assert pairs.read_pairs(path) == [
        Pair(str(tmp_path / "a.png"), str(tmp_path / "sub/b.png"), True),
        Pair("/c.png", str(tmp_path / "d\udcff.png"), False),
    ]


def test_pairs_may_have_a_split(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv", "path_a,path_b,label,split\na,b,1,val\nc,d,0, Test\ne,f,0,train\n"
    )
    halves = [pair.half for pair in pairs.read_pairs(path)]
    assert halves == ["calibration", "reported", "ignored"]
    path = write(tmp_path / "b.csv", "path_a,path_b,label,split\na,b,1,val\nc,d,0,later\n")
    with pytest.raises(InputError, match="line 3: the split 'later' is none of calibration"):
        pairs.read_pairs(path)


def test_identities_are_read_with_and_without_a_split(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "path,id,Split\na.png,1,VAL\nb.png, x ,test\nc.png,1,Train\n")
    assert pairs.read_identities(path) == [
        Identified(str(tmp_path / "a.png"), "1", "calibration"),
        Identified(str(tmp_path / "b.png"), "x", "reported"),
        Identified(str(tmp_path / "c.png"), "1", "ignored"),
    ]
    path = write(tmp_path / "b.csv", "path,id\na.png,1\n")
    assert pairs.read_identities(path)[0].half is None


BROKEN_PAIRS = [
    ("", "the first line must name the columns path_a, path_b, label, each once; path_a is not"),
    ("path_a,path_b\na,b\n", "each once; label is not"),
    ("path_a,path_b,label,label\na,b,1,0\n", "each once; label is not"),
    ("path_a,path_b,label\n", "there is no line below the first"),
    ("path_a,path_b,label\na,b,1\na,b,2\n", "line 3: the label '2' is neither 1 nor 0"),
    ("path_a,path_b,label\na,b\n", "line 2: 2 cells, but 3 columns"),
    ("path_a,path_b,label\n ,b,1\n", "line 2: a path is empty or holds a null byte"),
    ('path_a,path_b,label\n"a,b,1\n', "is no CSV file: "),
    ('path_a,path_b,label\n"a"x,b,1\n', "is no CSV file: "),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN_PAIRS)
def test_a_broken_list_of_pairs_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(InputError) as caught:
        pairs.read_pairs(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path,id,split\na,1,dev\n", "line 2: the split 'dev' is none of calibration, reported"),
        ("path,id\na, \n", "line 2: the id is empty"),
        ("path,id\na,1\na,2\n", "line 3: a was listed before"),
    ],
)
def test_a_broken_list_of_identities_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(InputError) as caught:
        pairs.read_identities(path)
    assert f"{path}: {sentence}" in str(caught.value)


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.csv: cannot be read: No such file"):
        pairs.read_pairs(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="cannot be read: "):
        pairs.read_pairs(str(tmp_path))


@pytest.mark.parametrize("count", [2, 3, 10, 501])
def test_halves_are_about_equal_and_drawn_by_the_seed(count: int) -> None:
    half = pairs.halve(np.arange(count), 0)
    assert half.sum() == count // 2
    assert np.array_equal(half, pairs.halve(np.arange(count), 0))
    if count > 100:
        assert not np.array_equal(half, pairs.halve(np.arange(count), 1))


def test_groups_stay_in_one_half() -> None:
    groups = np.random.default_rng(0).integers(0, 30, 200)
    half = pairs.halve(groups, 0)
    assert not set(groups[half]) & set(groups[~half])
    assert 80 <= half.sum() <= 120
    assert not pairs.halve(np.zeros(9, np.int64), 0).any()


def test_pairs_that_share_an_image_are_connected() -> None:
    left, right = [0, 1, 4, 6, 5, 8], [1, 2, 5, 7, 6, 8]
    groups = pairs.connected(left, right).tolist()
    assert groups == [0, 0, 1, 1, 1, 2]


def test_classes_are_read_from_labels_or_made_of_ssim(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.csv",
        "path_a,path_b,label,ssim,split\na,b,Similar,0.9,val\na,c, duplicate ,-1,test\n",
    )
    a, b, c = (str(tmp_path / name) for name in "abc")
    assert pairs.read_classed(path) == [
        Classed(a, b, 1, 0.9, "calibration"),
        Classed(a, c, 2, -1.0, "reported"),
    ]
    path = write(tmp_path / "b.csv", "path_a,path_b,ssim\na,b,0.59\na,b,0.61\na,b,0.86\n")
    assert [pair.kind for pair in pairs.read_classed(path)] == [0, 1, 2]
    path = write(tmp_path / "c.csv", "path_a,path_b,label\na,b,different\n")
    assert pairs.read_classed(path) == [Classed(a, b, 0, None, None)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("path_a,path_b\na,b\n", "the first line must name a column label or ssim, or both"),
        ("path_a,label\na,similar\n", "the first line must name the columns path_a, path_b"),
        ("path_a,path_b,label\na,b,same\n", "line 2: the label 'same' is none of different"),
        ("path_a,path_b,ssim\na,b,nan\n", "line 2: the ssim 'nan' is no number from -1 to 1"),
        ("path_a,path_b,ssim\na,b,1.1\n", "line 2: the ssim '1.1' is no number"),
        ("path_a,path_b,ssim\na,b,x\n", "line 2: the ssim 'x' is no number"),
        ("path_a,path_b,ssim,split\na,b,1,half\n", "line 2: the split 'half' is none of"),
        ("path_a,path_b,ssim\n,b,1\n", "line 2: a path is empty"),
    ],
)
def test_a_broken_list_of_classes_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(InputError, match=f"list.csv: {sentence}"):
        pairs.read_classed(path)
