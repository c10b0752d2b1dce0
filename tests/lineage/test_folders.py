from __future__ import annotations

import os
from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.lineage import folders
from memscan.lineage.folders import Folder
from memscan.sources.directories import Selection
from tests.drawing import needs_posix, picture, save


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("plain/a.png", "whole/1_fake/a.png", "whole/0_real/b.png", "Upper/x.png"):
        save(picture(1), tmp_path / "models" / name)
    return tmp_path


def generated(root: str = "models") -> folders.Folders:
    return folders.generated(root, Selection())


def test_models_are_folders_with_images_or_what_they_hold_in_1_fake(work: Path) -> None:
    os.makedirs("models/.hidden")
    os.makedirs("models/fingerprints")
    Path("models/notes.txt").write_text("no folder")
    assert generated() == (
        [
            Folder("Upper", "models/Upper"),
            Folder("plain", "models/plain"),
            Folder("whole", "models/whole/1_fake"),
        ],
        ["models/fingerprints"],
    )
    assert folders.real("models", []) == ["models/whole/0_real"]
    assert folders.real("models", ["elsewhere"]) == ["elsewhere"]


@needs_posix
def test_a_link_to_a_folder_is_a_model_and_one_to_nowhere_is_none(work: Path) -> None:
    os.symlink("plain", "models/linked")
    os.symlink("nowhere", "models/broken")
    os.symlink("loop", "models/loop")
    names = [folder.name for folder in generated().models]
    assert names == ["Upper", "linked", "plain", "whole"]


def test_what_is_no_folder_of_models_is_refused(work: Path) -> None:
    os.makedirs("empty")
    os.makedirs("hollow/model")
    os.makedirs("half/model/0_real")
    for root, sentence in (
        ("nowhere", "nowhere: cannot be listed: No such file or directory"),
        ("models/plain/a.png", "models/plain/a.png: cannot be listed: Not a directory"),
        ("empty", "empty: no folders in it; it must hold one for each model"),
        ("models/whole", "models/whole: holds 1_fake, so it is one model; give the folder above"),
        ("hollow", "hollow: none of its folders holds images"),
        ("half", "half/model: holds 0_real and no 1_fake, the images of the model"),
    ):
        with pytest.raises(InputError) as caught:
            generated(root)
        assert str(caught.value).startswith(sentence)
    with pytest.raises(InputError, match="hollow: no model here has a folder 0_real"):
        folders.real("hollow", [])
