from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test fills the cache of the person who runs it, or reads that of another test."""
    monkeypatch.setenv("MEMSCAN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
