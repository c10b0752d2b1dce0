"""What a command means to the process: exit codes, signals and the standard streams."""

from __future__ import annotations

import enum
import logging
import os
import signal
import sys
import traceback
import warnings
from typing import NoReturn, Sequence, TextIO

import click

from memscan.errors import MemscanError, OutputError
from memscan.reports.names import inert


class ExitCode(enum.IntEnum):
    """How a command ends. A gate reads REFUSED as a leak, so nothing else exits with 1."""

    DONE = 0
    REFUSED = 1
    UNUSABLE_INPUT = 2
    INCOMPLETE = 3
    INTERNAL = 70
    INTERRUPTED = 130
    TERMINATED = 143


class Terminated(BaseException):
    """SIGTERM arrived."""


def run_and_exit(command: click.Command) -> NoReturn:
    """Run a command on the arguments of this process, and end the process."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _terminate)
    _silence_libraries()
    code = run_command(command)
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        os._exit(code)  # at once: a worker may still be decoding a large image
    sys.exit(code)


def run_command(command: click.Command, arguments: Sequence[str] | None = None) -> int:
    """Run a command and turn whatever happens into one line on stderr and an exit code."""
    try:
        return int(command.main(arguments, standalone_mode=False) or ExitCode.DONE)
    except click.ClickException as error:
        _show_usage(error)
        return ExitCode.UNUSABLE_INPUT
    except MemscanError as error:
        complain(str(error))
        return ExitCode.INTERNAL if isinstance(error, OutputError) else ExitCode.UNUSABLE_INPUT
    except (click.Abort, KeyboardInterrupt):
        _say("Interrupted.")
        return ExitCode.INTERRUPTED
    except Terminated:
        _say("Terminated.")
        return ExitCode.TERMINATED
    except SystemExit:  # how click ends when the reader of its help went away
        _drop(sys.stdout)
        return ExitCode.DONE
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = (
            f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"
        )
        complain(f"memscan failed, please report this with the command that you ran: {what}")
        return ExitCode.INTERNAL


def complain(sentence: str) -> None:
    """Tell on stderr why the command does not do what was asked."""
    _say(f"Error: {sentence}")


def warn(sentence: str) -> None:
    """Tell on stderr what the person should know about the result."""
    _say(f"Warning: {sentence}")


def note(sentence: str) -> None:
    """Tell on stderr what was done besides the result."""
    _say(sentence)


def write_stdout(text: str) -> None:
    """Write the result. A reader that went away is no error; a full disk raises OutputError."""
    if sys.stdout is None:
        raise OutputError("standard output is closed; nothing was printed")
    try:
        sys.stdout.buffer.write(text.encode(sys.stdout.encoding or "utf-8", "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        raise OutputError(f"standard output cannot be written: {error.strerror}") from error


def _silence_libraries() -> None:
    """Keep what libraries remark about odd files off stderr: what matters is in the report.

    libtiff writes to descriptor 2 from C; this process's own messages go to a copy of it.
    """
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger("PIL").addHandler(logging.NullHandler())
    if sys.stderr is not None:
        own, encoding = os.dup(sys.stderr.fileno()), sys.stderr.encoding
        _drop(sys.stderr)
        sys.stderr = os.fdopen(own, "w", 1, encoding, "backslashreplace")


def _say(line: str) -> None:
    """Write to stderr; where that fails, the exit code alone must tell what happened."""
    if sys.stderr is not None:
        try:
            print(inert(line), file=sys.stderr, flush=True)
        except OSError:
            _drop(sys.stderr)


def _show_usage(error: click.ClickException) -> None:
    context = getattr(error, "ctx", None)
    if context is not None:
        _say(f"{context.get_usage()}")
        _say(f"Try '{context.command_path} --help' for help.")
    complain(error.format_message())


def _drop(stream: TextIO) -> None:
    """Let the interpreter's last flush of the stream go nowhere instead of failing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _terminate(signum: int, frame: object) -> None:
    raise Terminated
