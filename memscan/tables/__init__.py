"""Hashes and embeddings on disk: tables of memscan's own, and columns of hashes that others made.

::

    hashes.parquet/
    ├── _manifest.json         what the table holds: encoder, parts, failures
    ├── _order.npy             the order of all names, only where parts interleave
    └── part-<16 hex>.parquet  one per shard of the source

The only importer of pyarrow, which is imported when it is needed.
"""
