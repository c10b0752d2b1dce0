"""From training to audit report: what a diffusion model memorised is found in its own samples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.detectors.diffusion.models import needs_transformers
from tests.drawing import shipped_photographs

needs_transformers()

pytest.importorskip("jinja2", reason="Jinja2 is not installed (extra report)")

from memscan.cli import memscan  # noqa: E402
from memscan.cli.process import run_command  # noqa: E402

REPEATED = {"astronaut.png": "astronaut", "camera.png": "photographer", "chelsea.png": "cat"}
"""Photographs that come ten times, each with a caption of its own."""

ONCE = ("china.jpg", "coffee.png", "coins.png", "flower.jpg")
HELD_OUT = ("hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png", "retina.jpg")

RECIPE: dict[str, Any] = {
    "autoencoder": {
        "side": 16, "window": 16, "levels": 2, "width": 16, "batch": 8, "steps": 50, "epochs": 9,
        "patience": 9, "held_out": 0, "learning_rate": 0.004,
    },
    "width": 32, "levels": 1, "heads": 2, "text_width": 32, "text_layers": 1, "tokens": 8,
    "batch": 8, "steps": 100, "epochs": 6, "learning_rate": 0.003,
    "average": 0.98, "checks": 32,
}  # fmt: skip
"""Latents of 8 x 8, of images that are as small as a hash bears."""

pytestmark = pytest.mark.timeout(900)  # half a minute, where nobody else wants the processor


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with photographs, the model that was trained on some, and its samples."""
    folder = tmp_path_factory.mktemp("remembered")
    shipped = {Path(path).name: Path(path) for path in shipped_photographs()}
    for place, names in (("trained", (*REPEATED, *ONCE)), ("held-out", HELD_OUT)):
        (folder / place).mkdir()
        for name in names:
            (folder / place / name).write_bytes(shipped[name].read_bytes())
    rows = [f"{name},{caption},10" for name, caption in REPEATED.items()]
    rows += [f"{name},a photograph,1" for name in ONCE]
    (folder / "trained/list.csv").write_text("\n".join(["path,caption,copies", *rows]) + "\n")
    (folder / "recipe.json").write_text(json.dumps(RECIPE))
    (folder / "prompts.txt").write_text("\n".join(REPEATED.values()))
    train = [
        "train", "ldm", "--list", str(folder / "trained/list.csv"),
        "--config", str(folder / "recipe.json"), "--output", str(folder / "model"),
    ]  # fmt: skip
    sample = [
        "sample", "--model", str(folder / "model"), "--prompts", str(folder / "prompts.txt"),
        "--number", "6", "--steps", "20", "--guidance", "1.5", "--output", str(folder / "drawn"),
    ]  # fmt: skip
    assert run_command(memscan, train) == 0
    assert run_command(memscan, sample) == 0
    return folder


def test_what_was_memorised_is_found_by_name_and_what_was_held_out_is_not(
    remembered: Path,
) -> None:
    detect = [
        "detect", "--target", str(remembered / "drawn"), "--source", str(remembered / "trained"),
        "--source", str(remembered / "held-out"), "--output", str(remembered / "audit.json"),
        "--output", str(remembered / "audit.html"), "--no-progress",
    ]  # fmt: skip
    assert run_command(memscan, detect) == 0
    audit = json.loads((remembered / "audit.json").read_text(encoding="utf-8"))
    assert len(audit["findings"]) == 6 * len(REPEATED)
    prompts = json.loads((remembered / "drawn/index.json").read_text(encoding="utf-8"))["images"]
    prompt_of = {one["image"]: one["prompt"] for one in prompts}
    found = set()
    for finding in audit["findings"]:
        name = Path(finding["matches"][0]["source"]).name
        if finding["verdict"] != "Distinct":
            assert prompt_of[Path(finding["target"]).name] == REPEATED[name]
            found.add(name)
    assert found == set(REPEATED)
    assert {Path(copied["source"]).name for copied in audit["copied"]} == set(REPEATED)
    page = (remembered / "audit.html").read_text(encoding="utf-8")
    assert all(name in page for name in REPEATED)


def test_a_probe_ranks_what_was_memorised_first(
    remembered: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    probe = [
        "probe", "--model", str(remembered / "model"), "--target", str(remembered / "trained"),
        "--reference", str(remembered / "held-out"), "--method", "loss", "--format", "json",
        "--pictures", "0", "--no-progress",
    ]  # fmt: skip
    assert run_command(memscan, probe) == 0
    probes = json.loads(capfd.readouterr().out)["probes"]
    scores = {Path(one["target"]).name: one["methods"]["loss"] for one in probes}
    assert set(scores) == {*REPEATED, *ONCE}
    ranked = sorted(scores, key=lambda name: -scores[name]["score"])
    assert set(ranked[: len(REPEATED)]) == set(REPEATED)
    assert all(scores[name]["p_value"] == 1 / (1 + len(HELD_OUT)) for name in REPEATED)
