"""The images that a network is trained on: a directory, or a list with identities and splits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Sequence, TypeVar

import click

from memscan.cli import options
from memscan.cli.process import warn
from memscan.errors import InputError

if TYPE_CHECKING:
    from memscan.detectors.identities import Listed

Command = TypeVar("Command", bound=Callable[..., Any])


def directories(help: str) -> options.Option[Any]:
    """The options that :func:`found` takes: --images, of which ``help`` tells, and what is read."""

    def decorate(command: Command) -> Command:
        for option in (
            options.follow_symlinks,
            options.exclude,
            options.recursive,
            click.option("--images", metavar="DIR", multiple=True, help=help),
        ):
            command = option(command)
        return command

    return decorate


def image_list(command: Command) -> Command:
    """The options that :func:`listed_images` takes: --images and what is read there, --list."""
    for option in (
        click.option(
            "--base-dir", metavar="DIR", help="Where the paths of --list begin  [default: its own]"
        ),
        click.option(
            "--list",
            "listing",
            metavar="FILE",
            help="A CSV file of images: path, and perhaps id and split (train, val, test).",
        ),
        directories("A directory of images, each an identity of its own. Repeatable."),
    ):
        command = option(command)
    return command


def listed_images(
    images: tuple[str, ...], listing: str | None, base_dir: str | None, **selection: Any
) -> list[Listed]:
    """What the options name, after warnings of directories that cannot be listed.

    ``selection`` is that of :class:`memscan.sources.directories.Selection`. Raises InputError.
    """
    from memscan.detectors import identities

    if bool(images) == (listing is not None):
        raise InputError("give either --images or --list")
    if listing is not None:
        if any(selection.values()):
            raise InputError("--recursive, --exclude and --follow-symlinks belong to --images")
        return identities.read_list(listing, base_dir)
    if base_dir is not None:
        raise InputError("--base-dir belongs to --list")
    return identities.each_its_own(found(images, **selection))


def found(images: tuple[str, ...], **selection: Any) -> list[str]:
    """The images in directories, after warnings of those that cannot be listed.

    ``selection`` is as above. Raises InputError.
    """
    from memscan.sources import given
    from memscan.sources.directories import Selection

    listings = given.list_images(images, Selection(**selection), "directory")
    given.require_files(listings, "training")
    for failure in given.unlisted(listings):
        warn(f"{failure.path}: {failure.message}")
    return given.in_bytewise_order(listings)


def of_split(listed: Sequence[Listed], split: str) -> list[str]:
    """The paths of the images of a split."""
    return [one.path for one in listed if one.split == split]
