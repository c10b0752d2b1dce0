"""How busy decoding and drawing keep a device, each printed: ``pytest tests/benchmarks``.

The device only waits, one batch at a time and so long that it is half as slow again as loading on
all cores: it could be busy all the time, and would be for 60 % if one came after the other.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Callable, List

import numpy as np
import pytest

from memscan.detectors.protocol import Detector, Embeddings, Pixels
from memscan.evaluation.embedding import embed
from memscan.intake import Intake
from memscan.learned import LearnedEncoder
from tests.benchmarks.conftest import Race
from tests.benchmarks.test_embedding import deepssim_small
from tests.detectors.small import autoencoder_in, needs_diffusers

Photographs = Callable[[float], List[str]]

SLOWER = 1.5


class Device:
    """What takes its time for each image, and does one batch at a time."""

    def __init__(self) -> None:
        self.pause = 0.0
        self._turn = threading.Lock()

    def work(self, images: int) -> None:
        with self._turn:
            time.sleep(self.pause * images)


def compare(race: Race, what: str, images: int, device: Device, run: Callable[[], object]) -> None:
    """Print how busy ``run`` keeps the device, with the ratio to loading first and then waiting."""
    run()  # so that nothing is done for the first time later
    began = time.perf_counter()
    run()
    loading = time.perf_counter() - began
    waiting = SLOWER * loading

    def one_after_the_other() -> None:
        device.pause = 0.0
        run()
        time.sleep(waiting)
        device.pause = waiting / images

    race.ratio(f"{what}, against one after the other", one_after_the_other, run)
    busy = waiting / race.benchmark.stats.stats.median
    race.report(f"{what}: {images / loading:.0f} images/s, the device is busy for {busy:.0%}")


@pytest.fixture
def device() -> Device:
    return Device()


@pytest.fixture
def waiting(tmp_path: Path, device: Device, monkeypatch: pytest.MonkeyPatch) -> Detector:
    """A detector that gives all images the same row, when the device is ready."""
    detector = deepssim_small(tmp_path / "network.safetensors")

    def embedded(_: object, batch: Pixels) -> Embeddings:
        device.work(len(batch))
        return np.eye(1, detector.card.dimensions, dtype=np.float32).repeat(len(batch), 0)

    monkeypatch.setattr(type(detector), "embed", embedded)
    return detector


def test_a_scan(race: Race, photographs: Photographs, device: Device, waiting: Detector) -> None:
    paths, encoder = 4 * photographs(0.2), LearnedEncoder(waiting)

    def scan() -> None:
        Intake().hash_files(paths, "", encoder=encoder)

    compare(race, "embedding in a scan", len(paths), device, scan)


def test_an_evaluation(
    race: Race, photographs: Photographs, device: Device, waiting: Detector
) -> None:
    paths = 4 * photographs(0.2)
    compare(race, "embedding in an evaluation", len(paths), device, lambda: embed(paths, waiting))


def test_latents(
    race: Race,
    photographs: Photographs,
    tmp_path: Path,
    device: Device,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    needs_diffusers()
    import torch

    from memscan.detectors import latent_making
    from memscan.detectors.autoencoder import Encoder

    vae, paths = autoencoder_in(tmp_path / "vae"), 4 * photographs(0.2)
    made: list[str] = []

    def encoded(encoder: Encoder, pixels: torch.Tensor, _: object) -> torch.Tensor:
        device.work(len(pixels) // 4)
        side = pixels.shape[-1] // encoder.reduction
        return torch.zeros(len(pixels), encoder.channels, side, side)

    def make() -> None:
        made.append(str(tmp_path / f"latents-{len(made)}"))
        latent_making.make(paths, vae, made[-1], side=128)

    monkeypatch.setattr(Encoder, "latents", encoded)
    compare(race, "latents of four views", len(paths), device, make)


def test_second_views(
    race: Race, photographs: Photographs, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from memscan.detectors import ahead, pictures
    from memscan.detectors.cards import Input
    from memscan.detectors.lcmem_recipe import Augmentation

    store, _, _ = pictures.readable(photographs(0.2), Input(128, 128))
    threads = ahead.workers(None, torch.device("cuda"))
    seeds, batch = range(20), list(range(min(16, len(store))))

    def views(seed: int) -> object:
        return Augmentation().apply(store.pixels(batch), np.random.default_rng(seed))

    def train() -> None:
        for _ in ahead.ahead(views, seeds, threads):
            device.work(len(batch))

    compare(race, "second views of LCMem", len(seeds) * len(batch), device, train)
