from __future__ import annotations

from pathlib import Path

import pytest

from memscan.errors import InputError
from memscan.networks import Networks, open_networks, open_one, require_none
from tests.networks import Grey, card, weights


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A file of weights of each kind."""
    return {
        kind: weights(tmp_path / f"{kind}.safetensors", card(kind))
        for kind in ("deepssim", "lcmem", "encoder")
    }


def test_each_file_goes_where_its_card_says(
    files: dict[str, str], grey_networks: list[Grey]
) -> None:
    both = [files["lcmem"], files["deepssim"]]
    networks = open_networks("deepssim", "lcmem", both)
    assert networks.encoder is not None
    assert networks.verifier is not None
    assert (networks.encoder.name, networks.verifier.card.kind) == ("deepssim", "lcmem")
    assert networks.weights == tuple(both)
    assert len(grey_networks) == 2
    only = open_networks(None, "lcmem", [files["lcmem"]])
    assert only.encoder is None
    assert open_networks() == Networks()
    assert open_one("lcmem", [files["lcmem"]]).card.kind == "lcmem"
    require_none([])


@pytest.mark.usefixtures("grey_networks")
@pytest.mark.parametrize(
    ("detector", "verify", "given", "sentence"),
    [
        ("deepssim", None, [], "--detector deepssim needs --weights FILE whose card says"),
        (None, "lcmem", [], "--verify lcmem needs --weights FILE"),
        ("deepssim", None, ["lcmem"], "lcmem.safetensors: weights of the kind lcmem, not asked"),
        (None, None, ["encoder"], "weights of the kind encoder, not asked for"),
        ("encoder", "lcmem", ["encoder"], "--verify lcmem needs"),
        ("encoder", None, ["encoder", "encoder"], "of the kind encoder as"),
        ("lcmem", None, ["lcmem"], "lcmem: no such kind of detector here"),
        (None, "deepssim", ["deepssim"], "deepssim: no such kind of detector here"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    files: dict[str, str], detector: str | None, verify: str | None, given: list[str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        open_networks(detector, verify, [files[kind] for kind in given])


@pytest.mark.usefixtures("grey_networks")
def test_calibrations_of_other_settings_are_told(files: dict[str, str]) -> None:
    both = [files["deepssim"], files["lcmem"]]
    assert open_networks("deepssim", "lcmem", both).warnings == ()
    for path in both:
        edited = Path(path).with_suffix(".json")
        edited.write_text(edited.read_text().replace('"duplicate": 0.9', '"duplicate": 0.8'))
    networks = open_networks("deepssim", "lcmem", both)
    assert networks.comparing is not None
    assert networks.confirming is not None
    assert not networks.comparing.is_calibrated
    assert not networks.confirming.is_calibrated
    told = [sentence.split(": counts as not calibrated: ")[0] for sentence in networks.warnings]
    assert told == [str(Path(path).with_suffix(".json")) for path in both]


@pytest.mark.usefixtures("grey_networks")
def test_a_file_without_a_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alone.safetensors").write_bytes(b"weights")
    with pytest.raises(InputError, match=r"alone\.json: there is no such card"):
        open_networks("deepssim", None, [str(tmp_path / "alone.safetensors")])
    with pytest.raises(InputError, match="not asked for"):
        require_none([weights(tmp_path / "w.onnx", card("encoder"))])
