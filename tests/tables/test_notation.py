from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.tables import notation
from memscan.tables.columns import order_of_numbers

HASH = 0x00FF00FF00FF00FF


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        (["00ff00ff00ff00ff"], notation.from_hex),
        (["0x1234567890123456"], notation.from_hex),
        (["1234567890123456"], notation.from_hex),
        (["1234567890123456", "123"], notation.from_decimal),
        (["1234567890123456", "00ff00ff00ff00ff", "123"], notation.from_hex),
        (["banana", None, " -5 "], notation.from_decimal),
        ([], notation.from_hex),
    ],
)
def test_the_first_unmistakable_text_decides(texts: list[str], read: object) -> None:
    assert notation.notation_of(texts) is read


@pytest.mark.parametrize(
    ("text", "hash"),
    [
        ("0", 0),
        ("-1", (1 << 64) - 1),
        (str(1 << 63), 1 << 63),
        (str(-(1 << 63)), 1 << 63),
        (str((1 << 64) - 1), (1 << 64) - 1),
        (str(1 << 64), None),
        (str(-(1 << 63) - 1), None),
        ("1e5", None),
        ("1_000", None),
        ("+1", None),
        ("", None),
        ("\u0661", None),
    ],
)
def test_decimals(text: str, hash: int | None) -> None:
    assert notation.from_decimal(text) == hash


@given(
    st.lists(
        st.sampled_from(
            [
                "00ff00ff00ff00ff",
                "00FF00FF00FF00FF",
                " 0ff00ff00ff00f ",
                "00ff00ff 0ff00ff",
                "0" * 15,
                "0" * 17,
                "0x00ff00ff00ff00ff",
                "00ff00ff00ff00fg",
                None,
            ]
        )
    )
)
def test_the_fast_way_reads_what_the_slow_one_reads(texts: list[str | None]) -> None:
    parsed = notation.parse_texts(texts, notation.from_hex)
    expected = [None if text is None else notation.from_hex(text.strip()) for text in texts]
    found = [hash if known else None for hash, known in zip(parsed.hashes.tolist(), parsed.known)]
    assert found == expected


@pytest.mark.parametrize("count", [0, 1, 2, 10, 11, 12, 100, 101, 1234])
def test_numbers_are_ordered_by_their_digits(count: int) -> None:
    assert order_of_numbers(count).tolist() == sorted(range(count), key=str)
