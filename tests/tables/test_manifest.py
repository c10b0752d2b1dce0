from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from memscan.errors import InputError, OutputError
from memscan.tables import manifest
from memscan.tables.identity import Encoder, Shard
from memscan.tables.manifest import FailedShard, Manifest
from memscan.tables.part import Part
from tests.tables.making import PLAIN, finish, rows, write

GOLDEN = Path(__file__).parent / "golden" / "_manifest.json"

SAMPLE = Manifest(
    "0.9.0",
    Encoder("phash-64", "exact", "phash-64 decode=exact Pillow=12 imagehash=4", ("mirrored",)),
    {"Pillow": ("12.0.0", "12.1.0"), "numpy": ("2.4.6",)},
    {"max_pixels": 178956970},
    (
        Part("part-b.parquet", Shard("shards/00001.tar", {"size": 2}), 3, 0, 500, "0b" * 32),
        Part("part-a.parquet", Shard("shards/00000.tar", {"size": 9}), 4, 1, 700, "0a" * 32),
    ),
    (FailedShard(Shard("shards/\udcff.tar"), "it is no archive"),),
)


def test_the_manifest_is_what_it_was(tmp_path: Path) -> None:
    manifest.write(str(tmp_path), SAMPLE)
    assert (tmp_path / "_manifest.json").read_bytes() == GOLDEN.read_bytes()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    manifest.write(str(tmp_path), SAMPLE)
    again = manifest.read(str(tmp_path))
    assert again is not None
    assert again.to_json() == SAMPLE.to_json()
    assert [part.name for part in again.parts] == ["part-a.parquet", "part-b.parquet"]
    manifest.write(str(tmp_path), again)
    assert (tmp_path / "_manifest.json").read_bytes() == GOLDEN.read_bytes()
    assert os.listdir(tmp_path) == ["_manifest.json"]


def test_no_manifest_is_none(tmp_path: Path) -> None:
    assert manifest.read(str(tmp_path)) is None


def test_a_directory_that_is_gone_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"manifest\.json: cannot be written"):
        manifest.write(str(tmp_path / "no"), SAMPLE)


def _with(*path: Any, value: Any) -> Callable[[Any], Any]:
    def change(document: Any) -> Any:
        changed = copy.deepcopy(document)
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        return changed

    return change


def _name(value: Any) -> Callable[[Any], Any]:
    return _with("parts", 0, "name", value=value)


DAMAGE: dict[str, Callable[[Any], Any]] = {
    "a path up": _name("../part-a.parquet"),
    "a path down": _name("below/part-a.parquet"),
    "an absolute path": _name("/etc/part-a.parquet"),
    "a path of Windows": _name("..\\part-a.parquet"),
    "a drive": _name("c:part-a.parquet"),
    "a hidden file": _name(".parquet"),
    "a line break at the end": _name("part-a.parquet\n"),
    "a null character": _name("part\0.parquet"),
    "another suffix": _name("passwd"),
    "no name": _name(""),
    "a name that is a number": _name(5),
    "a name without end": _name("a" * 5000 + ".parquet"),
    "the same part twice": _name("part-b.parquet"),
    "another schema": _with("schema", value=2),
    "no schema": _with("schema", value=None),
    "parts in an object": _with("parts", value={}),
    "parts that are texts": _with("parts", value=["part-a.parquet"]),
    "negative rows": _with("parts", 0, "rows", value=-4),
    "rows that are true": _with("parts", 0, "rows", value=True),
    "rows in fractions": _with("parts", 0, "rows", value=4.0),
    "rows beyond 64 bits": _with("parts", 0, "rows", value=1 << 70),
    "more failures than rows": _with("parts", 0, "failures", value=5),
    "no bytes": _with("parts", 0, "bytes", value=None),
    "half a digest": _with("parts", 0, "sha256", value="0a"),
    "no digest": _with("parts", 0, "sha256", value=None),
    "no shard": _with("parts", 0, "shard", value="00000.tar"),
    "totals of another table": _with("totals", "rows", value=8),
    "no totals": _with("totals", value=None),
    "no encoder": _with("encoder", value="phash"),
    "libraries in a list": _with("libraries", value=["numpy"]),
    "one version": _with("libraries", "numpy", value="2.4.6"),
    "versions that are numbers": _with("libraries", "numpy", value=[2]),
    "options in a list": _with("options", value=[]),
    "no list of failed shards": _with("failed_shards", value=None),
    "a failed shard without a reason": _with("failed_shards", 0, "reason", value=None),
    "a failed shard without a name": _with("failed_shards", 0, "shard", value={}),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_manifest_is_refused(tmp_path: Path, damage: str) -> None:
    document = DAMAGE[damage](json.loads(GOLDEN.read_text()))
    (tmp_path / "_manifest.json").write_text(json.dumps(document))
    with pytest.raises(InputError, match=r"manifest\.json: not a manifest"):
        manifest.read(str(tmp_path))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '"a"', "[" * 100_000, '{"a": 1' + "0" * 5000 + "}", "\ufeff{}", "NaN"],
    ids=range(9),
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "_manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"manifest\.json: not a manifest"):
        manifest.read(str(tmp_path))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "_manifest.json").write_bytes(b"\xff\xff\xff")
    with pytest.raises(InputError, match=r"manifest\.json: not a manifest"):
        manifest.read(str(tmp_path))


def test_a_manifest_of_any_length_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "_MOST_BYTES", 100)
    manifest.write(str(tmp_path), SAMPLE)
    with pytest.raises(InputError, match="more than"):
        manifest.read(str(tmp_path))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "_manifest.json")
    with pytest.raises(InputError, match="not a file"):
        manifest.read(str(tmp_path))


def test_collected_parts_add_up(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
    write(tmp_path, "b.tar", [rows(["1", "2"], ["2"])], numpy="1.9")
    write(tmp_path, "a.tar", [rows(["3"])])
    made = finish(tmp_path, failed=[FailedShard(Shard("c.tar"), "it is gone")])
    assert (made.rows, made.failures, len(made.parts)) == (3, 1, 2)
    assert made.libraries["numpy"] == ("1.9", "2.0.0")
    assert manifest.read(str(tmp_path)) == made


def test_parts_of_another_encoder_are_not_collected(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
    write(tmp_path, "a.tar", [rows(["1"])])
    with pytest.raises(InputError, match="do not belong"):
        finish(tmp_path, Encoder("a", "fast", "other"))
    write(tmp_path, "b.tar", [rows(["2"])], encoder=Encoder("a", "fast", "other"))
    with pytest.raises(InputError, match="do not belong"):
        finish(tmp_path, PLAIN)
