"""Embeddings on disk: what comes back, what others read, and what is refused."""

from __future__ import annotations

import base64
import dataclasses
import json
import os
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan import vectors
from memscan.errors import InputError
from memscan.tables import part
from memscan.tables import rows as columns
from memscan.tables.checking import verify
from memscan.tables.identity import DocumentError, Encoder, dumps
from memscan.tables.merging import merge
from memscan.tables.part import Header
from memscan.tables.rows import Rows
from memscan.tables.stored import StoredTable
from tests.tables.making import PLAIN, finish, header, rows, write

pa = pytest.importorskip("pyarrow", reason="tables on disk need the extra parquet")
pq = pytest.importorskip("pyarrow.parquet", reason="tables on disk need the extra parquet")


def encoder(dimensions: int, *views: str, weights: str = "1a") -> Encoder:
    """What a table of embeddings of so many numbers says."""
    algorithm = f"deepssim-{weights}"
    return Encoder(
        algorithm,
        "exact",
        f"{algorithm} decode=exact",
        views,
        vectors.words_of(dimensions),
        dimensions,
    )


def embedded(
    names: list[str], dimensions: int, lost: list[str] | None = None, views: int = 0, seed: int = 0
) -> Rows:
    """Random rows of these names, with embeddings of length 1."""
    some = rows(names, lost or (), seed=seed)
    draw = np.random.default_rng([seed, dimensions, len(names)])
    numbers = draw.standard_normal((len(names) * (1 + views), dimensions)).astype(np.float32)
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
    hashes = draw.integers(0, 1 << 64, len(numbers), np.uint64)
    words = vectors.pack(hashes, numbers).reshape(len(names), 1 + views, -1)
    return dataclasses.replace(some, hashes=words[:, 0], views=words[:, 1:])


def _cut(some: Rows, rows: slice) -> Rows:
    cut: dict[str, Any] = {k: None if v is None else v[rows] for k, v in vars(some).items()}
    return Rows(**cut)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    names = [f"{n:03}" for n in range(data.draw(st.integers(1, 20)))]
    lost = sorted(data.draw(st.sets(st.sampled_from(names))))
    dimensions, views = data.draw(st.integers(1, 9)), data.draw(st.integers(0, 2))
    by = encoder(dimensions, *(f"view {n}" for n in range(views)))
    some = embedded(names, dimensions, lost, views)
    cut = data.draw(st.integers(0, len(names)))
    path = str(tmp_path_factory.mktemp("parts") / "part-0.parquet")
    batches = [_cut(some, slice(cut)), _cut(some, slice(cut, None))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part, "GROUP_BYTES", data.draw(st.integers(1, 500)))
        part.write_part(path, batches, header(encoder=by))
        table = StoredTable.open(path)
        loaded = table.load(by.views)
        blocks = np.concatenate([np.empty((0, by.words)), *(b.hashes for b in table.blocks())])
    kept = [row for row, name in enumerate(names) if name not in lost]
    assert list(loaded.paths) == [names[row] for row in kept]
    assert some.views is not None
    assert np.array_equal(loaded.hashes, some.hashes[kept])
    assert np.array_equal(blocks, some.hashes[kept])
    assert np.array_equal(loaded.views, some.views[kept])
    assert {failure.path for failure in table.failures()} == set(lost)
    some_rows = np.array(kept[::2], np.int64)
    chosen = table.rows(np.flatnonzero(np.isin(kept, some_rows)), by.views)
    assert np.array_equal(chosen.hashes, some.hashes[some_rows])
    assert np.array_equal(chosen.views, some.views[some_rows])


def test_parts_that_interleave_come_in_order(tmp_path: Path) -> None:
    by = encoder(3)
    for shard, names in (("a", ["1", "3"]), ("b", ["2", "4"])):
        write(tmp_path, shard, [embedded(names, 3, seed=ord(shard))], encoder=by)
    finish(tmp_path, by)
    loaded = StoredTable.open(str(tmp_path)).load()
    assert list(loaded.paths) == ["1", "2", "3", "4"]
    for shard, at in (("a", 0), ("b", 1)):
        expected = embedded(["x", "y"], 3, seed=ord(shard)).hashes
        assert np.array_equal(loaded.hashes[at::2], expected)


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A part of 100 images, one of which was lost, in two views."""
    names = [f"{n:03}" for n in range(100)]
    some = embedded(names, 4, ["007"], 1)
    return tmp_path / write(tmp_path, "s", [some], encoder=encoder(4, "mirrored")).name


def test_columns_are_what_other_programs_expect(whole: Path) -> None:
    schema = pq.read_schema(whole)
    assert schema.names[:6] == [
        "uri", "hash", "embedding", "view: mirrored", "embedding: mirrored", "low_information",
    ]  # fmt: skip
    some = embedded([f"{n:03}" for n in range(100)], 4, ["007"], 1)
    found = pq.read_table(whole).to_pylist()
    assert (found[7]["hash"], found[7]["embedding"]) == (None, None)
    numbers = vectors.unpack(some.hashes, 4)
    assert np.array_equal(np.array(found[8]["embedding"], np.float32), numbers[8])
    assert found[8]["hash"] == some.hashes[8, 0]
    leaf = pq.read_metadata(whole).row_group(0).column(2)
    assert (leaf.path_in_schema, leaf.compression) == ("embedding.list.element", "UNCOMPRESSED")
    assert set(leaf.encodings) <= {"PLAIN", "RLE"}


def test_pandas_reads_them(whole: Path) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    frame = pandas.read_parquet(whole).dropna(subset=["embedding"])
    numbers = np.stack(frame["embedding"].to_list())
    assert np.array_equal(numbers, vectors.unpack(StoredTable.open(str(whole)).load().hashes, 4))
    assert numbers.dtype == np.float32


def test_duckdb_searches_them(whole: Path) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    numbers = vectors.unpack(StoredTable.open(str(whole)).load().hashes, 4)
    found = duckdb.execute(
        "select uri, array_cosine_similarity(embedding::float[4], ?::float[4]) as score "
        f"from '{whole}' where embedding is not null order by score desc limit 3",
        [numbers[0].tolist()],
    ).fetchall()
    scores = numbers @ numbers[0]
    names = StoredTable.open(str(whole)).load().paths
    assert [name for name, _ in found] == [names[row] for row in np.argsort(-scores)[:3]]
    assert [score for _, score in found] == pytest.approx(np.sort(scores)[::-1][:3], abs=1e-5)


def test_equal_rows_give_equal_bytes_however_they_are_batched(tmp_path: Path) -> None:
    some = embedded([f"{n:03}" for n in range(50)], 5, ["007"])
    by = encoder(5)
    one = write(tmp_path / "a", "s", [some], encoder=by)
    other = write(tmp_path / "b", "s", [_cut(some, slice(n, n + 1)) for n in range(50)], encoder=by)
    assert one == other


def test_a_row_group_holds_what_memory_has_room_for() -> None:
    assert part.rows_of_group(encoder(128)) == part.GROUP_BYTES // 520
    assert part.rows_of_group(encoder(8192, *map(str, range(1000)))) == 1
    assert part.rows_of_group(encoder(1)) == part.rows_of_group(PLAIN) == part.GROUP_ROWS


HASHES = (
    '{"algorithm": "phash-64", "decoding": "exact", "fingerprint": "f", "views": ["a"], "words": 4}'
)


def test_tables_of_hashes_say_what_they_said_before() -> None:
    by = Encoder("phash-64", "exact", "f", ("a",), 4)
    assert dumps(by.to_json()) == HASHES
    assert Encoder.from_json(json.loads(HASHES)) == by
    assert columns.schema(by).names[:9] == [
        "uri", "hash", "hash_1", "hash_2", "hash_3",
        "view: a", "view: a_1", "view: a_2", "view: a_3",
    ]  # fmt: skip


def test_an_encoder_is_read_back() -> None:
    by = encoder(7, "mirrored")
    assert Encoder.from_json(json.loads(dumps(by.to_json()))) == by


@pytest.mark.parametrize(
    "changes",
    [
        {"dimensions": -1},
        {"dimensions": 5},
        {"dimensions": 10**9, "words": 1 + 10**9 // 2},
        {"dimensions": True},
        {"dimensions": 4.0},
        {"dimensions": None},
        {"words": 2},
        {"words": 10**9},
    ],
)
def test_impossible_encoders_are_refused(changes: dict[str, Any]) -> None:
    document = json.loads(dumps(encoder(4).to_json()))
    assert Encoder.from_json(document) == encoder(4)
    with pytest.raises(DocumentError):
        Encoder.from_json({**document, **changes})


def test_other_weights_are_refused_by_a_sentence_that_names_both(whole: Path) -> None:
    table = StoredTable.open(str(whole))
    assert table.check("deepssim-1a", "exact", ["mirrored"]) == []
    with pytest.raises(InputError, match=r"its algorithm is deepssim-1a, but .* is deepssim-2b"):
        table.check("deepssim-2b", "exact")
    with pytest.raises(InputError, match=r"its algorithm is deepssim-1a, but .* is phash-64"):
        table.check("phash-64", "exact")


def _merged(tmp_path: Path, *encoders: Encoder) -> str:
    for number, by in enumerate(encoders):
        some = embedded([f"{number}"], by.dimensions, views=len(by.views), seed=number)
        write(tmp_path / str(number), f"{number}.tar", [some], encoder=by)
        finish(tmp_path / str(number), by)
    output = str(tmp_path / "all.parquet")
    merge([str(tmp_path / str(number)) for number in range(len(encoders))], output, "0.9.0")
    return output


def test_tables_of_the_same_weights_are_united(tmp_path: Path) -> None:
    output = _merged(tmp_path, encoder(3), encoder(3))
    assert verify(output) == []
    assert list(StoredTable.open(output).load().paths) == ["0", "1"]


def test_tables_of_other_weights_are_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"made with deepssim-2b .* with deepssim-1a"):
        _merged(tmp_path, encoder(3), encoder(3, weights="2b"))


Damage = Callable[[Any], Any]


def _numbers(value: float) -> Damage:
    """One number of one embedding is another one."""

    def changed(column: Any) -> Any:
        values = column.to_pylist()
        values[50] = [value, *values[50][1:]]
        return pa.array(values, column.type)

    return changed


def _row(value: list[float] | None) -> Damage:
    return lambda column: pa.array(
        [value if row == 50 else one for row, one in enumerate(column.to_pylist())], column.type
    )


VALUES: dict[str, Damage] = {
    "not a number": _numbers(float("nan")),
    "infinite": _numbers(float("inf")),
    "infinite the other way": _numbers(float("-inf")),
    "longer than 1": _numbers(2.0),
    "so long that its square is infinite": _numbers(1e30),
    "too short": _row([0.5, 0.0, 0.0, 0.0]),
    "not there": _row(None),
    "all not there": lambda column: pa.nulls(100, column.type),
}


@pytest.mark.parametrize("name", ["embedding", "embedding: mirrored"])
@pytest.mark.parametrize("damage", VALUES)
def test_embeddings_without_a_cosine_are_refused(whole: Path, damage: str, name: str) -> None:
    table = pq.read_table(whole)
    place = table.schema.get_field_index(name)
    changed = VALUES[damage](table[name].combine_chunks())
    pq.write_table(table.set_column(place, table.schema.field(name), changed), whole)
    finish(whole.parent, encoder(4, "mirrored"))
    stored = StoredTable.open(str(whole))
    for read in (
        lambda: stored.load(["mirrored"]),
        lambda: [list(stored.blocks(view)) for view in ("full", "mirrored")],
        lambda: stored.rows(np.array([50]), ["mirrored"]),
    ):
        with pytest.raises(InputError, match=whole.name):
            read()
    (problem,) = verify(str(whole.parent))
    assert whole.name in problem


def _disguised(path: Path, numbers: Any) -> None:
    """A part whose lists are of any length, under a schema that says otherwise."""
    table = pq.read_table(path)
    schema = table.schema
    kind = pa.list_(pa.field("element", pa.float32(), nullable=False))
    for name in ("embedding", "embedding: mirrored"):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, pa.field(name, kind), pa.array(numbers, kind))
    stated = base64.b64encode(schema.serialize().to_pybytes())
    how = {"store_schema": False, "compression": "none", "use_dictionary": False}
    with pq.ParquetWriter(path, table.schema, **how) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({**schema.metadata, b"ARROW:schema": stated})


SOUND = [1.0, 0.0, 0.0, 0.0]


def test_lists_of_the_size_that_they_claim_are_read(whole: Path) -> None:
    _disguised(whole, [None if row == 7 else SOUND for row in range(100)])
    assert len(StoredTable.open(str(whole)).load(["mirrored"])) == 99


@pytest.mark.parametrize(
    "numbers",
    [
        [None if row == 7 else SOUND[:3] for row in range(100)],
        [None if row == 7 else [*SOUND, 0.0] for row in range(100)],
        [None if row == 7 else [] for row in range(100)],
        [None if row == 7 else SOUND[: 3 + row % 3] for row in range(100)],
    ],
)
def test_lists_of_another_size_are_refused(whole: Path, numbers: Any) -> None:
    _disguised(whole, numbers)
    with pytest.raises(InputError, match=whole.name):
        StoredTable.open(str(whole)).load(["mirrored"])


def test_a_header_of_other_dimensions_is_refused(whole: Path) -> None:
    table = pq.read_table(whole)
    other = header(encoder=encoder(6, "mirrored")).to_json()
    pq.write_table(table.replace_schema_metadata({b"memscan": dumps(other).encode()}), whole)
    with pytest.raises(InputError, match="its columns are not those"):
        StoredTable.open(str(whole))


def test_more_embeddings_than_bytes_are_refused(tmp_path: Path) -> None:
    by = encoder(64)
    count = 2000
    some = embedded([f"{n:05}" for n in range(count)], 64)
    path = tmp_path / write(tmp_path, "s", [some], encoder=by).name
    table = pq.read_table(path)
    same = pa.FixedSizeListArray.from_arrays(
        pa.array(np.zeros(64 * count, np.float32)), type=table["embedding"].type
    )
    squeezed = table.set_column(2, table.schema.field(2), same)
    pq.write_table(squeezed, path, compression="zstd")
    assert os.path.getsize(path) < 4 * 64 * count
    with pytest.raises(InputError, match="more hashes than it has room for"):
        StoredTable.open(str(path))


def test_row_groups_larger_than_ours_are_refused(
    whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part, "GROUP_BYTES", 99 * 48)
    with pytest.raises(InputError, match="row groups that memscan does not write"):
        StoredTable.open(str(whole))


def test_damage_in_the_middle_is_an_input_error_or_another_value(whole: Path) -> None:
    sound = whole.read_bytes()
    refused = 0
    for place in range(4, len(sound) - 8, 97):
        damaged = bytearray(sound)
        damaged[place] ^= 0xFF
        whole.write_bytes(damaged)
        try:
            table = StoredTable.open(str(whole))
            list(table.load(["mirrored"]).paths)
            list(table.failures())
        except InputError:
            refused += 1
    assert refused > 0


def test_a_cut_part_is_not_taken_as_done(whole: Path) -> None:
    found: Header = part.open_part(str(whole)).header
    assert part.is_done(str(whole), found.shard, found.encoder)
    assert not part.is_done(str(whole), found.shard, encoder(4, "mirrored", weights="2b"))
    data = whole.read_bytes()
    for length in range(0, len(data), 97):
        whole.write_bytes(data[:length])
        assert not part.is_done(str(whole), found.shard, found.encoder)


def test_which_embeddings_have_a_cosine() -> None:
    numbers = np.array([[1, 0], [0.6, 0.8], [1.002, 0], [0, 0], [1.1, 0], [np.nan, 0], [3e38, 1]])
    expected = [True, True, True, True, False, False, False]
    assert vectors.have_cosines(numbers.astype(np.float32)).tolist() == expected
