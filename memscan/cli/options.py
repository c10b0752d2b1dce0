"""Options that several commands have, each with one spelling, meaning and help."""

from __future__ import annotations

from typing import Any, Callable, Iterable, TypeVar

import click
from click.core import ParameterSource

Command = TypeVar("Command", bound=Callable[..., Any])
Option = Callable[[Command], Command]

files_from: Option[Any] = click.option(
    "--files-from",
    metavar="FILE",
    multiple=True,
    help="Read paths from FILE, one in a line; - is standard input. Repeatable.",
)
nul: Option[Any] = click.option(
    "-0", "nul", is_flag=True, help="A NUL byte ends each path of --files-from, not a line."
)
recursive: Option[Any] = click.option(
    "-r", "--recursive", is_flag=True, help="Search directories at every depth."
)
exclude: Option[Any] = click.option(
    "--exclude",
    metavar="GLOB",
    multiple=True,
    help="Leave out what matches below a given directory; * matches / too. Repeatable.",
)
follow_symlinks: Option[Any] = click.option(
    "--follow-symlinks", is_flag=True, help="Enter directories behind links."
)
exclude_self: Option[Any] = click.option(
    "--exclude-self",
    is_flag=True,
    help="Do not compare a target with the source image that is the same file.",
)
images: Option[Any] = click.option(
    "--images", metavar="PATH", multiple=True, help="A directory of images to edit. Repeatable."
)
identities: Option[Any] = click.option(
    "--identities", metavar="FILE", help="A CSV file of images: path, id and perhaps split."
)
near_threshold: Option[Any] = click.option(
    "--near-threshold",
    metavar="BITS",
    type=click.IntRange(0, 64),
    default=5,
    show_default=True,
    help="Largest distance of a Near-Duplicate.",
)
engine: Option[Any] = click.option(
    "--engine",
    type=click.Choice(("local", "ray")),
    default="local",
    show_default=True,
    help="Work on this machine's cores, or on a Ray cluster.",
)
address: Option[Any] = click.option(
    "--address",
    metavar="HOST:PORT",
    help="The Ray cluster, or auto  [default: RAY_ADDRESS, else a Ray of this machine's own]",
)
hash: Option[Any] = click.option(
    "--hash",
    type=click.Choice(("phash", "dhash", "phash-256", "pdq")),
    default="phash",
    show_default=True,
    help="What the images are compared by.",
)
weights: Option[Any] = click.option(
    "--weights",
    metavar="FILE",
    multiple=True,
    help="The weights of a learned detector, beside their card. Repeatable.",
)
trust_weights: Option[Any] = click.option(
    "--trust-weights",
    is_flag=True,
    help="Run TorchScript weights, which contain code: as much trust as in a program.",
)
device: Option[Any] = click.option(
    "--device",
    metavar="NAME",
    default="auto",
    show_default=True,
    help="Where networks run: auto, cpu, cuda, cuda:N or mps.",
)
detector: Option[Any] = click.option(
    "--detector",
    type=click.Choice(("deepssim", "encoder")),
    help="Compare by a learned detector, not by a hash (extra learned); needs --weights.",
)
verify: Option[Any] = click.option(
    "--verify",
    type=click.Choice(("lcmem",)),
    help="Ask a learned detector about what is close (extra learned); needs --weights.",
)
max_pixels: Option[Any] = click.option(
    "--max-pixels",
    metavar="N",
    type=click.IntRange(min=1),
    help="Refuse images with more pixels  [default: 178956970, as Pillow does]",
)
jobs: Option[Any] = click.option(
    "--jobs", metavar="N", type=click.IntRange(1, 1024), help="Workers  [default: cores]"
)
no_cache: Option[Any] = click.option(
    "--no-cache", is_flag=True, help="Neither use nor fill the cache of hashes."
)
cache_dir: Option[Any] = click.option(
    "--cache-dir",
    metavar="DIR",
    help="Where the cache lies  [default: MEMSCAN_CACHE_DIR or the user's cache directory]",
)
config: Option[Any] = click.option(
    "--config", metavar="FILE", help="What is to differ from the defaults, as JSON."
)
print_config: Option[Any] = click.option(
    "--print-config", is_flag=True, help="Print the whole configuration and stop."
)
quiet: Option[Any] = click.option(
    "--quiet", is_flag=True, help="Print the report only if it needs attention."
)
verbose: Option[Any] = click.option(
    "--verbose", is_flag=True, help="Name each image that cannot be read."
)
no_progress: Option[Any] = click.option("--no-progress", is_flag=True, help="Draw no progress bar.")


def pair_detector(help: str, default: str | None = None) -> Option[Any]:
    """``--detector`` of commands that score pairs, which every learned detector does."""
    return click.option(
        "--detector",
        type=click.Choice(("deepssim", "lcmem", "encoder")),
        default=default,
        show_default=True,
        help=help,
    )


def max_failures(gate: str | None = None) -> Option[Any]:
    """``--max-failures``, of which the option ``gate`` changes the default."""
    default = "no limit" if gate is None else f"0 with {gate}, else no limit"
    return click.option(
        "--max-failures",
        metavar="N",
        type=click.IntRange(min=0),
        help=f"Exit with 3 if more images cannot be read  [default: {default}]",
    )


def seed(decides: str) -> Option[Any]:
    """``--seed``, which ``decides`` something where images are drawn."""
    return click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help=f"What decides {decides}.",
    )


def stdout_format(formats: Iterable[str]) -> Option[Any]:
    """``--format``: what is printed on stdout, one of ``formats``, of which text is one."""
    return click.option(
        "--format",
        "stdout_format",
        type=click.Choice(list(formats)),
        default="text",
        show_default=True,
        help="What is printed on stdout.",
    )


def outputs(suffixes: Iterable[str], required: bool = False) -> Option[Any]:
    """``--output``: files to write, in the format that their suffix names."""
    *others, last = suffixes
    return click.option(
        "--output",
        "output_paths",
        metavar="FILE",
        multiple=True,
        required=required,
        help=f"Write FILE, as {', '.join(others)} or {last}. Repeatable.",
    )


def refuse_hash_beside(detector: str | None) -> None:
    """Raise UsageError if a hash was asked for beside a learned detector."""
    source = click.get_current_context().get_parameter_source("hash")
    if detector is not None and source is not ParameterSource.DEFAULT:
        raise click.UsageError("--detector and --hash exclude each other")
