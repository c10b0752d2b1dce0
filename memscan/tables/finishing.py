"""The last step of making a table: its order and its manifest."""

from __future__ import annotations

import dataclasses
import itertools
import os
from typing import Mapping, Sequence

from memscan.tables import manifest, order
from memscan.tables.identity import Encoder, Json
from memscan.tables.manifest import FailedShard, Manifest
from memscan.tables.part import open_part
from memscan.tables.runs import clusters, runs_of


def finish(
    directory: str,
    names: Sequence[str],
    memscan: str,
    encoder: Encoder,
    options: Mapping[str, Json],
    failed: Sequence[FailedShard] = (),
) -> Manifest:
    """Make a table of the parts of these ``names`` in a directory, whatever else lies there.

    ``memscan`` is the running version. Each part is read once, for its digest. Raises InputError
    for a part that is damaged or by another encoder, OutputError.
    """
    parts = [open_part(os.path.join(directory, name)) for name in sorted(names)]
    listed = manifest.collect(parts, memscan, encoder, options, failed)
    runs = itertools.chain(*clusters([run for part in parts for run in runs_of(part)]))
    listed = dataclasses.replace(listed, order=order.write(directory, list(runs)))
    manifest.write(directory, listed)
    return listed
