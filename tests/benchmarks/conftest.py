from __future__ import annotations

import os
import statistics
import time
from pathlib import Path
from typing import Any, Callable, Iterable

import pytest
from PIL import Image

from memscan import Cache, cache, hashing, stamps
from memscan.evidence import detail
from memscan.records import HashedImage
from tests.drawing import picture, shipped_photographs

Report = Callable[[str], None]


class Race:
    """Two ways of doing the same, in turn, so that a busy machine slows both."""

    def __init__(self, benchmark: Any, report: Report) -> None:
        self.benchmark = benchmark
        self.report = report

    def ratio(self, what: str, plain: Callable[[], object], ours: Callable[[], object]) -> float:
        """The median of plain time over our time; prints it. Once per test."""
        plain_times: list[float] = []

        def run_plain() -> None:
            began = time.perf_counter()
            plain()
            plain_times.append(time.perf_counter() - began)

        rounds = int(os.environ.get("MEMSCAN_BENCHMARK_ROUNDS", "1"))
        self.benchmark.pedantic(ours, setup=run_plain, rounds=rounds)
        our_times = self.benchmark.stats.stats.data
        median: float = statistics.median(
            plain_time / our_time for plain_time, our_time in zip(plain_times, our_times)
        )
        self.report(f"{what}: {median:.2f} times as fast")
        return median


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Report:
    def show(line: str) -> None:
        with capsys.disabled():
            print(f"\n  {line}", end="")

    return show


@pytest.fixture
def race(benchmark: Any, report: Report) -> Race:
    return Race(benchmark, report)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], list[str]]:
    """JPEG files of about so many megapixels.

    MEMSCAN_BENCHMARK_IMAGES names a directory of photographs to make them from; otherwise they
    come from scikit-image and scikit-learn, or are drawn.
    """
    given = os.environ.get("MEMSCAN_BENCHMARK_IMAGES")
    if given:
        paths = sorted(str(path) for path in Path(given).iterdir())[:120]
    else:
        paths = shipped_photographs()

    def make(megapixels: float) -> list[str]:
        folder = tmp_path_factory.mktemp(f"photographs_{megapixels}")
        made = []
        for number, path in enumerate(paths):
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            scale = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            made.append(str(folder / f"{number}.jpg"))
            image.resize(size, Image.Resampling.BICUBIC).save(made[-1], quality=90)
        return made

    return make


@pytest.fixture
def target(tmp_path: Path) -> str:
    path = str(tmp_path / "target.jpg")
    picture(1, (400, 300)).save(path)
    return path


def known_files(folder: Path, hashes: Iterable[int]) -> Path:
    """A directory of files that are no images, in ``folder``, and a cache there that knows them.

    One file for each hash, a thousand in each subdirectory; the cache is ``folder / "cache"``.
    """
    encoder = f"{hashing.fingerprint()} {detail.fingerprint()}"
    with pytest.MonkeyPatch.context() as patch, Cache(str(folder / "cache")) as kept:
        patch.setattr(cache, "_BATCH", 20_000)
        for number, hash in enumerate(hashes):
            path = folder / "source" / f"{number // 1000}" / f"image_{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"small")
            stamp = stamps.Stamp.of(str(path))
            assert stamp is not None
            kept.keep(str(path), encoder, stamp, HashedImage((hash,), False, (1, 1)))
    return folder / "source"
