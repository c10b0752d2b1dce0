"""pyarrow's complaints about files."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Iterator

from memscan.errors import InputError, ReadError
from memscan.sources import pyarrow_modules
from memscan.sources.stores import is_remote, shown
from memscan.tables import places

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@contextlib.contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn whatever a damaged file does to pyarrow into an InputError that names the file."""
    path = shown(path)
    try:
        yield
    except InputError:
        raise
    except ReadError as error:  # of a store
        raise InputError(f"{path}: {error}") from error
    except MemoryError as error:
        raise InputError(f"{path}: it asks for more memory than there is") from error
    # Arrow's own errors are ValueError, OSError, KeyError and the like, by their cause.
    except (OSError, ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a whole Parquet file: {first}") from error


@contextlib.contextmanager
def open_parquet(path: str, metadata: pq.FileMetaData | None = None) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, here or at a URL; with ``metadata``, its footer is not read again.

    Raises InputError for anything but a whole one, and for what goes wrong with it later on.

    Pages are checked by their checksums where they have some. Files are read, not mapped: a file
    that is cut short while it is mapped ends the process. Of a URL, only the columns that are
    asked for come over the network, those that lie side by side in one request.
    """
    places.require_file(path)
    pq = pyarrow_modules.libraries().pq
    with reading(path):
        if not is_remote(path):
            with pq.ParquetFile(path, metadata=metadata) as file:
                yield file
        else:
            with places.open_ranges(path) as source:
                yield pq.ParquetFile(source, metadata=metadata, pre_buffer=metadata is not None)
