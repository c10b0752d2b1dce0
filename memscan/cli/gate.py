"""The exit code of a command that a pipeline reads."""

from __future__ import annotations

from memscan.cli.process import ExitCode, complain


def exit_code(reached: bool, failures: int, allowed: int | None) -> ExitCode:
    """What was looked for goes before a scan that is incomplete.

    ``reached`` says that the gate must stop here, ``allowed`` how many of the ``failures`` it
    passes over; None is no limit.
    """
    if reached:
        return ExitCode.REFUSED
    if allowed is not None and failures > allowed:
        complain(
            f"{failures} images could not be read, --max-failures allows {allowed}; "
            "the scan is incomplete"
        )
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
