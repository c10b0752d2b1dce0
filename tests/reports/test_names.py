from __future__ import annotations

import base64
import os
import re
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memscan.reports.names import (
    base64_bytes,
    base64_unless_utf8,
    escaped_bytes,
    file_uri,
    inert,
    path_cells,
    path_fields,
    path_list_fields,
    table_cell,
)
from tests.drawing import needs_posix

NOT_UTF8 = os.fsdecode(b"caf\xe9.png") if os.name == "posix" else "caf\udce9.png"


@pytest.mark.parametrize("name", ["plain.png", "with space.png", "é漢字😀.png", "", r"back\slash"])
def test_printable_names_stay_as_they_are(name: str) -> None:
    assert inert(name) == escaped_bytes(name) == name
    assert base64_unless_utf8(name) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred.png", r"\x1b[31mred.png"),
        ("line\nbreak.png", r"line\nbreak.png"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\x9b2J.png", r"\x9b2J.png"),
        ("\u2028.png", r"\u2028.png"),
        ("\U000e0041", r"\U000e0041"),
        (NOT_UTF8, r"caf\xe9.png"),
    ],
)
def test_everything_else_is_written_as_an_escape(name: str, shown: str) -> None:
    assert inert(name) == shown


def test_bytes_that_are_not_utf8_stand_in_base64() -> None:
    assert escaped_bytes(NOT_UTF8) == r"caf\xe9.png"
    assert base64_unless_utf8(NOT_UTF8) == base64.b64encode(b"caf\xe9.png").decode()
    assert base64_bytes("plain") == base64.b64encode(b"plain").decode()


@given(st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_no_name_can_move_the_cursor(name: str) -> None:
    assert inert(name).isprintable()
    inert(name).encode("utf-8")


def test_json_has_the_bytes_of_a_path_where_it_needs_them() -> None:
    in_base64 = base64.b64encode(b"caf\xe9.png").decode()
    assert path_fields("path", "a.png") == {"path": "a.png"}
    assert path_fields("path", NOT_UTF8) == {"path": r"caf\xe9.png", "path_base64": in_base64}
    assert path_list_fields("paths", []) == {"paths": []}
    assert path_list_fields("paths", ["a", "b"]) == {"paths": ["a", "b"]}
    assert path_list_fields("paths", ["a", NOT_UTF8])["paths_base64"] == [None, in_base64]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(start: str) -> None:
    name = f"{start}1.png"
    assert table_cell(name) == "'" + name
    assert path_cells("path", name) == {"path": "'" + name, "path_base64": base64_bytes(name)}
    assert path_cells("path", "1.png") == {"path": "1.png", "path_base64": ""}


@needs_posix
@pytest.mark.parametrize("raw", [b"plain.png", b"caf\xe9 #1?.png", b"%41.png", b'"><&.png', b"//a"])
def test_a_link_holds_the_bytes_of_the_path(raw: bytes) -> None:
    uri = file_uri(os.fsdecode(raw))
    assert uri is not None
    assert re.fullmatch(r"file:///[A-Za-z0-9_.~%/:-]*", uri)
    path = unquote_to_bytes(uri[len("file://") :])
    assert path == os.path.abspath(raw).replace(b"//", b"/")
    assert file_uri("\ud800") is None
