from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from memscan.table import HashTable, as_integer, as_keys

words = st.integers(0, 2**64 - 1)


@given(st.lists(words, min_size=1, max_size=4))
def test_a_hash_of_several_words_is_one_number(row: list[int]) -> None:
    text = "".join(f"{word:016x}" for word in row)
    assert as_integer(np.array(row, np.uint64)) == int(text, 16)
    assert as_integer(np.uint64(row[0])) == row[0]


@given(st.lists(st.tuples(st.sampled_from([0, 1, 256, 2**64 - 1]), words), min_size=1))
def test_keys_are_equal_and_sort_as_the_hashes_do(rows: list[tuple[int, int]]) -> None:
    keys = as_keys(np.array(rows, np.uint64))
    assert np.argsort(keys, kind="stable").tolist() == sorted(
        range(len(rows)), key=rows.__getitem__
    )
    assert len(np.unique(keys)) == len(set(rows))


def test_a_choice_of_rows_has_all_columns() -> None:
    hashes = np.arange(12, dtype=np.uint64).reshape(3, 4)
    table = HashTable(
        ["a", "b", "c"],
        hashes,
        np.array([True, False, True]),
        np.stack([hashes, hashes + 100], axis=1),
        ("one", "two"),
        np.array([50, 60, 70], np.uint8),
    )
    chosen = table.chosen(np.array([True, False, True]))
    assert chosen.paths == ["a", "c"]
    assert chosen.column("full").tolist() == hashes[[0, 2]].tolist()
    assert chosen.column("two").tolist() == (hashes[[0, 2]] + 100).tolist()
    assert chosen.qualities.tolist() == [50, 70]
