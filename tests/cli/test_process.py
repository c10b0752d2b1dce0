"""Streams, signals and exit codes, on real processes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import click
import pytest

from memscan.cli.process import ExitCode, run_command
from memscan.intake import PROCESSES_FROM
from tests.cli.running import DETECT, MEMSCAN, ROOT, environment, run
from tests.drawing import needs_posix, picture, save

pytestmark = [pytest.mark.usefixtures("work"), needs_posix]

SCAN = [*DETECT, "--target", "generated", "--source", "training_data", "-r"]


def shell(line: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", line], capture_output=True, text=True, env=environment(), check=False
    )


def quoted(command: list[str]) -> str:
    return " ".join(f"'{word}'" for word in command)


@pytest.mark.parametrize(("options", "code"), [("", 0), ("--fail-on identical", 1)])
def test_a_closed_pipe_ends_quietly_and_keeps_the_exit_code(options: str, code: int) -> None:
    done = shell(f"{quoted(SCAN)} {options} --format csv | true; exit ${{PIPESTATUS[0]}}")
    assert (done.stderr, done.returncode) == ("", code)


def test_help_into_a_closed_pipe_ends_quietly() -> None:
    done = shell(f"{quoted(DETECT)} --help | true; exit ${{PIPESTATUS[0]}}")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_a_full_disk_under_stdout() -> None:
    done = shell(f"{quoted(SCAN)} > /dev/full")
    assert done.returncode == 70
    assert done.stderr == "Error: standard output cannot be written: No space left on device\n"


def test_a_closed_stdout() -> None:
    done = shell(f"{quoted(SCAN)} >&-")
    assert (done.returncode, done.stderr.count("\n")) == (70, 1)
    assert shell(f"{quoted(SCAN)} >&- 2>&-").returncode == 70


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(true)"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ("--target training_data --source training_data -r --fail-on identical", 1),
        ("--target nowhere.png --source training_data", 2),
        ("--no-such-option", 2),
    ],
)
def test_a_stderr_that_cannot_be_written_changes_no_exit_code(
    stderr: str, arguments: str, code: int
) -> None:
    done = shell(f"sleep 0.1; {quoted(DETECT)} {arguments} {stderr}")
    assert done.returncode == code
    assert ("Verdict: Identical" in done.stdout) == (code == 1)


@pytest.fixture(params=[200, PROCESSES_FROM])
def endless(work: Path, request: pytest.FixtureRequest) -> list[str]:
    """A scan that goes on for minutes: large images, enough for threads or for processes."""
    large = save(picture(1, (6000, 6000)), work / "large.png")
    for number in range(request.param):
        os.link(large, work / f"training_data/class_A/large_{number}.png")
    return SCAN


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_signals_end_a_scan_within_a_second(
    endless: list[str], number: int, code: int, word: str
) -> None:
    process = subprocess.Popen(
        [*endless, "--output", "report.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    time.sleep(1.5)
    assert process.poll() is None
    sent = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=30)
    assert time.monotonic() - sent < 1
    assert process.returncode == code
    assert stdout == ""
    assert stderr.strip() == word
    assert not [name for name in os.listdir() if name.startswith((".report", "report"))]


@pytest.mark.parametrize("command", [SCAN, MEMSCAN])
def test_an_interrupt_during_the_imports_shows_no_traceback(
    command: list[str], tmp_path: Path
) -> None:
    """A click that takes its time stands in for a slow disk."""
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "click.py").write_text("import time; print('here', flush=True); time.sleep(60)")
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment({"PYTHONPATH": f"{slow}{os.pathsep}{ROOT}"}),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "here\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (stderr, process.returncode) == ("", 130)


def on_terminal(command: list[str]) -> str:
    """What a command writes to stderr when that is a terminal."""
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=inner, env=environment())
    os.close(inner)
    shown = b""
    while True:
        try:
            chunk = os.read(outer, 4096)
        except OSError:  # how Linux tells that the last writer is gone
            break
        if not chunk:
            break
        shown += chunk
    os.close(outer)
    assert process.wait(timeout=60) == 0
    return shown.decode()


def test_progress_is_drawn_on_a_terminal_only() -> None:
    shown = on_terminal(SCAN)
    assert "Hashing source" in shown
    assert "img/s" in shown
    assert on_terminal([*SCAN, "--no-progress"]) == ""
    assert run(SCAN).stderr == ""


def test_what_c_libraries_write_to_stderr_is_not_shown() -> None:
    """libtiff complains of a damaged LZW stream."""
    path = Path("training_data/class_A/damaged.tif")
    picture(0, (300, 300)).save(path, compression="tiff_lzw")
    data = bytearray(path.read_bytes())
    data[2000:2400] = b"\xff" * 400
    path.write_bytes(bytes(data))
    done = run(SCAN)
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a\nbug"), ExitCode.INTERNAL),
        (MemoryError(), ExitCode.INTERNAL),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
    ],
)
def test_whatever_happens_is_one_line(
    error: BaseException, code: ExitCode, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def failing() -> None:
        raise error

    assert run_command(failing, []) == code
    line = capsys.readouterr().err.strip()
    assert "\n" not in line
    if code is ExitCode.INTERNAL:
        assert "please report" in line
        assert type(error).__name__ in line
        assert "test_process.py:" in line


def test_odd_files_leave_no_remarks_on_stderr() -> None:
    """Pillow warns about such an image, and logs an error about others."""
    image = picture(0).convert("P")
    image.info["transparency"] = bytes(range(256))
    image.save("training_data/class_A/palette.png", transparency=bytes(range(200)))
    plain = "import sys, imagehash; from PIL import Image; imagehash.phash(Image.open(sys.argv[1]))"
    assert (
        "UserWarning"
        in run([sys.executable, "-c", plain], "training_data/class_A/palette.png").stderr
    )
    assert run(SCAN).stderr == ""
