from __future__ import annotations

import os
import sys

import pytest

from memscan.cli.places import cache_directory


def test_the_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMSCAN_CACHE_DIR", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert cache_directory() == os.path.join("/caches", "memscan")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_directory() == os.path.join("/home/someone", ".cache", "memscan")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert cache_directory() == os.path.join("/home/someone", "Library", "Caches", "memscan")
    monkeypatch.setenv("MEMSCAN_CACHE_DIR", "mine")
    assert cache_directory() == "mine"
