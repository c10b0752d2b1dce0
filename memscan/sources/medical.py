"""Slices of medical volumes as 8-bit images: the frames of DICOM files, the slices of NIfTI files.

Nothing is resampled: voxels become pixels, whatever their sizes in the body.
"""

from __future__ import annotations

import contextlib
import enum
import os
import re
from dataclasses import dataclass
from typing import BinaryIO, Iterator

from PIL import Image

from memscan.errors import DecodeError, ImageError, ReadError
from memscan.records import Failure
from memscan.sources import dicom, nifti
from memscan.sources.uris import DICOM_MARK, DICOM_MARK_AT, file_name
from memscan.sources.volumes import Limits, Plane

HEAD_BYTES = DICOM_MARK_AT + len(DICOM_MARK)
"""As many first bytes of a file without a suffix tell whether it is DICOM."""


class Kind(enum.Enum):
    """The kinds of files with slices; the values are the schemes of their URIs."""

    DICOM = "dicom"
    NIFTI = "nifti"


@dataclass(frozen=True)
class Slice:
    """One slice: its URI, its image (mode L or RGB) or what went wrong, and how it was mapped.

    ``mapping`` says how values became grey levels: ``window 40/400`` (centre/width),
    ``min-max -1024..3071``, ``range 0..80 as stated``, ``VOI table``, with ``, inverted`` for
    MONOCHROME1; ``as stored`` for colours; empty for a failure.
    """

    uri: str
    image: Image.Image | Failure
    mapping: str = ""


@dataclass(frozen=True)
class SliceName:
    """The parts of a URI: ``dicom://<frame>::path``, ``nifti://[<volume>/]<slice>::path``."""

    kind: Kind
    index: tuple[int, ...]
    path: str

    @property
    def uri(self) -> str:
        """The parts as one URI."""
        return f"{self.kind.value}://{'/'.join(map(str, self.index))}::{self.path}"


def kind_of(name: str, head: bytes = b"") -> Kind | None:
    """Which kind of file this is, by the suffix of its name.

    Without a suffix, its first HEAD_BYTES bytes are asked for the mark of DICOM.
    """
    base = file_name(name).lower()
    if base.endswith((".nii", ".nii.gz")):
        return Kind.NIFTI
    if base.endswith((".dcm", ".dicom")):
        return Kind.DICOM
    is_marked = head[DICOM_MARK_AT:HEAD_BYTES] == DICOM_MARK
    return Kind.DICOM if is_marked and not os.path.splitext(base)[1] else None


def parse(uri: str) -> SliceName | None:
    """The parts of the URI of a slice; None if it is no such URI."""
    found = re.fullmatch(r"(?s)(dicom|nifti)://([0-9]{1,9}(?:/[0-9]{1,9})?)::(.+)", uri)
    if found is None:
        return None
    index = tuple(int(number) for number in found[2].split("/"))
    return SliceName(Kind(found[1]), index, found[3])


def read_slices(
    path: str, kind: Kind, file: BinaryIO, limits: Limits | None = None
) -> Iterator[Slice]:
    """Yield the slices of a file in the order of their numbers.

    ``path`` is what its URIs end with, ``file`` the open file at its beginning, which can be sought
    in; it is not closed. What cannot be read is a Slice with a Failure: of ``path`` as a whole, or
    of the slice at which reading ended. Raises InputError if the library for it is not installed.
    """
    try:
        with _as_image_errors():
            for plane in _planes(kind, file, limits or Limits(), None):
                uri = SliceName(kind, plane.index, path).uri
                if isinstance(plane.image, ImageError):
                    yield Slice(uri, Failure.of(uri, plane.image))
                else:
                    yield Slice(uri, plane.image, plane.mapping)
    except ImageError as error:
        yield Slice(path, Failure.of(path, error))


def read_one(name: SliceName, file: BinaryIO, limits: Limits | None = None) -> Slice:
    """The one slice of that name; ``file`` as in :func:`read_slices`.

    Raises ReadError or DecodeError if it cannot be read.
    """
    with _as_image_errors():
        for plane in _planes(name.kind, file, limits or Limits(), name.index):
            if isinstance(plane.image, ImageError):
                raise plane.image
            return Slice(name.uri, plane.image, plane.mapping)
    raise DecodeError("there is no such slice")


def _planes(
    kind: Kind, file: BinaryIO, limits: Limits, only: tuple[int, ...] | None
) -> Iterator[Plane]:
    if kind is Kind.NIFTI:
        return nifti.planes(file, limits, only)
    if only is not None and len(only) != 1:
        raise DecodeError("a frame of a DICOM file has one number")
    data = file.read(limits.held + 1)
    if len(data) > limits.held:
        raise DecodeError(f"a DICOM file of more than {limits.held} bytes")
    return dicom.planes(data, limits, only[0] if only else None)


@contextlib.contextmanager
def _as_image_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReadError(error.strerror or "the file cannot be read") from error
