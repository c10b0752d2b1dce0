"""memscan index, as a user runs it: streams, exit codes, signals, and what is left behind."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Callable

import pytest

from memscan.cli import memscan
from memscan.cli.process import run_command
from memscan.indexing import making
from memscan.tables.checking import verify
from memscan.tables.stored import StoredTable
from tests.cli.running import MEMSCAN, environment, run
from tests.cli.test_process import on_terminal
from tests.drawing import needs_posix, picture
from tests.indexing import tasks
from tests.indexing.collections import files, settle, tars
from tests.processes import wait_until

pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytestmark = needs_posix

INDEX = [*MEMSCAN, "index"]

Index = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slow(here: Path) -> list[str]:
    """A command that takes some seconds: eight archives of large images."""
    file = io.BytesIO()
    picture(1, (1800, 1800)).save(file, "PNG", compress_level=1)
    (here / "shards").mkdir()
    for number in range(8):
        with tarfile.open(here / f"shards/{number}.tar", "w") as archive:
            for image in range(3):
                info = tarfile.TarInfo(f"{number}-{image}.png")
                info.size = len(file.getvalue())
                archive.addfile(info, io.BytesIO(file.getvalue()))
    settle()
    return [*INDEX, "shards/*.tar", "--jobs", "2", "--output"]


@pytest.fixture
def index(capfd: pytest.CaptureFixture[str]) -> Index:
    """The command in this process, which is quicker to start."""

    def run_here(*arguments: str) -> subprocess.CompletedProcess[str]:
        code = run_command(memscan, ["index", *arguments])
        return subprocess.CompletedProcess(arguments, code, *capfd.readouterr())

    return run_here


def parts() -> list[str]:
    if not os.path.isdir("table"):
        return []
    return [name for name in os.listdir("table") if name.startswith("part-")]


def start(command: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    )


def test_a_run_and_the_same_again(here: Path) -> None:
    tars(here / "shards", 2)
    done = run(INDEX, "shards/*.tar", "--output", "table")
    assert (done.returncode, done.stderr) == (0, "")
    size = sum(len(data) for name, data in files(here / "table").items() if name[0] == "p")
    assert done.stdout == (
        "Table: table\nImages: 6 hashed, 0 could not be read\n"
        f"Size: {size} bytes ({size / 6:.1f} an image)\n"
        "Shards: 2 hashed, 0 done before, 0 failed\n"
    )
    again = run(INDEX, "shards/*.tar", "--output", "table/")
    assert "Shards: 0 hashed, 2 done before, 0 failed\n" in again.stdout


def test_a_killed_run_is_gone_on_with(here: Path, slow: list[str]) -> None:
    process = start([*slow, "table"])
    wait_until(lambda: len(parts()) >= 2)
    process.kill()
    process.communicate()
    kept = parts()
    assert len(kept) < 8
    assert not os.path.exists("table/_manifest.json")
    times = {name: os.stat(f"table/{name}").st_mtime_ns for name in kept}
    done = run(slow, "table")
    assert f"{8 - len(kept)} hashed, {len(kept)} done before" in done.stdout
    assert times == {name: os.stat(f"table/{name}").st_mtime_ns for name in kept}
    assert run(slow, "undisturbed").returncode == 0
    assert files(here / "table") == files(here / "undisturbed")


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_a_signal_keeps_finished_parts(
    here: Path, slow: list[str], number: int, code: int, word: str
) -> None:
    process = start([*slow, "table"])
    wait_until(parts)
    sent = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - sent < 5
    assert (stdout, process.returncode) == ("", code)
    assert stderr.split("\n") == [
        "Finished parts are kept: run the same command again to go on.",
        *([""] if number == signal.SIGINT else []),  # click ends the line of the ^C
        word,
        "",
    ]
    assert sorted(os.listdir("table")) == sorted(parts())
    assert len(parts()) < 8


def test_two_runs_at_once(here: Path, slow: list[str]) -> None:
    both = [start([*slow, "table"]) for _ in range(2)]
    for process in both:
        _, stderr = process.communicate(timeout=60)
        assert (stderr, process.returncode) == ("", 0)
    assert verify("table") == []
    assert len(StoredTable.open("table")) == 24
    assert len(os.listdir("table")) == 9


def test_a_disk_that_is_full(here: Path) -> None:
    tars(here / "shards", 2)
    done = subprocess.run(
        [*INDEX, "shards/*.tar", "--output", "table"],
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        check=False,
    )
    assert (done.stdout, done.returncode) == ("", 70)
    assert done.stderr.startswith(f"Error: {here}/table/part-")
    assert done.stderr.endswith(".parquet: cannot be written: File too large\n")
    assert os.listdir("table") == []


def test_an_output_below_a_file(here: Path, index: Index) -> None:
    tars(here / "shards", 1)
    (here / "file").write_text("")
    done = index("shards/000.tar", "--output", "file/table")
    assert done.stderr == "Error: file/table: cannot be written: Not a directory\n"
    assert done.returncode == 70


def test_a_crashing_shard_is_named_once(
    here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tars(here / "shards", 3)
    os.rename("shards/001.tar", "shards/poison.tar")
    monkeypatch.setattr(making, "TASK", tasks.CRASHING)
    code = run_command(memscan, ["index", "shards/*.tar", "--output", "table", "--jobs", "2"])
    printed = capfd.readouterr()
    assert code == 3
    assert "Shards: 2 hashed, 0 done before, 1 failed\n[!] shards/poison.tar: " in printed.out
    assert printed.out.count("poison") == 1
    assert printed.err == ("Error: 1 shards failed, the table is incomplete (run again to retry)\n")
    assert run_command(memscan, ["index", "info", "table"]) == 0
    assert "[!] shards/poison.tar: given up after 3 attempts" in capfd.readouterr().out


def test_too_many_failures(here: Path, index: Index) -> None:
    tars(here / "shards", 1)
    (here / "broken.png").write_bytes(b"")
    command = ["shards/000.tar", "broken.png", "--output", "table"]
    assert index(*command).returncode == 0
    done = index(*command, "--max-failures", "0")
    assert "Images: 3 hashed, 1 could not be read" in done.stdout
    assert (done.returncode, done.stderr) == (
        3,
        "Error: 1 images could not be read, --max-failures allows 0; the table is incomplete\n",
    )
    none = index("broken.png", "--output", "other")
    assert (none.returncode, none.stderr) == (2, "Error: none of the 1 images can be read\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "table"], "Error: name a SOURCE, or a list of files with --files-from\n"),
        (["shards/000.tar"], "Error: Missing option '--output'.\n"),
        (["nowhere", "--output", "table"], "Error: nowhere: there is no such file or directory\n"),
        (
            ["shards/000.tar", "--output", "shards"],
            "Error: shards: 000.tar lies there, which is not part of a hash table; choose a "
            "directory of the table's own\n",
        ),
        (
            ["shards/000.tar", "--output", "table", "--address", "auto"],
            "Error: an address is only for the engine ray\n",
        ),
        (
            ["info", "shards"],
            "Error: shards: there is no _manifest.json (memscan index, run again, finishes a "
            "table)\n",
        ),
        (
            ["merge", "shards", "--output", "table"],
            "Error: shards: there is no _manifest.json; memscan index, run again, finishes the "
            "table\n",
        ),
    ],
)
def test_unusable_input_is_one_sentence(
    here: Path, index: Index, arguments: list[str], sentence: str
) -> None:
    tars(here / "shards", 1)
    done = index(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(sentence)
    assert "Traceback" not in done.stderr
    assert not os.path.exists("table")


@pytest.mark.parametrize(("nul", "end"), [((), b"\n"), (("-0",), b"\0")])
def test_a_list_of_files(here: Path, index: Index, nul: tuple[str, ...], end: bytes) -> None:
    tars(here / "shards", 2)
    (here / "list").write_bytes(b"shards/000.tar" + end + b"shards/001.tar" + end)
    done = index("--files-from", "list", *nul, "--output", "table")
    assert (done.returncode, len(StoredTable.open("table"))) == (0, 6)


def test_info_verify_and_merge(here: Path, index: Index) -> None:
    tars(here / "shards", 2)
    for number in (0, 1):
        index(f"shards/00{number}.tar", "--output", f"table{number}")
    merged = index("merge", "table0", "table1", "--output", "both")
    assert (merged.returncode, merged.stderr) == (0, "")
    assert "Images: 6 hashed, 0 could not be read\n" in merged.stdout
    assert index("info", "both").stdout == merged.stdout
    assert '"hashed": 6' in index("info", "both", "--format", "json").stdout
    sound = index("verify", "both")
    assert (sound.stdout, sound.stderr, sound.returncode) == ("both: sound\n", "", 0)
    (here / "both/part-extra.parquet").write_bytes(b"")
    bad = index("verify", "both")
    assert (bad.stdout, bad.returncode) == ("part-extra.parquet: not in _manifest.json\n", 2)
    assert bad.stderr.startswith("Error: both: not sound")


def test_a_directory_with_the_name_of_a_command(here: Path, index: Index) -> None:
    os.mkdir("info")
    picture(1).save("info/a.png")
    done = index("./info", "--output", "table")
    assert list(StoredTable.open("table").paths) == ["./info/a.png"]
    assert done.returncode == 0
    assert " index info [OPTIONS] DIR" in index("info", "--help").stdout


def test_what_was_there_before_is_told(here: Path, index: Index) -> None:
    tars(here / "shards", 2)
    index("shards/*.tar", "--output", "table")
    os.unlink("shards/000.tar")
    shutil.copy("table/" + parts()[0], "table/part-other.parquet")
    done = index("shards/*.tar", "--output", "table")
    assert done.returncode == 0
    removed, left = done.stderr.splitlines()
    assert removed.startswith("Warning: table: 1 parts were removed")
    assert "1 parts lie there that belong to no shard of these sources (first part-other" in left


def test_progress_is_drawn_on_a_terminal_only(slow: list[str]) -> None:
    shown = on_terminal([*slow, "table"])
    assert "Hashing" in shown
    assert "shards " in shown
    assert "/8" in shown
    assert "img" in shown
    assert on_terminal([*slow, "table", "--no-progress"]) == ""


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys, memscan.cli; "
        "print({'numpy', 'PIL', 'pyarrow', 'tqdm', 'ray'} & set(sys.modules))"
    )
    assert run([sys.executable, "-c", code]).stdout == "set()\n"
