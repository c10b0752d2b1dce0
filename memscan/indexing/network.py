"""Which network makes the embeddings of a table, said so that another process can open it, too."""

from __future__ import annotations

import functools
from typing import NamedTuple

from memscan.learned import LearnedEncoder
from memscan.stamps import Stamp


class WeightsFile(NamedTuple):
    """Weights with their card beside them, and how they are opened.

    All as :func:`memscan.detectors.opening.open_detector` takes them.
    """

    path: str
    device: str = "auto"
    trust: bool = False

    def open(self) -> LearnedEncoder:
        """The encoder, which a process opens once while the file stays as it is.

        Raises InputError for weights that cannot be used.
        """
        return _opened(self, Stamp.of(self.path))


@functools.lru_cache(maxsize=1)
def _opened(weights: WeightsFile, stamp: Stamp | None) -> LearnedEncoder:
    del stamp  # of the file as it is now: another state of it is opened anew
    from memscan.detectors import opening  # of the extra learned

    detector = opening.open_detector(weights.path, device=weights.device, trust=weights.trust)
    return LearnedEncoder(detector)
