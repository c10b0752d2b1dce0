from __future__ import annotations

from pathlib import Path

import pytest

from memscan import csv_lists
from memscan.errors import InputError


def test_rows_come_with_their_lines_and_the_names_of_columns(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b'\xef\xbb\xbfPath, ID\n"a\nb",1\n\nc,2\n')
    found = list(csv_lists.rows(str(path), ("path",), ("id",)))
    assert found == [(3, {"path": "a\nb", "id": "1"}), (5, {"path": "c", "id": "2"})]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "must name the columns path, each once; path is not"),
        ("path,path\na,b\n", "must name the columns path, each once; path is not"),
        ("path,id,id\na,1,1\n", "must name the columns path, each once; id is not"),
        ("path\n", "there is no line below the first"),
        ("path,id\na\n", "line 2: 1 cells, but 2 columns"),
        ('path\n"a\n', "is no CSV file"),
    ],
)
def test_what_is_no_such_list_is_one_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(content)
    with pytest.raises(InputError, match=sentence):
        list(csv_lists.rows(str(path), ("path",), ("id",)))


def test_a_missing_list_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        list(csv_lists.rows(str(tmp_path / "none.csv"), ("path",)))
