"""Everything that memscan raises on purpose.

::

    MemscanError
    ├── InputError          what was asked cannot be done: a path is missing, a source is empty
    ├── OutputError         a result could not be written
    └── ImageError          one image could not be hashed; a scan turns it into a Failure
        ├── ReadError       its bytes could not be read
        ├── DecodeError     its bytes are no image that memscan opens
        └── HashError       its pixels have no defined hash
"""

from __future__ import annotations


class MemscanError(Exception):
    """The root of the tree. Its text is one sentence for the person who runs the scan."""


class InputError(MemscanError):
    """The request cannot be carried out as it stands (exit code 2 on the command line)."""


class OutputError(MemscanError):
    """A result could not be written (exit code 70 on the command line)."""


class ImageError(MemscanError):
    """One image could not be hashed. The text says why and never holds the image's path."""


class ReadError(ImageError):
    """The file could not be opened or read: missing, forbidden, a pipe, an I/O error."""


class DecodeError(ImageError):
    """The bytes are not a whole image in one of the formats that memscan opens."""


class HashError(ImageError):
    """The image was decoded, but its pixel format has no hash."""
