"""Image files in directories of the file system."""

from __future__ import annotations

import dataclasses
import fnmatch
import functools
import os
from dataclasses import dataclass
from typing import Callable, Iterable, Iterator, NamedTuple, Sequence

from memscan.decode import SUFFIXES, looks_like_image, open_regular
from memscan.errors import InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources import uris


@dataclass(frozen=True)
class Listing:
    """The image files at one path, in bytewise order, and the directories that were not listed.

    ``linked`` holds those of ``paths`` whose last component is a symbolic link. ``containers`` are
    files that hold images, ``remote`` image files on a store, both in bytewise order; ``tables``
    hold hashes of images. ``linked`` may name containers and tables as well.
    """

    root: str
    paths: tuple[str, ...]
    failures: tuple[Failure, ...] = ()
    linked: frozenset[str] = frozenset()
    containers: tuple[str, ...] = ()
    remote: tuple[Entry, ...] = ()
    tables: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing here that could be an image."""
        return not (self.paths or self.containers or self.remote or self.tables)


class Entry(NamedTuple):
    """A file on a store: its URL, size in bytes, and what changes when the file does.

    Size and identity (32 hexadecimal digits) are None where the store does not say.
    """

    url: str
    size: int | None
    identity: str | None


@dataclass(frozen=True)
class Selection:
    """Which files of a directory belong to a scan.

    ``exclude`` holds shell patterns for the path below the directory, with ``/`` between its
    parts; ``*`` matches ``/`` too, and a directory that matches is not entered. ``hash_column``
    says that Parquet and CSV files hold hashes, and in which column.
    """

    recursive: bool = False
    exclude: tuple[str, ...] = ()
    follow_symlinks: bool = False
    hash_column: str | None = None

    def excludes(self, below: str) -> bool:
        """Whether the path below the given directory matches one of the patterns."""
        return any(fnmatch.fnmatchcase(below, pattern) for pattern in self.exclude)


def find_images(root: str, selection: Selection) -> Listing:
    """List the image files at ``root``: the file itself, or those in the directory.

    In a directory, files whose name begins with a dot are passed over, and so are those with a
    suffix that is not in SUFFIXES; files without a suffix are recognised by their first bytes.
    Medical volumes are taken as well, archives and Parquet files only where they are the root.
    Raises InputError if there is nothing at ``root`` or it is a directory that cannot be listed.
    """
    if not os.path.isdir(root):
        if not os.path.lexists(root):
            raise InputError(f"{root}: there is no such file or directory")
        linked = frozenset([root] if os.path.islink(root) else [])
        if uris.is_container(root) or _is_unnamed_volume(root):
            return Listing(root, (), linked=linked, containers=(root,))
        return Listing(root, (root,), linked=linked)
    walk = _Walk(root, selection)
    walk.run()
    if walk.failures and walk.failures[0].path == root:
        raise InputError(f"{root}: {walk.failures[0].message}")
    return Listing(
        root,
        tuple(sorted(walk.paths, key=os.fsencode)),
        tuple(sorted(walk.failures, key=lambda failure: os.fsencode(failure.path))),
        frozenset(walk.linked),
        tuple(sorted(walk.volumes, key=os.fsencode)),
    )


def count_once(listings: Sequence[Listing]) -> list[Listing]:
    """The listings without the files that they share: each stays where it comes first.

    Two paths are one file if they are the same after resolving symbolic links; hard links are
    files of their own.
    """
    if len(listings) == 1 and not listings[0].linked:
        return list(listings)
    identify = _identifier()
    seen: set[str] = set()

    def new(paths: Iterable[str], linked: frozenset[str]) -> Iterator[str]:
        for path in paths:
            identity = identify(path, path in linked)
            if identity not in seen:
                seen.add(identity)
                yield path

    kept: list[Listing] = []
    for listing in listings:
        urls = set(new((entry.url for entry in listing.remote), listing.linked))
        kept.append(
            dataclasses.replace(
                listing,
                paths=tuple(new(listing.paths, listing.linked)),
                containers=tuple(new(listing.containers, listing.linked)),
                remote=tuple(entry for entry in listing.remote if entry.url in urls),
                tables=tuple(new(listing.tables, listing.linked)),
            )
        )
    return kept


def same_files(wanted: Sequence[str], listings: Sequence[Listing]) -> dict[str, str]:
    """Of the paths ``wanted``, those that name a listed file: a mapping to its listed path.

    The URI of an image in a listed container is mapped to its URI there.
    """
    identify = _identifier()
    by_identity: dict[str, list[tuple[str, str]]] = {}
    for name in wanted:
        head, path = uris.split_container(name)
        by_identity.setdefault(identify(path, os.path.islink(path)), []).append((name, head))
    names = {os.path.basename(identity) for identity in by_identity}
    found: dict[str, str] = {}
    for listing in listings:
        urls = (entry.url for entry in listing.remote)
        for path in (*listing.paths, *listing.containers, *urls):
            is_link = path in listing.linked
            if is_link or os.path.basename(path) in names:
                for name, head in by_identity.get(identify(path, is_link), ()):
                    found.setdefault(name, head + path)
    return found


def _identifier() -> Callable[[str, bool], str]:
    """A function from (path, is a link) to the path with its symbolic links resolved.

    It looks up each directory once; make a new one for each use, since links can change.
    """
    real_directory = functools.lru_cache(maxsize=4096)(os.path.realpath)

    def identify(path: str, is_link: bool) -> str:
        if is_link:
            return os.path.realpath(path)
        directory, name = os.path.split(path)
        return os.path.join(real_directory(directory), name)

    return identify


class _Walk:
    """One pass over a directory tree; real directories come before those behind links."""

    def __init__(self, root: str, selection: Selection) -> None:
        self.root = root
        self.selection = selection
        self.paths: list[str] = []
        self.linked: list[str] = []
        self.volumes: list[str] = []
        self.failures: list[Failure] = []
        self._directories: list[tuple[str, str]] = [(root, "")]
        self._links: list[tuple[str, str]] = []
        self._entered: set[str] = set()

    def run(self) -> None:
        while self._directories or self._links:
            if not self._directories:
                self._links.sort(key=lambda pair: os.fsencode(pair[0]), reverse=True)
                self._directories.append(self._links.pop())
            self._list(*self._directories.pop())

    def _list(self, directory: str, below: str) -> None:
        if self.selection.follow_symlinks:
            real = os.path.realpath(directory)
            if real in self._entered:
                return
            self._entered.add(real)
        for entry in self._entries(directory):
            self._take(entry, os.path.join(directory, entry.name), below + entry.name)

    def _entries(self, directory: str) -> Iterator[os.DirEntry[str]]:
        """What is in a directory, one at a time: a million entries at once are 200 MB."""
        try:
            with os.scandir(directory) as listed:
                yield from listed
        except OSError as error:
            message = f"the directory cannot be listed: {error.strerror}"
            self.failures.append(Failure(directory, Stage.READ, message, is_directory=True))

    def _take(self, entry: os.DirEntry[str], path: str, below: str) -> None:
        if entry.name.startswith("."):
            return
        if self.selection.exclude and self.selection.excludes(below.replace(os.sep, "/")):
            return
        if _is_directory(entry):
            if self.selection.recursive and entry.is_symlink():
                if self.selection.follow_symlinks:
                    self._links.append((path, below + os.sep))
            elif self.selection.recursive:
                self._directories.append((path, below + os.sep))
            return
        suffix = os.path.splitext(entry.name)[1].lower()
        if suffix in SUFFIXES or (not suffix and looks_like_image(path)):
            self.paths.append(path)
            if entry.is_symlink():
                self.linked.append(path)
        elif path.lower().endswith(uris.VOLUME_SUFFIXES) or _is_unnamed_volume(path):
            self.volumes.append(path)
            if entry.is_symlink():
                self.linked.append(path)


def _is_unnamed_volume(path: str) -> bool:
    """Whether a file without a suffix begins as a DICOM file does."""
    if os.path.splitext(path)[1]:
        return False
    try:
        with open_regular(path) as file:
            file.seek(uris.DICOM_MARK_AT)
            return file.read(len(uris.DICOM_MARK)) == uris.DICOM_MARK
    except (ReadError, OSError):
        return False


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself, or into a directory that cannot be searched
        return False


def count_deeper(root: str, selection: Selection) -> int | None:
    """How many images a recursive scan of the directory would find; None where it was one."""
    if selection.recursive or not os.path.isdir(root):
        return None
    deeper = Selection(True, selection.exclude, selection.follow_symlinks)
    found = find_images(root, deeper)
    return len(found.paths) + len(found.containers)
