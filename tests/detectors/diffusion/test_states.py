from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.detectors.diffusion.models import model_in, needs_transformers, opened_by_diffusers

needs_transformers()

import torch  # noqa: E402
from safetensors.torch import save, save_file  # noqa: E402

from memscan.detectors import weights  # noqa: E402
from memscan.detectors.diffusion import pipelines, states  # noqa: E402
from memscan.errors import InputError  # noqa: E402

STATE = {"a": torch.arange(4.0), "b": torch.ones(2, 3), "c": torch.full((5,), 7.0)}
SHARDS = {"m-00001-of-00002.safetensors": ("a", "b"), "m-00002-of-00002.safetensors": ("c",)}
FIRST, SECOND = SHARDS
INDEX = "m.safetensors.index.json"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two shards and their index."""
    made = tmp_path / "part"
    made.mkdir()
    for shard, names in SHARDS.items():
        save_file({name: STATE[name] for name in names}, made / shard)
    write_index(made, {name: shard for shard, names in SHARDS.items() for name in names})
    return made


def write_index(folder: Path, places: Any, name: str = INDEX) -> None:
    total = {"total_size": 60}
    (folder / name).write_text(json.dumps({"metadata": total, "weight_map": places}))


def test_a_model_in_shards_is_the_one_in_whole_files(tmp_path: Path) -> None:
    """The shards are those of diffusers and transformers, in both precisions."""
    whole = Path(model_in(tmp_path / "whole"))
    made = opened_by_diffusers(str(whole))
    wanted = pipelines.load(str(whole), "cpu")
    for variant, place in ((None, "full"), ("fp16", "half")):
        folder = Path(shutil.copytree(whole, tmp_path / place))
        for part, size in (("unet", "60KB"), ("vae", "4KB"), ("text_encoder", "8KB")):
            (old,) = (folder / part).glob("*.safetensors")
            old.unlink()
            getattr(made, part).save_pretrained(folder / part, max_shard_size=size, variant=variant)
            assert len(list((folder / part).glob("*.safetensors"))) > 1
        found = pipelines.load(str(folder), "cpu")
        for one, other in (
            (found.unet, wanted.unet),
            (found.vae, wanted.vae),
            (found.prompts.encoder, wanted.prompts.encoder),
        ):
            own, same = one.state_dict(), other.state_dict()
            assert own.keys() == same.keys()
            assert all(torch.equal(own[name], same[name]) for name in own)


def test_shards_are_joined_and_told_apart(folder: Path) -> None:
    path, state, sha256 = states.read(str(folder), "m")
    assert path == str(folder / INDEX)
    assert state.keys() == STATE.keys()
    assert all(torch.equal(state[name], STATE[name]) for name in STATE)
    assert states.read(str(folder), "m")[2] == sha256
    save_file({"c": STATE["c"] + 1}, folder / SECOND)
    assert states.read(str(folder), "m")[2] != sha256


def test_a_whole_file_comes_before_shards_and_these_before_half_precision(folder: Path) -> None:
    save_file({"a": STATE["a"].half()}, folder / "m.fp16.safetensors")
    assert states.read(str(folder), "m")[0] == str(folder / INDEX)
    save_file(STATE, folder / "m.safetensors")
    assert states.read(str(folder), "m")[0] == str(folder / "m.safetensors")


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "..\\outside.safetensors",
        "C:outside.safetensors",
        "../part/m-00002-of-00002.safetensors",
        "./m-00002-of-00002.safetensors",
        "m-00002-of-00002.safetensors\n",
        "m-00002-of-00002.bin",
        "..",
        "",
        None,
        ["m-00002-of-00002.safetensors"],
    ],
)
def test_no_shard_is_looked_for_elsewhere(folder: Path, name: object) -> None:
    save_file({"c": STATE["c"]}, folder.parent / "outside.safetensors")
    write_index(folder, {"a": FIRST, "b": FIRST, "c": name})
    with pytest.raises(InputError, match=rf"{INDEX}: .* no name of a safetensors file beside it"):
        states.read(str(folder), "m")


def test_an_absolute_name_of_a_shard_is_refused(folder: Path) -> None:
    write_index(folder, {"a": FIRST, "b": FIRST, "c": str(folder / SECOND)})
    with pytest.raises(InputError, match="no name of a safetensors file beside it"):
        states.read(str(folder), "m")


@pytest.mark.parametrize("places", [None, {}, [], "a"])
def test_an_index_of_nothing_is_refused(folder: Path, places: object) -> None:
    write_index(folder, places)
    with pytest.raises(InputError, match=rf"{INDEX}: has no weight_map"):
        states.read(str(folder), "m")


def test_a_missing_shard_is_one_sentence(folder: Path) -> None:
    (folder / SECOND).unlink()
    with pytest.raises(InputError, match=rf"{SECOND}: is missing; {INDEX} names this shard$"):
        states.read(str(folder), "m")


@pytest.mark.parametrize(
    "places",
    [
        {"a": FIRST, "b": SECOND, "c": SECOND},
        {"a": FIRST, "c": SECOND},
        {"a": FIRST, "b": FIRST, "c": SECOND, "d": SECOND},
    ],
)
def test_a_shard_must_hold_what_the_index_says(folder: Path, places: object) -> None:
    write_index(folder, places)
    with pytest.raises(InputError, match=rf"safetensors: holds other tensors than {INDEX} says"):
        states.read(str(folder), "m")


def test_a_tensor_is_not_taken_from_another_shard(folder: Path) -> None:
    save_file({"c": STATE["c"], "a": -STATE["a"]}, folder / SECOND)
    with pytest.raises(InputError, match=rf"{SECOND}: holds other tensors than {INDEX} says"):
        states.read(str(folder), "m")


def test_shards_have_the_guards_of_a_whole_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = (folder / SECOND).read_bytes()
    for content, says in (
        (b"\x80\x04.", "a pickle, which could run any code"),
        (whole[:-1], "is no safetensors file, or a damaged one"),
        (save({"c": STATE["c"] / 0}), "holds what is no finite number"),
    ):
        (folder / SECOND).write_bytes(content)
        with pytest.raises(InputError, match=f"{SECOND}: .*{says}"):
            states.read(str(folder), "m")
    (folder / SECOND).write_bytes(whole)
    monkeypatch.setattr(weights, "MOST_BYTES", len(whole) + 1)
    with pytest.raises(InputError, match=rf"{INDEX}: too large for weights"):
        states.read(str(folder), "m")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", [INDEX, SECOND])
def test_a_pipe_among_shards_is_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with pytest.raises(InputError, match=f"{name}: not a regular file"):
        states.read(str(folder), "m")
