"""The bytes of a tar archive from front to back, unpacked where they are compressed."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from typing import Any, BinaryIO, Iterator, cast

from memscan.errors import InputError, ReadError
from memscan.sources.members import CHUNK, Limits

_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"  # the marks at the front of the file


class Stream:
    """Reads forward from ``position``, in bytes of what comes out.

    Whether the file is compressed is told by its first bytes, not by its name. What comes out of
    a compressed file is limited while it is read; its checksum is verified when its end is reached.
    ``is_forward_only`` where it is compressed, or a server sends it only from its beginning.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        """Begin at the front of a file that can be sought in, or is buffered.

        Raises InputError if zstandard is missing.
        """
        self._packed = file
        self._limits = limits
        self.is_forward_only = not file.seekable()
        if self.is_forward_only:
            mark = cast(io.BufferedReader, file).peek(len(_ZSTANDARD))[: len(_ZSTANDARD)]
        else:
            mark = file.read(len(_ZSTANDARD))
            self.size = file.seek(0, os.SEEK_END)
            file.seek(0)
        self.is_compressed = True
        self._errors: tuple[type[Exception], ...] = (OSError,)
        self._file: BinaryIO = file
        if mark.startswith(_GZIP):
            self._file = gzip.GzipFile(fileobj=file)  # type: ignore[assignment]
            self._errors = (OSError, EOFError, zlib.error)
        elif mark == _ZSTANDARD:
            zstandard = _import_zstandard()
            reader = zstandard.ZstdDecompressor().stream_reader(
                file, read_across_frames=True, closefd=False
            )
            self._file = io.BufferedReader(reader, 1 << 17)
            self._errors = (OSError, zstandard.ZstdError)
        else:
            self.is_compressed = False
        self.is_forward_only |= self.is_compressed
        self.position = 0

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, at most CHUNK; fewer at the end. Raises ReadError."""
        try:
            data = self._file.read(size)
        except self._errors as error:
            raise ReadError(f"broken at byte {self.position}: {error}") from error
        self.position += len(data)
        if self.is_compressed:
            self._limits.check_expansion(self.position, self._packed.tell())
        return data

    def chunks(self, size: int) -> Iterator[bytes]:
        """The next ``size`` bytes in parts. Raises ReadError if the file ends before."""
        while size > 0:
            data = self.read(min(size, CHUNK))
            if not data:
                raise ReadError(f"the archive ends early, at byte {self.position}")
            size -= len(data)
            yield data

    def go_to(self, position: int) -> None:
        """Pass over what lies before ``position``; back only where the stream is not forward-only.

        Raises ReadError if the file ends before.
        """
        if self.is_forward_only:
            for _ in self.chunks(position - self.position):
                pass
        elif position > self.size:
            raise ReadError(f"the archive ends early, at byte {self.size}")
        elif position != self.position:
            self._file.seek(position)
            self.position = position


def _import_zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        if error.name != "zstandard":  # it is there, but broken
            raise
        raise InputError(
            "archives compressed with zstd need the extra archives: pip install 'memscan[archives]'"
        ) from error
    return zstandard
