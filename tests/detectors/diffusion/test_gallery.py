from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.detectors.diffusion.models import change, model_in, needs_transformers

needs_transformers()

import torch  # noqa: E402

from memscan.detectors.diffusion import gallery, pipelines, sampling  # noqa: E402
from memscan.detectors.diffusion.pipelines import LatentDiffusion  # noqa: E402
from memscan.errors import InputError  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LatentDiffusion:
    return pipelines.load(model_in(tmp_path_factory.mktemp("models") / "model"), "cpu")


def test_images_are_the_same_each_time_and_have_a_list(
    model: LatentDiffusion, tmp_path: Path
) -> None:
    drawing = gallery.Drawing(["a cat", ""], 3, steps=2, batch=4)
    names = gallery.draw(model, str(tmp_path / "one"), drawing)
    gallery.draw(model, str(tmp_path / "two"), drawing)
    assert names == [f"{number:06d}.png" for number in range(1, 7)]
    contents = [(tmp_path / "one" / name).read_bytes() for name in names]
    assert len(set(contents)) == 6
    assert contents == [(tmp_path / "two" / name).read_bytes() for name in names]
    index = json.loads((tmp_path / "one/index.json").read_text(encoding="utf-8"))
    assert [one["prompt"] for one in index["images"]] == ["a cat"] * 3 + [""] * 3
    other = dataclasses.replace(drawing, seed=1)
    gallery.draw(model, str(tmp_path / "three"), other)
    assert (tmp_path / "three" / names[0]).read_bytes() != contents[0]
    many = dataclasses.replace(drawing, steps=5000)
    with pytest.raises(InputError, match="steps of DDIM"):
        gallery.draw(model, str(tmp_path / "four"), many)
    assert not (tmp_path / "four").exists()


def test_samples_go_on_where_they_were_stopped(
    model: LatentDiffusion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawing = gallery.Drawing(["a cat", ""], 3, steps=2, batch=2)
    names = gallery.draw(model, str(tmp_path / "whole"), drawing)
    stopped = tmp_path / "stopped"
    batches: list[int] = []

    def stop_in_the_second(*asked: object, **options: object) -> torch.Tensor:
        batches.append(len(batches))
        if batches == [0, 1]:
            raise KeyboardInterrupt
        return sample(*asked, **options)  # type: ignore[arg-type]

    sample = sampling.sample
    monkeypatch.setattr(sampling, "sample", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        gallery.draw(model, str(stopped), drawing)
    assert sorted(path.name for path in stopped.iterdir()) == [*names[:2], "index.json"]
    assert gallery.draw(model, str(stopped), drawing) == names[2:]
    assert len(batches) == 4
    (stopped / names[3]).unlink()
    assert gallery.draw(model, str(stopped), drawing) == names[2:4]
    assert gallery.draw(model, str(stopped), drawing) == []
    for path in (tmp_path / "whole").iterdir():
        assert (stopped / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("fields", [{"seed": 1}, {"batch": 3}, {"prompts": ["a cat", "a dog"]}])
def test_samples_of_something_else_are_not_mixed_with(
    model: LatentDiffusion, tmp_path: Path, fields: dict[str, Any]
) -> None:
    drawing = gallery.Drawing(["a cat", ""], 1, steps=2)
    gallery.draw(model, str(tmp_path / "one"), drawing)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.json").write_text("[]")
    before = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    for place, asked in (("one", dataclasses.replace(drawing, **fields)), ("other", drawing)):
        with pytest.raises(InputError, match=r"what is in it was not drawn by the same command"):
            gallery.draw(model, str(tmp_path / place), asked)
    stranger = dataclasses.replace(model, fingerprint="sha256:0")
    with pytest.raises(InputError, match=r"not drawn by the same command, model and device"):
        gallery.draw(stranger, str(tmp_path / "one"), drawing)
    elsewhere = dataclasses.replace(model, device=torch.device("meta"))
    with pytest.raises(InputError, match=r"not drawn by the same command, model and device"):
        gallery.draw(elsewhere, str(tmp_path / "one"), drawing)
    (tmp_path / "one/index.json").unlink()
    with pytest.raises(InputError, match="not empty; images go into a directory of their own"):
        gallery.draw(model, str(tmp_path / "one"), drawing)
    del before["index.json"]
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}


def test_samples_of_another_configuration_are_not_mixed_with(
    model: LatentDiffusion, tmp_path: Path
) -> None:
    drawing = gallery.Drawing(["a cat"], 1, steps=2)
    gallery.draw(model, str(tmp_path / "one"), drawing)
    path = Path(shutil.copytree(model.folder, tmp_path / "model"))
    same = pipelines.load(str(path), "cpu")
    assert gallery.draw(same, str(tmp_path / "one"), drawing) == []
    change(path / "scheduler/scheduler_config.json", prediction_type="v_prediction")
    other = pipelines.load(str(path), "cpu")
    with pytest.raises(InputError, match=r"not drawn by the same command, model and device"):
        gallery.draw(other, str(tmp_path / "one"), drawing)


def test_what_a_killed_run_left_is_passed_over_and_nothing_else(
    model: LatentDiffusion, tmp_path: Path
) -> None:
    drawing, folder = gallery.Drawing(["a cat"], 2, steps=2, batch=1), tmp_path / "one"
    folder.mkdir()
    (folder / "index.json.4242.tmp").write_bytes(b"{")
    names = gallery.draw(model, str(folder), drawing)
    (folder / "000002.png.4242.tmp").write_bytes(b"")
    (folder / names[0]).write_bytes(b"")  # no image, and not taken for one
    assert gallery.draw(model, str(folder), drawing) == names[:1]
    (folder / "holiday.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"holiday.png: is none of the images"):
        gallery.draw(model, str(folder), drawing)
