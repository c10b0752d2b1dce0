"""The values that a search for near-duplicates gives. All are immutable."""

from __future__ import annotations

from dataclasses import dataclass

from memscan.records import Failure
from memscan.report import Source


@dataclass(frozen=True)
class Member:
    """An image of a group, with its distance in bits (0 to 64) from the group's first image."""

    path: str
    hash: int
    distance: int


@dataclass(frozen=True)
class DuplicateGroup:
    """Two images or more, each within the threshold of another one of them.

    ``members`` are in bytewise order of their paths. A chain of near-duplicates is one group, so
    a member can be further than the threshold from the first, and from every other but one.
    """

    members: tuple[Member, ...]

    @property
    def size(self) -> int:
        """The number of images."""
        return len(self.members)

    @property
    def largest_distance(self) -> int:
        """The largest distance in bits of a member from the first."""
        return max(member.distance for member in self.members)


@dataclass(frozen=True)
class DuplicateReport:
    """The near-duplicates within a collection. The same inputs make an equal report.

    ``threshold`` is the largest distance in bits that joins two images. ``groups`` are the largest
    first, those of one size by their first path bytewise. ``low_information`` names the images that
    were left out of the groups because flat images and gradients collide without being copies.
    Every image that was found is among the ``hashed`` or a failure. ``warnings`` are sentences
    about tables of hashes.
    """

    version: str
    encoder: str
    libraries: dict[str, str]
    threshold: int
    sources: tuple[Source, ...]
    hashed: int
    groups: tuple[DuplicateGroup, ...]
    low_information: tuple[str, ...]
    failures: tuple[Failure, ...]
    warnings: tuple[str, ...] = ()

    @property
    def found(self) -> int:
        """The number of image files found, readable or not."""
        return sum(source.found for source in self.sources)

    @property
    def grouped(self) -> int:
        """The number of images that are in a group."""
        return sum(group.size for group in self.groups)

    @property
    def removable(self) -> int:
        """The number of images that could go if each group kept one."""
        return self.grouped - len(self.groups)

    @property
    def removable_share(self) -> float:
        """The share of the images hashed that could go, from 0 to 1."""
        return self.removable / self.hashed
