from __future__ import annotations

from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.tables.checking import verify
from memscan.tables.identity import Encoder, Shard
from tests.tables.making import finish, rows, table, write

pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")

FIRST, SECOND = Shard("00000.tar").part_name, Shard("00001.tar").part_name


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return table(tmp_path / "hashes.parquet", [["a", "b"], ["c", "d"]], lost=["b"])


def test_a_sound_table_has_no_problem(sound: Path) -> None:
    assert verify(str(sound)) == []


def test_a_missing_part_is_a_problem(sound: Path) -> None:
    (sound / FIRST).unlink()
    (problem,) = verify(str(sound))
    assert FIRST in problem
    assert "no such file" in problem


def test_a_part_too_many_is_a_problem(sound: Path) -> None:
    write(sound, "more", [rows(["e"])])
    assert verify(str(sound)) == [f"{Shard('more').part_name}: not in _manifest.json"]


def test_a_changed_bit_is_a_problem(sound: Path) -> None:
    data = bytearray((sound / FIRST).read_bytes())
    data[data.index(b"PAR1") + 60] ^= 1
    (sound / FIRST).write_bytes(data)
    assert any("sha256" in problem or "Parquet" in problem for problem in verify(str(sound)))


def test_a_part_of_another_shard_is_a_problem(sound: Path) -> None:
    (sound / FIRST).write_bytes((sound / SECOND).read_bytes())
    problems = "\n".join(verify(str(sound)))
    assert f"{FIRST}: made of another shard" in problems
    assert f"{FIRST}: sha256" in problems
    assert "c: 2 times in the table" in problems


def test_a_part_made_again_with_other_rows_is_a_problem(sound: Path) -> None:
    write(sound, "00000.tar", [rows(["a", "b", "bb"])])
    problems = verify(str(sound))
    assert f"{FIRST}: rows 3, but 2 in _manifest.json" in problems
    assert f"{FIRST}: failures 0, but 1 in _manifest.json" in problems


def test_a_part_of_another_encoder_is_a_problem(sound: Path) -> None:
    write(sound, "00000.tar", [rows(["a", "b"])], encoder=Encoder("a", "fast", "f"))
    assert f"{FIRST}: made by another encoder than _manifest.json says" in verify(str(sound))


def test_a_name_twice_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path, "a", [rows(["a", "b", "x", "x"])])
    write(tmp_path, "b", [rows(["b", "c"])])
    finish(tmp_path)
    assert verify(str(tmp_path)) == ["b: 2 times in the table", "x: 2 times in the table"]


def test_without_a_manifest_there_is_nothing_to_check(sound: Path) -> None:
    (sound / "_manifest.json").unlink()
    with pytest.raises(InputError, match=r"no _manifest\.json"):
        verify(str(sound))
