from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan.detectors import opening
from tests.networks import Grey, open_grey

# A network of a test is too small to be worth several threads, which wait for each other busily.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Benchmarks run only when they are asked for by name."""
    asked_for = any("benchmarks" in argument for argument in config.invocation_params.args)
    return True if collection_path.name == "benchmarks" and not asked_for else None


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test fills the cache of the person who runs it, or reads that of another test."""
    monkeypatch.setenv("MEMSCAN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def grey_networks(monkeypatch: pytest.MonkeyPatch) -> list[Grey]:
    """Weights of any kind open as a few lines of numpy; gives those that were opened."""
    opened: list[Grey] = []
    monkeypatch.setattr(opening, "open_detector", open_grey(opened))
    return opened
