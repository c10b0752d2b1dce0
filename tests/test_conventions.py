"""Lint, types and import contracts, as part of the one test command."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec

import pytest

from tests.cli.running import ROOT, environment

LINT_IMPORTS = "from importlinter.cli import lint_imports_command as main; main()"

CHECKS = {
    "ruff check": ["ruff", "-m", "ruff", "check", "--no-cache", "."],
    "ruff format": ["ruff", "-m", "ruff", "format", "--no-cache", "--check", "."],
    "mypy": ["mypy", "-m", "mypy"],
    "import-linter": ["importlinter", "-c", LINT_IMPORTS, "--no-cache", "--no-logo"],
}


@pytest.mark.parametrize("check", CHECKS)
def test_the_check_passes(check: str) -> None:
    package, *arguments = CHECKS[check]
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed (it comes with the test extra on Python 3.11)")
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_room_is_without_a_name_of_its_own() -> None:
    for path in (ROOT / "memscan").rglob("*.py"):
        assert not re.search(r"util|common|helper|manager|misc", path.stem)


def test_every_room_is_in_the_map_of_the_house() -> None:
    design = (ROOT / "memscan/DESIGN.md").read_text(encoding="utf-8")
    for path in (ROOT / "memscan").iterdir():
        if not path.name.startswith("_") and path.suffix in ("", ".py"):
            assert f"`{path.name}`" in design or f"`{path.name}/`" in design


def test_every_dependency_is_named_in_the_readme() -> None:
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    names = re.findall(r"^([A-Za-z]+)", requirements, re.MULTILINE)
    assert names == ["Pillow", "imagehash", "numpy", "tqdm", "click"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "This installs Pillow, imagehash, numpy, tqdm and click" in readme
