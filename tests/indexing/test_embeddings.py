"""Tables of embeddings, made and gone on with as those of hashes are."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from memscan import decode, hashing, indexing, vectors
from memscan.errors import InputError
from memscan.indexing import work
from memscan.indexing.network import WeightsFile
from memscan.learned import LearnedEncoder
from memscan.recipe import hash_decoded
from memscan.tables.checking import verify
from memscan.tables.merging import merge
from memscan.tables.stored import StoredTable
from memscan.views import of_source
from tests.cli.running import ROOT, environment
from tests.drawing import needs_posix, save
from tests.indexing import projection
from tests.indexing.collections import ROOTS, counted, files, mixture, settle, tars

pytest.importorskip("pyarrow", reason="pyarrow is not installed")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    projection.use(monkeypatch)
    projection.write_weights(tmp_path / "weights")
    return tmp_path


def index(
    *sources: str, weights: str = "weights/a.safetensors", **options: Any
) -> indexing.Indexed:
    named = {"output": "table", **options}
    return indexing.index(sources or "shards/*.tar", weights=WeightsFile(weights), **named)


@needs_posix
@pytest.mark.parametrize("views", ["plain", "training"])
def test_every_image_has_the_embedding_that_it_has_by_itself(here: Path, views: str) -> None:
    images, lost = mixture(here)
    done = index(*ROOTS, recursive=True, views=views)
    assert (done.manifest.rows, done.manifest.failures) == (len(images) + len(lost), len(lost))
    assert verify("table") == []
    encoder = LearnedEncoder(projection.open_projection("weights/a.safetensors"))
    table = StoredTable.open("table")
    assert (table.encoder.dimensions, table.encoder.words) == (5, encoder.words) == (5, 4)
    assert table.encoder.algorithm == encoder.detector.fingerprint
    loaded = table.load(table.encoder.views)
    assert list(loaded.paths) == sorted(images, key=os.fsencode)
    for row, path in enumerate(loaded.paths):
        (image,) = hash_decoded([decode.open_bytes(images[path])], encoder, of_source(views))
        words = [loaded.hashes[row], *loaded.views[row]]
        assert np.concatenate(words).tolist() == list(image.words)
    assert {failure.path for failure in table.failures()} == lost


def test_the_bytes_are_the_same_for_any_number_of_threads(here: Path) -> None:
    tars(here / "shards", 2, images=50)
    index(jobs=1)
    alone = files(here / "table")
    index(jobs=3, output="other")
    assert files(here / "other") == alone


@pytest.mark.parametrize("views", ["plain", "training"])
def test_networks_are_given_batches_of_renderings(here: Path, views: str) -> None:
    tars(here / "shards", 1, images=70)
    index(views=views)
    detector = WeightsFile(str(here / "weights/a.safetensors")).open().detector
    assert isinstance(detector, projection.Projection)
    assert 8 < max(detector.batches) <= 32
    assert sum(detector.batches) >= 70
    if views == "plain":
        assert sorted(detector.batches) == [6, 32, 32]


@pytest.mark.filterwarnings("ignore:invalid value")
def test_a_network_without_cosines_fails_the_shard(here: Path) -> None:
    save(Image.new("RGB", (20, 20)), here / "loose/black.png")
    tars(here / "shards", 1)
    made = index("loose", "shards/*.tar").manifest
    (failed,) = made.failed
    assert failed.shard.name == "files from loose/black.png"
    assert failed.reason == "a: the network gives rows that are not of length 1"
    assert made.rows == 3


def test_nothing_is_done_again(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mixture(here)
    first = index(*ROOTS, recursive=True)
    before = files(here / "table")
    seen = counted(monkeypatch)
    again = index(*ROOTS, recursive=True)
    assert (seen, again.hashed, again.already) == ([], 0, first.hashed)
    assert files(here / "table") == before


def test_other_weights_are_refused_by_a_sentence_that_names_both(here: Path) -> None:
    tars(here / "shards", 1)
    index()
    before = files(here / "table")
    other = projection.write_weights(here / "weights", "b", seed=1)
    names = [projection.open_projection(w).fingerprint for w in ("weights/a.safetensors", other)]
    with pytest.raises(InputError, match=rf"table there .* \({names[0]}, now {names[1]}\)"):
        index(weights=other)
    with pytest.raises(InputError, match=f"{names[0]}, now phash-64"):
        indexing.index("shards/*.tar", "table")
    assert files(here / "table") == before


def test_weights_that_were_written_anew_are_read_anew(here: Path) -> None:
    tars(here / "shards", 1)
    index()
    settle()
    projection.write_weights(here / "weights", seed=2)
    with pytest.raises(InputError, match="choose another --output"):
        index()


def test_weights_that_change_meanwhile_fail_the_shard(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 1)
    original = work.index_shard

    def late(request: dict[str, Any], report: Any) -> dict[str, Any]:
        settle()
        projection.write_weights(here / "weights", seed=3)
        return original(request, report)

    monkeypatch.setattr(work, "index_shard", late)
    (failed,) = index().manifest.failed
    assert "the libraries or weights of this worker make other hashes" in failed.reason


def test_tables_are_united_and_searched(here: Path) -> None:
    tars(here / "shards", 1)
    tars(here / "more", 1, first=1)
    index(output="one")
    index("more/*.tar", output="two")
    merge(["one", "two"], "table", "1.0.0")
    assert verify("table") == []
    index("shards/*.tar", "more/*.tar", output="together")
    united, together = (StoredTable.open(name).load() for name in ("table", "together"))
    assert np.array_equal(united.hashes, together.hashes)
    embeddings = vectors.unpack(united.hashes, 5)
    assert (embeddings @ embeddings.T).argmax(axis=1).tolist() == list(range(6))


def test_an_exception_of_the_network_is_tried_again(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tars(here / "shards", 2)
    calls = iter(range(100))
    original = projection.Projection.embed

    def embed(self: projection.Projection, batch: Any) -> Any:
        if next(calls) == 0:
            raise RuntimeError("out of memory")
        return original(self, batch)

    monkeypatch.setattr(projection.Projection, "embed", embed)
    assert index().manifest.failed == ()


KILLED = """
import os, signal, sys
import pytest
from memscan import indexing
from memscan.indexing.network import WeightsFile
from tests.indexing import projection

original = projection.Projection.embed

def embed(self, batch):
    if len(self.batches) == 2:
        os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    return original(self, batch)

projection.Projection.embed = embed
projection.use(pytest.MonkeyPatch())
indexing.index("shards/*.tar", "table", weights=WeightsFile("weights/a.safetensors"))
"""


@needs_posix
@pytest.mark.parametrize("number", ["SIGKILL", "SIGINT"])
def test_a_run_that_was_ended_is_gone_on_with(here: Path, number: str) -> None:
    tars(here / "shards", 4)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, number], env=environment(), check=False, timeout=60,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode != 0
    assert [*(here / "table").glob("part-*")]
    assert not (here / "table/_manifest.json").exists()
    again = index()
    assert (again.already, again.hashed) in ((2, 2), (3, 1))  # an interrupt may come a shard late
    resumed = files(here / "table")
    shutil.rmtree("table")
    index()
    assert files(here / "table") == resumed


def test_the_search_for_hashes_does_not_load_torch() -> None:
    code = "import sys, memscan.indexing, memscan.indexing.work; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), check=False)
    assert done.returncode == 0


def test_a_table_says_what_made_it(here: Path) -> None:
    tars(here / "shards", 1)
    made = index().manifest
    assert made.options["detector"] == "deepssim"
    assert "hash" not in made.options
    assert made.libraries == {name: (v,) for name, v in sorted(hashing.library_versions().items())}
