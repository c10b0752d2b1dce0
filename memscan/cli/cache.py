"""memscan cache: look after the hashes that are kept from scan to scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from memscan.cli.places import cache_directory
from memscan.cli.process import ExitCode, write_stdout

if TYPE_CHECKING:
    from memscan.cache import Cache


@click.group(name="cache", context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--cache-dir", metavar="DIR", help="As in detect.")
@click.pass_context
def command(context: click.Context, cache_dir: str | None) -> None:
    """Look after the hashes that are kept from scan to scan."""
    from memscan.cache import Cache  # numpy and SQLite, not for --help

    context.obj = context.with_resource(Cache(cache_dir or cache_directory()))


@command.command()
@click.pass_obj
def info(cache: Cache) -> int:
    """Show where the cache lies and what is in it."""
    usage = cache.usage()
    lines = [f"Cache: {cache.path}", f"Size: {usage.bytes} bytes"]
    lines += [f"Images: {count} ({encoder})" for encoder, count in usage.images.items()]
    write_stdout("\n".join(lines) + "\n")
    return ExitCode.DONE


@command.command()
@click.pass_obj
def prune(cache: Cache) -> int:
    """Forget images whose file is gone or changed."""
    write_stdout(f"Forgot {cache.prune()} images whose file is gone or changed.\n")
    return ExitCode.DONE


@command.command()
@click.pass_obj
def clear(cache: Cache) -> int:
    """Delete the cache."""
    write_stdout(f"Deleted {cache.path}\n" if cache.clear() else "There is no cache to delete.\n")
    return ExitCode.DONE
