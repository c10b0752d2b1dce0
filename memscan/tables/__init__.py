"""Hashes on disk: tables of memscan's own, and columns of hashes that others made.

::

    hashes.parquet/
    ├── manifest.json          what the table holds: encoder, parts, failures
    └── part-<16 hex>.parquet  one per shard of the source

The only importer of pyarrow, which is imported when it is needed.
"""
