"""What could not be read, as a person is told of it."""

from __future__ import annotations

from typing import Iterator, Sequence

from memscan.records import Failure
from memscan.reports.names import inert, inert_path


def failure_line(failure: Failure) -> str:
    """Which path failed and why, in one line."""
    return f"{inert_path(failure.path)}: {inert(failure.message)}"


def unread_lines(failures: Sequence[Failure], verbose: bool) -> Iterator[str]:
    """How many images and directories could not be read and, if ``verbose``, each of them."""
    directories = sum(failure.is_directory for failure in failures)
    hint = ":" if verbose else " (--verbose lists them)"
    for count, things in (
        (len(failures) - directories, "images"),
        (directories, "directories"),
    ):
        if count:
            yield f"[!] Could not read {count} {things}{hint}"
            if verbose:
                for failure in failures:
                    if failure.is_directory == (things == "directories"):
                        yield f"    {failure_line(failure)}"
