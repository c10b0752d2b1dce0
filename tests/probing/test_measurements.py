from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from memscan.errors import InputError, OutputError
from memscan.probing.measurements import Measurements, identity


def test_values_are_there_again_in_the_next_run(tmp_path: Path) -> None:
    path = str(tmp_path / "values.jsonl")
    with Measurements(path) as kept:
        kept.keep("iip", "a", {"one": (0.1, 1 / 3), "two": (2.0, -1e-30)})
    with Measurements(path) as kept:
        kept.keep("loss", "b", {"one": (5.0,)})
    with Measurements(path) as kept:
        assert kept.find("a", "one") == (0.1, 1 / 3)
        assert kept.find("a", "two") == (2.0, -1e-30)
        assert kept.find("b", "one") == (5.0,)
        assert kept.find("b", "two") is None


def test_without_a_file_values_are_in_memory() -> None:
    with Measurements() as kept:
        kept.keep("loss", "a", {"one": (1.0,)})
        assert kept.find("a", "one") == (1.0,)


def test_a_line_that_was_not_finished_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "values.jsonl"
    with Measurements(str(path)) as kept:
        kept.keep("loss", "a", {"one": (1.0,), "two": (2.0,)})
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with Measurements(str(path)) as kept:
        assert kept.find("a", "one") == (1.0,)
        assert kept.find("a", "two") is None
        kept.keep("loss", "a", {"two": (2.0,)})
    assert path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        "a,b,c",
        "[]",
        '{"method": "iip", "identity": "a", "key": "b"}',
        '{"method": "iip", "identity": "a", "key": "b", "values": []}',
        '{"method": "iip", "identity": "a", "key": "b", "values": [NaN]}',
        '{"method": "iip", "identity": "a", "key": "b", "values": [1e999]}',
        '{"method": "iip", "identity": "a", "key": "b", "values": "12345678901"}',
        '{"method": "iip", "identity": "a", "key": "b", "values": [null]}',
        "[" * 100_000,
        "\xff",
    ],
)
def test_a_file_with_anything_else_is_refused_and_stays(tmp_path: Path, line: str) -> None:
    path = tmp_path / "other.txt"
    good = '{"method": "iip", "identity": "a", "key": "b", "values": [1]}\n'
    path.write_text(f"{good}{line}\n", encoding="latin-1")
    before = path.read_bytes()
    with pytest.raises(InputError, match=r"other\.txt: line 2 is no measurement"):
        Measurements(str(path))
    assert path.read_bytes() == before


def test_a_file_that_only_has_an_unfinished_line_of_something_else_is_refused(
    tmp_path: Path,
) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG no line at all")
    with pytest.raises(InputError, match="no measurement"):
        Measurements(str(path))
    assert path.read_bytes() == b"\x89PNG no line at all"


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere/values\.jsonl: cannot be written"):
        Measurements(str(tmp_path / "nowhere/values.jsonl"))
    with pytest.raises(InputError, match="not a regular file"):
        Measurements(str(tmp_path))


def test_a_file_belongs_to_one_run_at_a_time(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="files cannot be locked here")
    path = str(tmp_path / "values.jsonl")
    with Measurements(path) as kept:
        kept.keep("loss", "a", {"one": (1.0,)})
        with pytest.raises(InputError, match=r"values\.jsonl: another run writes to it"):
            Measurements(path)
        kept.keep("loss", "a", {"two": (2.0,)})
    with Measurements(path) as kept:
        assert (kept.find("a", "one"), kept.find("a", "two")) == ((1.0,), (2.0,))


def test_a_disk_that_is_full_is_told(tmp_path: Path) -> None:
    pytest.importorskip("resource", reason="no limit on the size of files here")
    path = tmp_path / "values.jsonl"
    code = f"""
import resource, signal
from memscan.errors import OutputError
from memscan.probing.measurements import Measurements
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (150, 150))
try:
    with Measurements({str(path)!r}) as kept:
        kept.keep("loss", "a", {{"one": (1.0,), "two": (2.0,), "three": (3.0,)}})
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"{path}: cannot be written: File too large\n"
    with Measurements(str(path)) as kept:  # what was written counts
        assert kept.find("a", "one") == (1.0,)
        assert kept.find("a", "three") is None


def test_the_identity_depends_on_all_that_values_depend_on() -> None:
    first = identity("iip", "sha", {"depth": 20, "prompts": ["a"]})
    assert first == identity("iip", "sha", {"prompts": ["a"], "depth": 20})
    assert len(first) == 32
    others = [
        identity("loss", "sha", {"depth": 20, "prompts": ["a"]}),
        identity("iip", "other", {"depth": 20, "prompts": ["a"]}),
        identity("iip", "sha", {"depth": 10, "prompts": ["a"]}),
    ]
    assert len({first, *others}) == 4
