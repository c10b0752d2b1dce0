from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.drawing import picture, save


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with six training images and generated ones of every verdict."""
    monkeypatch.chdir(tmp_path)
    for seed in range(6):
        save(picture(seed), tmp_path / f"training_data/class_{'AB'[seed % 2]}/img_{seed}.png")
    save(picture(0), tmp_path / "generated/identical.png")
    picture(1).resize((48, 32)).save(tmp_path / "generated/near.jpg", quality=5)
    save(picture(99), tmp_path / "generated/other.png")
    save(Image.new("RGB", (40, 40), "gray"), tmp_path / "flat/target.png")
    save(Image.new("RGB", (60, 60), "red"), tmp_path / "flat/source/red.png")
    (tmp_path / "broken.png").write_bytes(b"broken")
    return tmp_path
