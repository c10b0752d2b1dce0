"""pyarrow, where it is installed and safe. The only importer of pyarrow."""

from __future__ import annotations

from types import ModuleType
from typing import NamedTuple

from memscan.errors import InputError

# Before 14.0.1 pyarrow unpickles what a file holds (CVE-2023-47248); 15 verifies its checksums.
_SAFE = 15


class Libraries(NamedTuple):
    """The modules ``pyarrow``, ``pyarrow.parquet`` and ``pyarrow.compute``."""

    pa: ModuleType
    pq: ModuleType
    pc: ModuleType


def libraries() -> Libraries:
    """The modules of pyarrow. Raises InputError where it is missing or too old to be safe."""
    try:
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq
    except ImportError as error:
        if error.name != "pyarrow":  # it is there, but broken
            raise
        raise InputError(
            "Parquet files need the extra parquet: pip install 'memscan[parquet]'"
        ) from error
    if int(pa.__version__.split(".")[0]) < _SAFE:
        raise InputError(
            f"pyarrow {pa.__version__} is not safe to read files with; "
            f"install {_SAFE} or a later one (pip install --upgrade pyarrow)"
        )
    return Libraries(pa, pq, pc)
