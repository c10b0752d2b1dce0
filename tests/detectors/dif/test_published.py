from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

import torch

from memscan.detectors.dif import published
from memscan.errors import InputError
from tests.fingerprints.generators import pattern


def content(**changes: Any) -> dict[str, Any]:
    whole = torch.from_numpy(np.tanh(pattern("alpha")).transpose(2, 0, 1)[None].copy())
    return {
        "Fingerprint": whole,
        "Train Real": [9.0] * 5 + [0.25, 0.75] * 10,
        "Train Fake": [-0.5] * 30,
        "Loss": [0.1] * 30,
        **changes,
    }


def written(folder: Path, value: Any) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "chk_0.pt"
    torch.save(value, path)
    return str(path)


def test_a_published_file_is_a_fingerprint_called_as_its_folder(tmp_path: Path) -> None:
    found = published.read(written(tmp_path / "sd14", content()), "wiener")
    assert (found.name, found.made, found.residual, found.side) == (
        "sd14",
        "published",
        "wiener",
        64,
    )
    assert (found.mean_real, found.mean_fake) == (0.5, -0.5)  # of the last 20 batches
    raw = content()["Fingerprint"][0].numpy().transpose(1, 2, 0)
    assert found.pattern == pytest.approx(published.high_passed(raw))


def test_only_the_slow_part_of_a_pattern_is_taken_away() -> None:
    rows = np.arange(64)[:, None, None] + np.zeros((64, 64, 3))
    slow, quick = np.sin(rows / 20).astype(np.float32), (rows % 2 * 2 - 1).astype(np.float32)
    assert np.abs(published.high_passed(slow)).max() < 0.05
    assert published.high_passed(quick)[8:-8] == pytest.approx(quick[8:-8], abs=0.05)


class _Trap:
    """A pickle that leaves a trace where it is opened."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("kind", ["archive", "pickle", "old"])
def test_a_pickle_that_would_run_code_is_refused_in_one_sentence(tmp_path: Path, kind: str) -> None:
    trace = str(tmp_path / "trace")
    path = tmp_path / "chk_0.pt"
    value = content(Loss=_Trap(trace))
    if kind == "pickle":
        path.write_bytes(pickle.dumps(_Trap(trace)))
    else:
        torch.save(value, path, _use_new_zipfile_serialization=kind == "archive")
    with pytest.raises(InputError) as raised:
        published.read(str(path), "laplacian")
    assert "\n" not in str(raised.value)
    assert str(raised.value).startswith(f"{path}: ")
    assert ("could run any code" in str(raised.value)) == (kind == "archive")
    assert not os.path.exists(trace)
    torch.load(path, weights_only=False) if kind != "pickle" else pickle.loads(path.read_bytes())
    assert os.path.isdir(trace)  # it was a trap


BROKEN = {
    "not a dictionary": [1, 2],
    "no pattern": {"Train Real": [0.0], "Train Fake": [0.0]},
    "a list": content(Fingerprint=[0.0]),
    "not square": content(Fingerprint=torch.rand(1, 3, 16, 24)),
    "grey": content(Fingerprint=torch.rand(1, 1, 16, 16)),
    "one dimension": content(Fingerprint=torch.rand(64)),
    "double": content(Fingerprint=torch.rand(1, 3, 16, 16, dtype=torch.float64)),
    "small": content(Fingerprint=torch.rand(1, 3, 4, 4)),
    "huge but stored small": content(Fingerprint=torch.rand(1).expand(1, 3, 8192, 8192)),
    "sparse": content(Fingerprint=torch.rand(1, 3, 16, 16).to_sparse()),
    "without values": content(Fingerprint=torch.rand(1, 3, 16, 16, device="meta")),
    "not finite": content(Fingerprint=torch.full((1, 3, 16, 16), float("nan"))),
    "nothing": content(Fingerprint=torch.zeros(1, 3, 16, 16)),
    "no correlations": content(**{"Train Real": []}),
    "text": content(**{"Train Fake": ["a"] * 20}),
    "infinite": content(**{"Train Fake": [float("inf")] * 20}),
    "beyond any float": content(**{"Train Fake": [10**400] * 20}),
    "beyond 1": content(**{"Train Fake": [30.0] * 20}),
    "nested": content(**{"Train Real": [[0.0]] * 20}),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_no_fingerprint_is_refused(tmp_path: Path, case: str) -> None:
    path = written(tmp_path, BROKEN[case])
    with pytest.raises(InputError, match=r"chk_0\.pt: ") as raised:
        published.read(path, "laplacian")
    assert "\n" not in str(raised.value)
    if case == "no pattern":
        assert str(raised.value).endswith("it has no 'Fingerprint'")


def test_an_archive_that_would_fill_the_memory_is_not_opened(tmp_path: Path) -> None:
    path = Path(written(tmp_path, content()))
    with zipfile.ZipFile(path) as archive:
        members = {one.filename: archive.read(one) for one in archive.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match="no archive as torch writes them"):
        published.read(str(path), "laplacian")


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\x80\x02.", struct.pack("<Q", 1) * 50])
def test_bytes_that_are_nothing_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "chk_0.pt"
    path.write_bytes(data)
    with pytest.raises(InputError, match="no published fingerprint"):
        published.read(str(path), "laplacian")


def test_a_file_that_is_cut_off_or_missing_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    torch.save(content(), whole)
    path = tmp_path / "chk_0.pt"
    path.write_bytes(whole.getvalue()[:5000])
    with pytest.raises(InputError, match="no published fingerprint"):
        published.read(str(path), "laplacian")
    with pytest.raises(InputError, match="cannot be read"):
        published.read(str(tmp_path / "none/chk_0.pt"), "laplacian")
