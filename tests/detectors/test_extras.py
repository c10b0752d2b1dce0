from __future__ import annotations

import sys
from pathlib import Path

import pytest

from memscan.detectors.extras import require
from memscan.errors import InputError


def test_a_library_that_is_there_is_no_news() -> None:
    require("json", "learned")


def test_a_missing_library_is_named_with_its_extra() -> None:
    with pytest.raises(InputError, match=r"needs no_such_library.*'memscan\[learned\]'"):
        require("no_such_library", "learned")


def test_a_broken_library_speaks_for_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "half_a_library.py").write_text("import what_it_needs_itself\n")
    with pytest.raises(ModuleNotFoundError, match="what_it_needs_itself"):
        require("half_a_library", "learned")
    assert "half_a_library" not in sys.modules
