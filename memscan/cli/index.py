"""memscan index: hash a collection once, and look after the table that this makes."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Iterator

import click

from memscan import __version__
from memscan.cli import options
from memscan.cli.lists import lists
from memscan.cli.process import ExitCode, Terminated, complain, note, warn, write_stdout

if TYPE_CHECKING:
    from memscan.indexing import Indexed, Progress, Step
    from memscan.tables.manifest import Manifest

_SETTINGS = {"help_option_names": ["-h", "--help"]}
_DIR = "DIR"


class _Index(click.Command):
    """The command that makes a table, or another one where the first argument names it."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """As of any command; ``./info`` is a directory of that name, ``info`` the command."""
        if args and args[0] in _OTHERS:
            name = args.pop(0)
            return _OTHERS[name].make_context(f"{info_name} {name}", args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(name="index", cls=_Index, context_settings=_SETTINGS)
@click.argument("sources", metavar="SOURCE...", nargs=-1)
@click.option("--output", metavar=_DIR, required=True, help="The table: a directory.")
@options.files_from
@options.nul
@options.recursive
@options.exclude
@options.follow_symlinks
@options.hash
@options.detector
@options.weights
@options.trust_weights
@options.device
@click.option(
    "--views",
    type=click.Choice(("plain", "training", "thorough")),
    default="plain",
    show_default=True,
    help="Hash what scans with these --views compare.",
)
@options.max_pixels
@options.engine
@options.address
@options.jobs
@options.max_failures()
@options.no_progress
def command(
    sources: tuple[str, ...],
    output: str,
    files_from: tuple[str, ...],
    nul: bool,
    max_failures: int | None,
    no_progress: bool,
    detector: str | None,
    weights: tuple[str, ...],
    trust_weights: bool,
    device: str,
    **scan: Any,
) -> int:
    """Hash each SOURCE once into a table that scans read in place of the images.

    A source is what it is for detect: a directory, an image, an archive, a pattern, a URL. With
    --detector the table holds embeddings, for scans with the same weights. Run the same command
    again after a stop or a change: only what is missing or changed is hashed.

    \b
    memscan index info DIR                      what a table holds
    memscan index verify DIR                    read every byte of a table
    memscan index merge DIR... --output DIR     unite tables

    Exit codes: 0 done, 2 unusable input, 3 failed shards or too many unreadable images,
    70 internal error or unwritable output, 130 interrupted, 143 terminated.
    """  # noqa: D301 (the escape is how click keeps lines)
    if not sources and not files_from:
        raise click.UsageError("name a SOURCE, or a list of files with --files-from")
    from memscan import decode, indexing  # numpy and Pillow, not for --help
    from memscan.indexing.network import WeightsFile
    from memscan.networks import file_of
    from memscan.reports import hash_tables

    options.refuse_hash_beside(detector)
    if detector is not None:
        scan["weights"] = WeightsFile(file_of(detector, weights), device, trust_weights)
    elif weights:
        raise click.UsageError("--weights are for a --detector")
    if scan["max_pixels"] is None:
        scan["max_pixels"] = decode.MAX_PIXELS
    with _kept(), _progress_bar(not no_progress) as progress:
        done = indexing.index(
            sources, output, lists=lists(files_from, nul), progress=progress, **scan
        )
    _warn(done, output)
    write_stdout(hash_tables.render_run(done.manifest, output, done.hashed, done.already))
    return _exit_code(done.manifest, max_failures)


@click.command(name="info", context_settings=_SETTINGS)
@click.argument("table", metavar=_DIR)
@options.stdout_format(("text", "json"))
def _info(table: str, stdout_format: str) -> int:
    """Show what a hash table holds: its hash and views, images, failures and versions."""
    from memscan.errors import InputError
    from memscan.reports import hash_tables
    from memscan.sources.stores import shown
    from memscan.tables import manifest

    listed = manifest.read(table)
    table = shown(table)
    if listed is None:
        raise InputError(
            f"{table}: there is no {manifest.NAME} (memscan index, run again, finishes a table)"
        )
    write_stdout(hash_tables.render_info(listed, table, stdout_format))
    return ExitCode.DONE


@click.command(name="verify", context_settings=_SETTINGS)
@click.argument("table", metavar=_DIR)
def _verify(table: str) -> int:
    """Read every byte of a hash table and name what is damaged, missing or there twice.

    Exit codes: 0 for a sound table, 2 for any other.
    """
    from memscan.reports import hash_tables
    from memscan.tables import checking

    problems = checking.verify(table)
    write_stdout(hash_tables.render_check(problems, table))
    if not problems:
        return ExitCode.DONE
    complain(f"{table}: not sound; memscan index, run again, makes damaged parts anew")
    return ExitCode.UNUSABLE_INPUT


@click.command(name="merge", context_settings=_SETTINGS)
@click.argument("tables", metavar=f"{_DIR}...", nargs=-1, required=True)
@click.option("--output", metavar=_DIR, required=True, help="The new table: a new directory.")
def _merge(tables: tuple[str, ...], output: str) -> int:
    """Unite hash tables that were made alike in a new one, without hashing anything again."""
    from memscan.reports import hash_tables
    from memscan.tables import merging

    merged = merging.merge(tables, output, __version__)
    write_stdout(hash_tables.render_info(merged, output, "text"))
    return ExitCode.DONE


_OTHERS = {"info": _info, "verify": _verify, "merge": _merge}


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    """Say, where a person stops the work, that it was not for nothing."""
    try:
        yield
    except (KeyboardInterrupt, Terminated):
        note("Finished parts are kept: run the same command again to go on.")
        raise


@contextlib.contextmanager
def _progress_bar(wanted: bool) -> Iterator[Progress | None]:
    """A bar by image that tells the shards as well; None where stderr is no terminal."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from tqdm import tqdm  # only a run on a terminal pays for it

    with tqdm(desc="Hashing", unit="img", leave=False, dynamic_ncols=True) as bar:

        def show(step: Step) -> None:
            bar.total = None if step.expected is None else max(step.expected, step.images)
            bar.set_postfix_str(f"shards {step.shards}/{step.all_shards}", refresh=False)
            bar.update(step.images - bar.n)

        yield show


def _warn(done: Indexed, output: str) -> None:
    if done.removed:
        warn(
            f"{output}: {len(done.removed)} parts were removed, whose shards are no longer in the "
            "sources or failed"
        )
    if done.left:
        warn(
            f"{output}: {len(done.left)} parts lie there that belong to no shard of these sources "
            f"(first {done.left[0]}); they are not in the table and can be deleted"
        )


def _exit_code(made: Manifest, max_failures: int | None) -> int:
    """What a pipeline reads: an incomplete table is told from a whole one."""
    if made.failed:
        complain(f"{len(made.failed)} shards failed, the table is incomplete (run again to retry)")
        return ExitCode.INCOMPLETE
    if made.failures == made.rows:
        complain(f"none of the {made.rows} images can be read" if made.rows else "no images")
        return ExitCode.UNUSABLE_INPUT
    if max_failures is not None and made.failures > max_failures:
        complain(
            f"{made.failures} images could not be read, --max-failures allows {max_failures}; "
            "the table is incomplete"
        )
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
