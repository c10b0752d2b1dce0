from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest

from memscan.attribution import fingerprints
from memscan.errors import InputError
from memscan.fingerprints import fingerprint
from tests.drawing import needs_posix
from tests.fingerprints.generators import learned, pattern, write_fingerprint


def test_fingerprints_are_found_at_any_depth_in_the_order_of_their_names(tmp_path: Path) -> None:
    write_fingerprint(tmp_path / "z", "alpha")
    write_fingerprint(tmp_path / "a/b", "gamma")
    write_fingerprint(tmp_path, "beta")
    (tmp_path / "notes.txt").write_text("no fingerprint")
    (tmp_path / "train_hypers.pt").write_bytes(b"\x80\x02.")
    found = fingerprints.find([str(tmp_path)])
    assert [one.fingerprint.name for one in found] == ["alpha", "beta", "gamma"]
    assert found[2].path == str(tmp_path / "a/b/gamma.dif.npz")
    assert fingerprints.find([found[1].path])[0].path == found[1].path
    assert len(fingerprints.find([str(tmp_path), found[1].path])) == 3


def test_published_fingerprints_are_called_as_their_folders(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for name in ("sd14", "glide"):
        (tmp_path / name).mkdir()
        values = torch.from_numpy(np.tanh(pattern(name)).transpose(2, 0, 1)[None].copy())
        content = {"Fingerprint": values, "Train Real": [0.0] * 20, "Train Fake": [0.1] * 20}
        torch.save(content, tmp_path / name / "chk_0.pt")
    write_fingerprint(tmp_path, "own")
    found = [one.fingerprint for one in fingerprints.find([str(tmp_path)], "wiener")]
    assert [(one.name, one.residual) for one in found] == [
        ("glide", "wiener"),
        ("own", "laplacian"),
        ("sd14", "wiener"),
    ]


def test_a_directory_without_fingerprints_is_refused(tmp_path: Path) -> None:
    (tmp_path / "chk_1.pt").write_bytes(b"")
    with pytest.raises(InputError, match=r"no fingerprints here \(\*\.dif\.npz, or NAME/chk_0\.pt"):
        fingerprints.find([str(tmp_path)])
    with pytest.raises(InputError, match="there is no such file"):
        fingerprints.find([str(tmp_path / "none")])
    with pytest.raises(InputError, match="a fingerprint is called"):
        fingerprints.find([str(tmp_path / "chk_1.pt")])


def test_two_fingerprints_of_one_name_are_refused(tmp_path: Path) -> None:
    write_fingerprint(tmp_path / "one", "alpha")
    write_fingerprint(tmp_path / "two", "alpha")
    with pytest.raises(InputError, match=r"the fingerprint of 'alpha' is also in .*one"):
        fingerprints.find([str(tmp_path)])


def test_a_name_with_half_a_surrogate_pair_is_a_name(tmp_path: Path) -> None:
    for place, name in enumerate(("x\ud800", "x\udc80", "x")):
        path = str(tmp_path / f"{place}.dif.npz")
        fingerprint.write(path, dataclasses.replace(learned("alpha"), name=name))
    found = fingerprints.find([str(tmp_path)])
    assert [one.fingerprint.name for one in found] == ["x", "x\ud800", "x\udc80"]


def test_a_residual_that_cannot_be_computed_is_refused(tmp_path: Path) -> None:
    odd = dataclasses.replace(learned("alpha"), residual="mystery")
    fingerprint.write(str(tmp_path / "alpha.dif.npz"), odd)
    with pytest.raises(InputError, match="its residual is none of"):
        fingerprints.find([str(tmp_path)])


@needs_posix
@pytest.mark.parametrize("name", ["a.dif.npz", "chk_0.pt"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="is no file"):
        fingerprints.find([str(tmp_path)])
