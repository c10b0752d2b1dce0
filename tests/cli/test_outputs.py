from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from memscan.cli.outputs import check_writable, format_of, write_whole
from memscan.errors import InputError, OutputError
from tests.cli.running import DETECT, environment, run
from tests.drawing import needs_posix


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_suffix_is_the_format() -> None:
    assert [format_of(f"a.b{s}") for s in (".txt", ".JSON", ".jsonl", ".csv", ".xml")] == [
        "text",
        "json",
        "jsonl",
        "csv",
        "junit",
    ]
    for name in ("a", "a.pdf", ".json"):
        with pytest.raises(InputError, match="must end in one of"):
            format_of(name)


def test_what_can_be_written_is_left_untouched_by_the_check() -> None:
    Path("old.json").write_text("old")
    check_writable(["new.json", "old.json"])
    assert os.listdir() == ["old.json"]
    assert Path("old.json").read_text() == "old"


def test_what_cannot_be_written_is_told_before_the_scan() -> None:
    os.mkdir("directory.json")
    with pytest.raises(OutputError, match="is a directory"):
        check_writable(["directory.json"])
    with pytest.raises(OutputError, match="No such file or directory"):
        check_writable(["missing/report.json"])
    with pytest.raises(InputError, match="given twice"):
        check_writable(["a.json", "./a.json"])


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode() -> None:
    Path("report.json").write_text("old")
    os.chmod("report.json", 0o640)
    write_whole("report.json", "é\n")
    assert Path("report.json").read_bytes() == "é\n".encode()
    assert stat.S_IMODE(os.stat("report.json").st_mode) == 0o640
    assert os.listdir() == ["report.json"]


def test_a_failed_write_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("report.json").write_text("old")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OutputError, match=r"report\.json: cannot be written.*No space left"):
        write_whole("report.json", "new")
    assert Path("report.json").read_text() == "old"
    assert os.listdir() == ["report.json"]


@needs_posix
def test_a_link_keeps_pointing_and_a_device_stays_a_device() -> None:
    os.symlink("real.json", "link.json")
    os.symlink("/dev/null", "null.json")
    check_writable(["link.json", "null.json"])
    write_whole("link.json", "new")
    write_whole("null.json", "new")
    assert os.path.islink("link.json")
    assert Path("real.json").read_text() == "new"
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.usefixtures("work")
def test_an_unwritable_output_ends_with_70_before_the_scan() -> None:
    done = run(
        DETECT,
        *("--target", "generated", "--source", "training_data", "-r"),
        *("--output", "no/where.json"),
    )
    assert (done.stdout, done.returncode) == ("", 70)
    assert done.stderr.startswith("Error: no/where.json: cannot be written")


@needs_posix
def test_a_disk_that_fills_up_leaves_the_old_file() -> None:
    """A limit on the size of files stands in for the full disk."""
    Path("report.json").write_text("old")
    code = (
        "import resource, signal; from memscan.cli.outputs import write_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "write_whole('report.json', 'x' * 5000)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=False
    )
    assert "OutputError: report.json: cannot be written" in done.stderr
    assert os.listdir() == ["report.json"]
    assert Path("report.json").read_text() == "old"


@needs_posix
def test_a_name_as_long_as_the_file_system_takes_can_be_written() -> None:
    name = "画" * 83 + ".json"
    assert 250 < len(os.fsencode(name)) < 256
    check_writable([name])
    write_whole(name, "whole")
    assert Path(name).read_text() == "whole"
