from __future__ import annotations

import subprocess
import sys

import pytest

import memscan


@pytest.mark.parametrize("name", memscan.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(memscan, name).__doc__
    assert name in dir(memscan)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        memscan.no_such_name  # noqa: B018


@pytest.mark.parametrize("module", ["memscan", "memscan.cli", "memscan.entry"])
def test_importing_loads_nothing_heavy(module: str) -> None:
    code = f"import sys, {module}; print(*{{'numpy', 'PIL', 'scipy', 'tqdm'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
