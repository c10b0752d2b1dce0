from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from memscan.detectors.exported import ExportedDetector
from memscan.detectors.opening import open_detector
from memscan.detectors.protocol import Detector
from memscan.errors import InputError
from tests.cli.running import environment
from tests.detectors.networks import (
    DIMENSIONS,
    SIDE,
    numbers,
    onnx_model,
    script,
    write_card,
    write_onnx,
    write_script,
)
from tests.drawing import picture

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

Floats = npt.NDArray[np.float32]


def images(count: int) -> Floats:
    return np.random.default_rng(count).random((count, 3, SIDE, SIDE), np.float32)


def expected(pixels: Floats) -> Floats:
    """The tiny network in numpy, in double precision."""
    pooled = pixels.astype(np.float64).reshape(-1, 3, 4, 4, 4, 4).mean(axis=(3, 5))
    rows = pooled.reshape(len(pixels), -1) @ numbers().astype(np.float64)
    lengths: Floats = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return lengths


def write(tmp_path: Path, kind: str) -> str:
    if kind == "onnx":
        return write_onnx(tmp_path / "tiny.onnx")
    return write_script(tmp_path / "tiny.pt")


def refused(sentence: str, weights: str, trust: bool = False) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        open_detector(weights, device="cpu", trust=trust)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(weights)


@pytest.mark.parametrize("kind", ["onnx", "script"])
def test_embeddings_are_those_of_the_network(tmp_path: Path, kind: str) -> None:
    detector = open_detector(write(tmp_path, kind), device="cpu", trust=True)
    pixels = images(150)  # more than go at once
    found = detector.embed(pixels)
    assert found.shape == (150, DIMENSIONS)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(pixels), atol=1e-5)
    alone = np.concatenate([detector.embed(pixels[row : row + 1]) for row in range(9)])
    np.testing.assert_allclose(alone, found[:9], atol=1e-6)
    assert detector.embed(pixels[:0]).shape == (0, DIMENSIONS)


def test_both_runtimes_agree(tmp_path: Path) -> None:
    """To a hundredth of the step of 1e-6 in which scans round their thresholds, but for noise."""
    ours, others = (
        open_detector(write(tmp_path, kind), device="cpu", trust=True)
        for kind in ("onnx", "script")
    )
    np.testing.assert_allclose(ours.embed(images(20)), others.embed(images(20)), atol=1e-6)


def test_scores_are_cosines(tmp_path: Path) -> None:
    detector = open_detector(write(tmp_path, "onnx"))
    rows = detector.embed(images(5))
    scores = detector.scores(rows[:2], rows)
    assert scores.shape == (2, 5)
    assert scores.dtype == np.float32
    assert np.abs(scores).max() <= 1
    np.testing.assert_allclose(np.diag(scores), 1, atol=1e-6)
    np.testing.assert_allclose(detector.paired(rows[:2], rows[2:4]), np.diag(scores[:, 2:4]))


def test_images_are_prepared_as_the_card_says(tmp_path: Path) -> None:
    detector = open_detector(write(tmp_path, "onnx"))
    prepared = detector.prepare(picture(3))
    assert prepared.shape == (3, SIDE, SIDE)
    assert prepared.dtype == np.float32
    small = picture(3).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(prepared, np.asarray(small).transpose(2, 0, 1) / 255, atol=1e-6)


def test_a_network_may_take_one_image_at_a_time(tmp_path: Path) -> None:
    pixels = images(5)
    for how in ({"batch": 1}, {"batch": 1, "reshaped": (1, -1)}):
        detector = open_detector(write_onnx(tmp_path / "one.onnx", **how))
        np.testing.assert_allclose(detector.embed(pixels), expected(pixels), atol=1e-5)


def test_a_network_may_take_so_many_images_at_a_time(tmp_path: Path) -> None:
    detector = open_detector(write_onnx(tmp_path / "three.onnx", batch=3))
    for count in (1, 3, 5, 6):
        np.testing.assert_allclose(
            detector.embed(images(count)), expected(images(count)), atol=1e-5
        )


@pytest.mark.parametrize(
    "ending",
    [
        "return flat.reshape(1, -1) @ self.matrix",  # fails for two
        "return (flat @ self.matrix)[:1]",  # forgets the second
        "return (flat - flat.mean(0) * float(flat.size(0) > 1)) @ self.matrix",  # mixes them
    ],
)
def test_a_network_that_is_wrong_about_batches_gets_one_image_at_a_time(
    tmp_path: Path, ending: str
) -> None:
    detector = open_detector(write_script(tmp_path / "tiny.pt", ending), trust=True)
    np.testing.assert_allclose(detector.embed(images(4)), expected(images(4)), atol=1e-5)


def test_a_network_may_take_half_precision(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    path, model = tmp_path / "half.onnx", onnx_model()
    model.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT16
    model.graph.input[0].name = "half"
    cast = onnx.helper.make_node("Cast", ["half"], ["images"], to=onnx.TensorProto.FLOAT)
    model.graph.node.insert(0, cast)
    path.write_bytes(model.SerializeToString())
    found = open_detector(write_card(path)).embed(images(3))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected(images(3)), atol=1e-3)


def test_an_embedding_may_have_axes_of_one(tmp_path: Path) -> None:
    weights = write_script(tmp_path / "t.pt", "return (flat @ self.matrix)[:, :, None, None]")
    detector = open_detector(weights, trust=True)
    np.testing.assert_allclose(detector.embed(images(3)), expected(images(3)), atol=1e-5)


@pytest.mark.parametrize(
    ("ending", "output"),
    [
        ("return -(flat @ self.matrix), flat @ self.matrix", "1"),
        ("return [-(flat @ self.matrix), flat @ self.matrix]", "1"),
        ("return {'tokens': -(flat @ self.matrix), 'pooled': flat @ self.matrix}", "pooled"),
    ],
)
def test_the_card_names_the_output_of_many(tmp_path: Path, ending: str, output: str) -> None:
    path = tmp_path / "many.pt"
    first = open_detector(write_script(path, ending), trust=True)
    np.testing.assert_allclose(first.embed(images(2)), -expected(images(2)), atol=1e-5)
    named = open_detector(write_card(path, architecture={"output": output}), trust=True)
    np.testing.assert_allclose(named.embed(images(2)), expected(images(2)), atol=1e-5)
    assert named.fingerprint != first.fingerprint
    refused("has no output 'no'", write_card(path, architecture={"output": "no"}), trust=True)


def test_the_card_names_the_output_of_an_onnx_file(tmp_path: Path) -> None:
    path = tmp_path / "many.onnx"
    weights = write_onnx(path, output=("first", "other"))
    np.testing.assert_allclose(
        open_detector(weights).embed(images(2)), expected(images(2)), atol=1e-5
    )
    write_card(path, architecture={"output": "other"})
    np.testing.assert_allclose(
        open_detector(weights).embed(images(2)), -expected(images(2)), atol=1e-5
    )
    refused("there are first, other", write_card(path, architecture={"output": ["first"]}))


def test_the_content_says_what_a_file_is(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(onnx_model().SerializeToString())
    np.testing.assert_allclose(
        open_detector(write_card(path)).embed(images(2)), expected(images(2)), atol=1e-5
    )


def test_several_threads_may_embed(tmp_path: Path) -> None:
    for kind in ("onnx", "script"):
        detector = open_detector(write(tmp_path, kind), trust=True)
        with ThreadPoolExecutor(4) as pool:
            for count, found in enumerate(pool.map(detector.embed, map(images, range(1, 20))), 1):
                np.testing.assert_allclose(found, expected(images(count)), atol=1e-5)


class TestFingerprints:
    def of(self, weights: str) -> str:
        return open_detector(weights).fingerprint

    def test_it_is_the_same_for_the_same(self, tmp_path: Path) -> None:
        weights = write(tmp_path, "onnx")
        assert self.of(weights) == self.of(weights)
        assert " " not in self.of(weights)
        assert hashlib.sha256(Path(weights).read_bytes()).hexdigest() in self.of(weights)

    def test_it_changes_with_what_changes_an_embedding(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.onnx"
        plain = self.of(write_onnx(path))
        padded = self.of(
            write_card(path, input={"width": SIDE, "height": SIDE, "fit": "pad", "channels": 3})
        )
        other = self.of(write_onnx(path, divided_by=-1.0))
        assert len({plain, padded, other}) == 3

    def test_it_does_not_change_with_the_cuts(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.onnx"
        plain = self.of(write_onnx(path))
        assert self.of(write_card(path, cuts={"duplicate": 0.5, "similar": 0.5})) == plain


class TestRefusals:
    def test_of_files_that_are_no_networks(self, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        for content in (b"", b"x", b"not a network at all", bytes(200), b"\x08\x08" * 9):
            path.write_bytes(content)
            refused("neither an ONNX file nor", write_card(path))
        refused("cannot be read", write_card(tmp_path / "missing.onnx"))

    def test_of_files_that_are_too_large(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        weights = write_onnx(tmp_path / "tiny.onnx")
        size = Path(weights).stat().st_size
        for module in ("onnx_files", "weights"):
            with monkeypatch.context() as patch:
                patch.setattr(f"memscan.detectors.{module}.MOST_BYTES", size)
                assert open_detector(weights)
                patch.setattr(f"memscan.detectors.{module}.MOST_BYTES", size - 1)
                refused("too large", weights)

    def test_of_files_that_were_cut_off(self, tmp_path: Path) -> None:
        whole = onnx_model().SerializeToString()
        path = tmp_path / "model.onnx"
        for length in range(1, len(whole), 61):
            path.write_bytes(whole[:length])
            refused("ONNX file|onnxruntime cannot load it", write_card(path))

    @pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
    def test_of_archives_that_were_cut_off(self, tmp_path: Path, share: float) -> None:
        path, whole = tmp_path / "model.pt", script()
        path.write_bytes(whole[: int(len(whole) * share)])
        refused("damaged archive", write_card(path), trust=True)

    def test_of_torchscript_without_trust(self, tmp_path: Path) -> None:
        weights = write(tmp_path, "script")
        refused("contains code .*--trust-weights", weights)
        assert open_detector(weights, trust=True)

    def test_of_torchscript_that_torch_cannot_load(self, tmp_path: Path) -> None:
        path = tmp_path / "model.pt"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/code/__torch__.py", "nonsense")
        refused("torch cannot load it", write_card(path), trust=True)

    def test_of_other_weights_than_the_card_describes(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.onnx"
        write_onnx(path)
        refused("not the file that its card describes", write_card(path, sha256="0" * 64))
        own = hashlib.sha256(path.read_bytes()).hexdigest()
        assert open_detector(write_card(path, sha256=own))

    @pytest.mark.parametrize("trust", [False, True])
    def test_of_pickles(self, tmp_path: Path, trust: bool) -> None:
        """In neither form, trusted or not; and never opened."""

        class Bomb:
            def __reduce__(self) -> Any:
                return exec, (f"open({str(tmp_path / 'exploded')!r}, 'w')",)

        path = tmp_path / "model.pth"
        path.write_bytes(pickle.dumps(Bomb()))
        refused("a pickle, .*torch.onnx.export", write_card(path), trust)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("model/data.pkl", pickle.dumps(Bomb()))
        refused("a pickle, .*torch.onnx.export", write_card(path), trust)
        assert not (tmp_path / "exploded").exists()

    def test_of_a_state_as_torch_saves_it(self, tmp_path: Path) -> None:
        torch = pytest.importorskip("torch", reason="torch is not installed")
        path = tmp_path / "model.pt"
        torch.save({"weight": torch.zeros(3)}, path)
        refused("a pickle, .*torch.onnx.export", write_card(path), trust=True)

    def test_of_other_archives(self, tmp_path: Path) -> None:
        path = tmp_path / "model.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("code", "a file, no folder")
        refused("not of TorchScript", write_card(path), trust=True)

    def test_of_a_state_without_a_network(self, tmp_path: Path) -> None:
        safetensors = pytest.importorskip(
            "safetensors.numpy", reason="safetensors is not installed"
        )
        path = tmp_path / "model.safetensors"
        path.write_bytes(safetensors.save({"matrix": numbers()}))
        refused("a state without a network", write_card(path))

    def test_of_tensors_in_other_files(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        path = tmp_path / "model.onnx"
        onnx.save(onnx_model(), path, save_as_external_data=True, location="data", size_threshold=0)
        refused("keeps tensors in other files", write_card(path))

    def test_of_networks_that_take_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        write_onnx(path)
        card = {"width": 32, "height": SIDE, "channels": 3}
        refused(r"takes \(n, 3, 16, 16\), but its card .*= \(n, 3, 16, 32\)",
                write_card(path, input=card))  # fmt: skip
        refused(r"takes \(n, 1, 16, 16\), but", write_onnx(path, channels=1))

    def test_of_networks_that_take_no_end_of_images(self, tmp_path: Path) -> None:
        weights = write_onnx(tmp_path / "model.onnx", batch=1 << 40)
        refused("takes 1099511627776 images at a time", weights)

    def test_of_networks_with_two_inputs(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        path, model = tmp_path / "model.onnx", onnx_model()
        other = onnx.helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, [1])
        model.graph.input.append(other)
        path.write_bytes(model.SerializeToString())
        refused(r"takes 2 inputs \(images, other\)", write_card(path))

    def test_of_networks_that_take_whole_numbers(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        helper, kinds = onnx.helper, onnx.TensorProto
        graph = helper.make_graph(
            [helper.make_node("Cast", ["images"], ["out"], to=kinds.FLOAT)],
            "whole",
            [helper.make_tensor_value_info("images", kinds.UINT8, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info("out", kinds.FLOAT, None)],
        )
        path = tmp_path / "model.onnx"
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path.write_bytes(model.SerializeToString())
        refused("not images of float numbers", write_card(path))

    def test_of_operators_that_the_runtime_has_not(self, tmp_path: Path) -> None:
        onnx = pytest.importorskip("onnx", reason="onnx is not installed")
        path, model = tmp_path / "model.onnx", onnx_model()
        model.graph.node[-1].domain = "somebody.else"
        model.opset_import.append(onnx.helper.make_opsetid("somebody.else", 1))
        path.write_bytes(model.SerializeToString())
        refused("onnxruntime cannot load it", write_card(path))

    def test_of_embeddings_of_another_length(self, tmp_path: Path) -> None:
        path = tmp_path / "model.onnx"
        write_onnx(path)
        refused(r"numbers of shape \(1, 8\) .*not \(1, 9\)", write_card(path, dimensions=9))
        write_onnx(path, batch=3)
        refused(r"numbers of shape \(3, 8\) .*not \(3, 9\)", write_card(path, dimensions=9))
        ending = "return (flat @ self.matrix)[:, :, None].repeat(1, 1, 2)"
        weights = write_script(tmp_path / "tokens.pt", ending)
        refused(r"shape \(1, 8, 2\)", weights, trust=True)

    def test_of_networks_without_a_tensor(self, tmp_path: Path) -> None:
        for ending in ("return 1.0", "return [1.0]"):
            refused("gives no tensor", write_script(tmp_path / "n.pt", ending), trust=True)

    def test_of_networks_that_fail(self, tmp_path: Path) -> None:
        weights = write_script(tmp_path / "n.pt", "raise ValueError('no')\n    return flat")
        refused("the network fails: .*ValueError: no$", weights, trust=True)
        refused("the network fails", write_onnx(tmp_path / "n.onnx", reshaped=(5, 48)))

    @pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:1", ""])
    @pytest.mark.parametrize("kind", ["onnx", "script"])
    def test_of_devices_that_are_none(self, tmp_path: Path, kind: str, device: str) -> None:
        weights = write(tmp_path, kind)
        with pytest.raises(InputError, match="no such device"):
            open_detector(weights, device=device, trust=True)

    def test_of_a_gpu_that_the_runtime_cannot_use(self, tmp_path: Path) -> None:
        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            pytest.skip("this onnxruntime has CUDA")
        with pytest.raises(InputError, match="CPU alone"):
            open_detector(write(tmp_path, "onnx"), device="cuda")


@pytest.mark.parametrize(("device", "number"), [("auto", "0"), ("cuda", "0"), ("cuda:1", "1")])
def test_a_gpu_is_asked_for_all_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, number: str
) -> None:
    asked = []
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]

    class Session(onnxruntime.InferenceSession):  # type: ignore[misc, name-defined]
        def __init__(self, content: bytes, options: Any, providers: Any) -> None:
            asked.extend(providers)
            super().__init__(content, options, providers=providers[-1:])

        def get_providers(self) -> list[str]:
            return available

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    assert open_detector(write(tmp_path, "onnx"), device=device).embed(images(2)).shape[0] == 2
    exact = {"device_id": number, "use_tf32": "0"}
    assert asked == [("CUDAExecutionProvider", exact), "CPUExecutionProvider"]


def test_numbers_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    refused("not finite", write_onnx(tmp_path / "nan.onnx", divided_by=float("nan")))
    ending = "return flat @ self.matrix / float(bool((images > 0).any()))"
    detector = open_detector(write_script(tmp_path / "some.pt", ending), trust=True)
    pixels = images(2)
    assert np.isfinite(detector.embed(pixels)).all()
    pixels[:] = 0  # 0 / 0
    with pytest.raises(InputError, match="not finite"):
        detector.embed(pixels)


def test_large_and_small_numbers_have_a_direction(tmp_path: Path) -> None:
    for divided_by in (1e-36, 1e9):
        detector = open_detector(write_onnx(tmp_path / "tiny.onnx", divided_by=divided_by))
        np.testing.assert_allclose(detector.embed(images(3)), expected(images(3)), atol=1e-5)


def test_an_embedding_of_zeros_is_like_nothing(tmp_path: Path) -> None:
    detector = open_detector(write(tmp_path, "onnx"))
    pixels = images(3)
    pixels[1] = 0
    rows = detector.embed(pixels)
    assert not rows[1].any()
    assert not detector.scores(rows[1:2], rows).any()
    np.testing.assert_allclose(rows[[0, 2]], expected(pixels[[0, 2]]), atol=1e-5)


def test_torch_is_not_needed_for_onnx(tmp_path: Path) -> None:
    weights = write_onnx(tmp_path / "tiny.onnx")
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from memscan.detectors.opening import open_detector\n"
        f"print(open_detector({weights!r}).card.dimensions)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True, text=True, env=environment(), check=False,
    )  # fmt: skip
    assert (done.stdout.strip(), done.stderr) == (str(DIMENSIONS), "")


@pytest.mark.parametrize(
    ("module", "kind", "sentence"),
    [
        ("onnxruntime", "onnx", "needs onnxruntime"),
        ("torch", "script", "needs torch"),
    ],
)
def test_a_missing_runtime_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, kind: str, sentence: str
) -> None:
    weights = write(tmp_path, kind)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(InputError, match=rf"{sentence}.*'memscan\[learned\]'"):
        open_detector(weights, trust=True)


def test_torch_says_nothing_of_its_plans(tmp_path: Path) -> None:
    weights = write(tmp_path, "script")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_detector(weights, device="cpu", trust=True).embed(images(3))
    assert caught == []


@pytest.mark.parametrize("kind", ["deepssim", "lcmem"])
def test_networks_of_this_project_need_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"needs torch.*'memscan\[learned\]'"):
        open_detector(write_card(tmp_path / "model.safetensors", kind=kind))


def test_the_protocol_is_met(tmp_path: Path) -> None:
    detector: Detector = open_detector(write(tmp_path, "onnx"))
    assert isinstance(detector, ExportedDetector)
    assert (detector.card.kind, detector.card.is_calibrated) == ("encoder", False)
