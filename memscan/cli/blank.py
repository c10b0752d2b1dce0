"""memscan blank: the grid that a network leaves, in an even grey and in fingerprints."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Iterator, Sequence

import click
from click.core import ParameterSource

from memscan.cli import options, outputs
from memscan.cli.process import ExitCode, write_stdout
from memscan.cli.progress import progress_bars
from memscan.errors import InputError, OutputError
from memscan.reports.names import inert, inert_path

if TYPE_CHECKING:
    from PIL import Image

    from memscan.attribution.fingerprints import Found
    from memscan.fingerprints.residuals import Pixels

_OF_TRAINING = ("steps", "side", "seed", "device")
_LONGEST = 100  # letters of a file's name
_MOST = 10_000  # times what is around it: beyond that there is nothing around it


@click.command(name="blank", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--output", metavar="DIR", required=True, help="A new or empty directory for the pictures."
)
@click.option(
    "--fingerprints",
    metavar="PATH",
    multiple=True,
    help="Draw these fingerprints, files or directories, and train nothing. Repeatable.",
)
@click.option(
    "--steps", metavar="N", type=click.IntRange(1, 1_000_000), default=1000, show_default=True,
    help="Steps of the training.",
)  # fmt: skip
@click.option(
    "--side", metavar="N", type=click.IntRange(32, 1024), default=128, show_default=True,
    help="Pixels a side of the grey image, a multiple of 16.",
)  # fmt: skip
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 1 << 31), default=0, show_default=True,
    help="Of the network and of the noise that it draws from.",
)  # fmt: skip
@options.device
@options.no_progress
def command(
    output: str,
    fingerprints: tuple[str, ...],
    steps: int,
    side: int,
    seed: int,
    device: str,
    no_progress: bool,
) -> int:
    """Show that a network leaves its grid even in an image of one grey.

    Trains the U-Net of DIF to draw a grey square (extra learned), or takes --fingerprints that
    there are. Draws the pattern that is left, stretched, and its Fourier transform, in which a
    grid stands as bright points; and prints how far these rise above what is around them.
    """
    _check_empty(output)
    if fingerprints:
        _refuse_training()
        from memscan.attribution.fingerprints import find

        found = find(fingerprints)
        _make(output)
        lines = list(_fingerprints(output, found))
    else:
        from memscan.detectors.extras import require

        require("torch", "learned")
        from memscan.detectors.dif import blank
        from memscan.fingerprints import pictures

        blank.check(side)
        _make(output)
        with progress_bars(not no_progress) as progress:
            made = blank.draw(side, steps, seed, device=device, progress=progress)
        _save(output, "image.png", pictures.as_is(made.pixels))
        lines = [f"image.png: {steps} steps, mean squared error {made.error:.2g}"]
        lines += _drawn(output, "", made.pixels)
    write_stdout("\n".join([*lines, "Noise has about 1; more is a grid."]) + "\n")
    return ExitCode.DONE


def _check_empty(folder: str) -> None:
    """Raise InputError for a directory that has something in it, which pictures could replace."""
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder}: not a directory")
    try:
        is_empty = not os.path.isdir(folder) or not os.listdir(folder)
    except OSError as error:
        raise InputError(f"{folder}: cannot be listed: {error.strerror}") from error
    if not is_empty:
        raise InputError(f"{folder}: not empty; the pictures go into a directory of their own")


def _make(folder: str) -> None:
    """Make the directory before anything is trained. Raises OutputError where none can be."""
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder or 'an empty name'}: cannot be made: {error.strerror}"
        ) from error
    outputs.check_replaceable(os.path.join(folder, "image.png"))


def _refuse_training() -> None:
    """Raise UsageError for an option of the training."""
    context = click.get_current_context()
    for name in _OF_TRAINING:
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{name} is of the training, and --fingerprints needs none")


def _fingerprints(folder: str, some: Sequence[Found]) -> Iterator[str]:
    """Draws all fingerprints. Raises OutputError."""
    names: set[str] = set()
    for found in some:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", found.fingerprint.name).lstrip(".")[:_LONGEST]
        name = _unused(name or "fingerprint", names)
        names.add(name)
        yield f"{inert(found.fingerprint.name)} ({inert_path(found.path)})"
        yield from _drawn(folder, f"{name}-", found.fingerprint.pattern)


def _unused(name: str, names: set[str]) -> str:
    """The name, with a number if it is taken."""
    number, unused = 1, name
    while unused in names:
        number += 1
        unused = f"{name}-{number}"
    return unused


def _drawn(folder: str, prefix: str, pattern: Pixels) -> Iterator[str]:
    """Draws a pattern both ways, and says what there is to see."""
    from memscan.fingerprints import grids, pictures

    _save(folder, f"{prefix}pattern.png", pictures.of_pattern(pattern))
    _save(folder, f"{prefix}fourier.png", pictures.of_spectrum(pattern))
    yield f"{prefix}pattern.png: what is left beside the mean, stretched"
    yield f"{prefix}fourier.png: its Fourier transform, slow changes in the middle"
    for peak in grids.peaks(pattern):
        times = f"{peak.ratio:.1f}" if peak.ratio <= _MOST else f"more than {_MOST:,}"
        yield f"  grid of {peak.period} pixels: {times} times what is around it"


def _save(folder: str, name: str, picture: Image.Image) -> None:
    import io

    data = io.BytesIO()
    picture.save(data, "PNG")
    outputs.write_whole(os.path.join(folder, name), data.getvalue())
