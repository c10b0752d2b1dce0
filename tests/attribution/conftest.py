from __future__ import annotations

from pathlib import Path

import pytest

from memscan.attribution import fingerprints
from memscan.attribution.fingerprints import Found
from memscan.attribution.reading import Settings
from tests.fingerprints.generators import write_fingerprint

SETTINGS = Settings()


@pytest.fixture
def found(tmp_path: Path) -> list[Found]:
    """The fingerprints of two generators, the second one upside down."""
    write_fingerprint(tmp_path / "fingerprints", "alpha")
    write_fingerprint(tmp_path / "fingerprints", "beta", sign=-1)
    return fingerprints.find([str(tmp_path / "fingerprints")])
