from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from memscan.detectors import identities
from memscan.detectors.identities import Listed, Members
from memscan.errors import InputError


def write(path: Path, text: str) -> str:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    return str(path)


def test_lists_are_read_with_a_base_directory_and_any_case(tmp_path: Path) -> None:
    text = (
        "\ufeffpath, ID ,Split,ds_name\r\na.png,7,TRAIN,x\r\n\r\n"
        "sub/b.png, 8 ,Val,\r\n/c.png,9,test,\r\n"
    )
    path = write(tmp_path / "list.csv", text)
    assert identities.read_list(path, "/data") == [
        Listed("/data/a.png", "7", "train"),
        Listed("/data/sub/b.png", "8", "val"),
        Listed("/c.png", "9", "test"),
    ]
    assert identities.read_list(path)[0].path == str(tmp_path / "a.png")


def test_images_without_an_id_are_identities_of_their_own(tmp_path: Path) -> None:
    path = write(tmp_path / "list.csv", "path,split\na.png,train\nb.png,val\n")
    found = identities.read_list(path)
    assert [one.identity for one in found] == [one.path for one in found]


def test_without_splits_whole_identities_are_drawn_the_same_way_each_time(tmp_path: Path) -> None:
    rows = "".join(f"{row}.png,{row // 3}\n" for row in range(60))
    path = write(tmp_path / "list.csv", f"path,id\n{rows}")
    found = identities.read_list(path)
    assert found == identities.read_list(path)
    splits = {one.identity: one.split for one in found}
    assert all(splits[one.identity] == one.split for one in found)
    assert Counter(splits.values()) == {"train": 17, "val": 3}
    assert {name for name, split in splits.items() if split == "val"} == {"0", "3", "18"}
    elsewhere = identities.read_list(path, "/elsewhere")
    assert [one.split for one in elsewhere] == [one.split for one in found]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the first line must name the columns path, each once"),
        ("id,split\n1,train\n", "the first line must name the columns path, each once"),
        ("path,id,id\na,1,1\n", "each once"),
        ("path,id\n", "there is no line below the first"),
        ("path,id,split\na,1,train\nb,2,other\n", "line 3: the split 'other' is none of train"),
        ("path,id\na, \n", "line 2: the id is empty"),
        ("path,id\n ,1\n", "line 2: the path is empty or holds a null byte"),
        ("path,id\na,1\na,2\n", "line 3: a was listed before"),
        ("path,id,split\na,1,train\n./a,2,val\n", "line 3: ./a was listed before"),
        ("path,id\na\n", "line 2: 1 cells, but 2 columns"),
        ("path,id,split\na,1,train\nb,1,val\n", "the id '1' is in two splits (train and val)"),
        ('path,id\n"a,1\n', "is no CSV file"),
    ],
)
def test_a_broken_list_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / "list.csv", text)
    with pytest.raises(InputError) as caught:
        identities.read_list(path)
    assert sentence in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_list_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.csv: cannot be read: No such file"):
        identities.read_list(str(tmp_path / "none.csv"))


class TestMembers:
    members = Members.of([str(row % 7) if row < 14 else "alone" for row in range(15)])

    def test_identities_of_a_batch_are_distinct_and_pairs_of_one(self) -> None:
        of_row = {row: place for place, rows in enumerate(self.members.rows) for row in rows}
        for batch in self.members.batches(np.random.default_rng(0), 5, 40):
            assert len(batch) == 5
            assert len({of_row[one] for one, _ in batch}) == 5
            assert all(of_row[one] == of_row[other] for one, other in batch)

    def test_a_pair_is_one_row_twice_only_where_there_is_no_other(self) -> None:
        for batch in self.members.batches(np.random.default_rng(0), 8, 20):
            assert [one for one, other in batch if one == other] == [14]

    def test_all_identities_come_before_one_comes_again(self) -> None:
        batches = self.members.batches(np.random.default_rng(0), 4, 2)
        seen = [one % 7 if one < 14 else 14 for batch in batches for one, _ in batch]
        assert len(set(seen)) == 8
