from __future__ import annotations

import io
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Mapping

import pytest

from memscan.errors import InputError, ReadError
from memscan.records import Failure, Stage
from memscan.sources.containers import Limits, read_members, read_one, read_some
from tests.sources.archives import png

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    pq = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")

IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
ROWS: list[dict[str, Any] | None] = [{"bytes": png(n), "path": f"{n}.png"} for n in range(40)]
GOOD = [png(n) for n in range(40)]
LIMITS = Limits(member_bytes=1 << 20, members=10_000, free_bytes=8 << 20)


def images(rows: list[dict[str, Any] | None], kind: Any = IMAGE) -> Any:
    return pa.array(rows, type=kind)


def parquet(columns: Mapping[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), file, **options)
    return file.getvalue()


def read(path: Path, limits: Limits = LIMITS) -> dict[str, bytes | str]:
    """By column and row, or the file's own path."""
    found = {}
    for uri, content in read_members(str(path), limits):
        if isinstance(content, Failure):
            assert (content.path, content.stage) == (uri, Stage.READ)
            assert "\n" not in content.message
        name = uri.replace("parquet://", "").replace(f"::{path}", "")
        assert name not in found
        found[name] = content.message if isinstance(content, Failure) else content
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "part.parquet"


LAYOUTS: dict[str, Callable[[], Any]] = {
    "struct": lambda: images(ROWS),
    "struct the other way round": lambda: images(
        ROWS, pa.struct([("path", pa.string()), ("bytes", pa.binary())])
    ),
    "struct of large values": lambda: images(
        ROWS, pa.struct([("bytes", pa.large_binary()), ("path", pa.large_string())])
    ),
    "binary": lambda: pa.array(GOOD),
    "large binary": lambda: pa.array(GOOD, pa.large_binary()),
    "chunks": lambda: pa.chunked_array([GOOD[:7], GOOD[7:]]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("options", [{}, {"row_group_size": 7}, {"compression": "zstd"}])
def test_every_layout(layout: str, options: dict[str, Any], path: Path) -> None:
    path.write_bytes(parquet({"label": range(40), "im.age": LAYOUTS[layout]()}, **options))
    found = read(path)
    assert found == {f"im.age/{row}": GOOD[row] for row in range(40)}
    assert list(found) == [f"im.age/{row}" for row in range(40)]
    uris = [f"parquet://im.age/{row}::{path}" for row in (39, 0, 8, 8, 21)]
    assert dict(read_some(uris)) == {uri: GOOD[row] for uri, row in zip(uris, (39, 0, 8, 8, 21))}
    assert read_one(uris[0]) == GOOD[39]


def test_all_image_columns_are_read_row_by_row(path: Path) -> None:
    audio = images([{"bytes": b"RIFF....WAVE", "path": "a.wav"}] * 2)
    path.write_bytes(
        parquet(
            {
                "b": pa.array(GOOD[:2]),
                "audio": audio,
                "embedding": pa.array([b"\0" * 64, b"\1" * 64]),
                "a": images(ROWS[2:4]),
                "none": pa.array([None, None], pa.binary()),
            }
        )
    )
    found = read(path)
    assert list(found) == ["b/0", "a/0", "b/1", "a/1"]
    assert list(found.values()) == [GOOD[0], GOOD[2], GOOD[1], GOOD[3]]


def test_rows_without_an_image_say_so(path: Path) -> None:
    rows = [
        None,
        {"bytes": None, "path": "https://example.org/a.png"},
        {"bytes": None, "path": None},
        {"bytes": b"", "path": None},
        *ROWS[:1],
    ]
    path.write_bytes(parquet({"image": images(rows), "raw": pa.array([None, b"x", *GOOD[:3]])}))
    assert read(path) == {
        "image/0": "the row is null",
        "image/1": "the row holds no image, only the path 'https://example.org/a.png'",
        "image/2": "the row is null",
        "image/3": b"",
        "image/4": GOOD[0],
        "raw/0": "the row is null",
        "raw/1": b"x",
        **{f"raw/{row + 2}": GOOD[row] for row in range(3)},
    }
    with pytest.raises(ReadError, match="the row is null"):
        read_one(f"parquet://image/0::{path}")


def test_a_struct_column_of_nulls_is_a_column_of_failures(path: Path) -> None:
    path.write_bytes(parquet({"image": images([None] * 3)}))
    assert read(path) == {f"image/{row}": "the row is null" for row in range(3)}


def test_images_that_cannot_be_recognised_are_known_by_their_paths(path: Path) -> None:
    path.write_bytes(parquet({"image": images([{"bytes": b"?", "path": "a.heic"}])}))
    assert read(path) == {"image/0": b"?"}


@pytest.mark.parametrize(
    ("column", "described"),
    [
        (lambda: pa.array([1, 2]), "x (int64)"),
        (lambda: pa.array(["a", "b"]), "x (string)"),
        (lambda: pa.array([b"text", b"more"]), "x (binary)"),
        (lambda: pa.array([None, None], pa.binary()), "x (binary)"),
        (lambda: pa.array([[GOOD[0]], [GOOD[1]]]), "x (list<element: binary>)"),
        (lambda: pa.array([{"bytes": GOOD[0]}]), "x (struct<bytes: binary>)"),
        (
            lambda: pa.array([{"bytes": 1, "path": "a.png"}]),
            "x (struct<bytes: int64, path: string>)",
        ),
        (
            lambda: images([{"bytes": b"RIFF", "path": "a.wav"}]),
            "x (struct<bytes: binary, path: string>)",
        ),
        (lambda: pa.array([], pa.int8()), "x (int8)"),
        (lambda: pa.nulls(3), "x (null)"),
    ],
)
def test_no_column_of_images(column: Callable[[], Any], described: str, path: Path) -> None:
    path.write_bytes(parquet({"x": column()}))
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: no column of images (columns: {described})"


def test_no_columns_at_all(path: Path) -> None:
    path.write_bytes(parquet({}))
    with pytest.raises(InputError, match=r"no column of images \(columns: none\)"):
        read(path)


def test_of_two_columns_of_one_name_none_is_read(path: Path) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table([pa.array(GOOD[:1])] * 2, names=["x", "x"]), file)
    path.write_bytes(file.getvalue())
    with pytest.raises(InputError, match=r"x \(binary\), x \(binary\)"):
        read(path)


@pytest.mark.parametrize(
    "member", ["image/40", "image/-1", "image/01", "image/1e3", "image/", "image", "label/0", "x/0"]
)
def test_a_value_that_is_not_there(member: str, path: Path) -> None:
    path.write_bytes(parquet({"image": images(ROWS), "label": range(40)}))
    with pytest.raises(ReadError, match="no such member"):
        read_one(f"parquet://{member}::{path}")


def test_limits(path: Path) -> None:
    path.write_bytes(parquet({"image": pa.array([GOOD[0], GOOD[1] + bytes(2000), GOOD[2]])}))
    found = read(path, Limits(member_bytes=2000))
    assert found == {"image/0": GOOD[0], "image/1": "more than 2000 bytes", "image/2": GOOD[2]}
    assert read(path, Limits(members=2)) == {str(path): "more than 2 members"}


def test_a_bomb(path: Path) -> None:
    values = [GOOD[0], *(bytes([n]) * (1 << 20) for n in range(12))]
    path.write_bytes(parquet({"image": pa.array(values)}, use_dictionary=False))
    found = read(path, Limits(free_bytes=8 << 20, expansion=10))
    assert "decompression bomb" in str(found[str(path)])
    assert len(found) == 1
    assert len(read(path)) == 13


def test_a_missing_pyarrow_names_the_extra(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'memscan\[parquet\]'"):
        read(path)


@pytest.mark.parametrize("version", ["14.0.2", "9.0.0"])
def test_an_old_pyarrow_is_refused(
    version: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_bytes(hf())
    monkeypatch.setattr(pa, "__version__", version)
    with pytest.raises(InputError, match=f"pyarrow {version} is not safe to read files with"):
        read(path)


def test_checksums_of_pages_are_verified(path: Path) -> None:
    """One changed bit inside the last image, which nothing else would tell."""
    data = bytearray(
        parquet(
            {"image": pa.array(GOOD[:1])},
            compression="none",
            use_dictionary=False,
            write_page_checksum=True,
            write_statistics=False,
        )
    )
    path.write_bytes(data)
    assert read(path) == {"image/0": GOOD[0]}
    data[data.index(GOOD[0]) + 60] ^= 1
    path.write_bytes(data)
    assert "CRC checksum verification failed" in str(read(path)[str(path)])


def test_the_features_of_a_hugging_face_data_set_are_not_needed(path: Path) -> None:
    table = pa.table({"image": images(ROWS)})
    features = {"info": {"features": {"image": {"_type": "Image"}}}}
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(features)}), file)
    path.write_bytes(file.getvalue())
    assert list(read(path).values()) == GOOD


def hf(**options: Any) -> bytes:
    return parquet({"image": images(ROWS), "label": range(40)}, row_group_size=10, **options)


def footer_size(size: int) -> bytes:
    good = hf()
    return good[:-8] + size.to_bytes(4, "little") + b"PAR1"


BROKEN: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "mark": lambda: b"PAR1",
    "two marks": lambda: b"PAR1PAR1",
    "marks around zeros": lambda: b"PAR1" + bytes(100) + b"PAR1",
    "text": lambda: b"text\n" * 300,
    "image": lambda: GOOD[0],
    "feather": lambda: b"ARROW1\0\0" + bytes(200) + b"ARROW1",
    "encrypted": lambda: b"PARE" + hf()[4:-4] + b"PARE",
    "no footer": lambda: footer_size(0),
    "footer too large": lambda: footer_size(1 << 30),
    "footer too small": lambda: footer_size(50),
    "footer of 4 GiB": lambda: footer_size(0xFFFFFFFF),
    **{
        f"cut at {tenth} tenths": lambda tenth=tenth: hf()[: len(hf()) * tenth // 10]  # type: ignore[misc]
        for tenth in range(1, 10)
    },
    **{f"cut by {n}": lambda n=n: hf()[:-n] for n in (1, 4, 8, 100)},  # type: ignore[misc]
    **{
        f"lost {n} at the front": lambda n=n: hf()[n:]  # type: ignore[misc]
        for n in (1, 100, 5000)
    },
    **{
        f"pages of {codec} overwritten": lambda codec=codec: overwritten(hf(compression=codec))  # type: ignore[misc]
        for codec in ("none", "snappy", "gzip", "zstd")
    },
    **{
        f"{name} with a checksum": lambda fill=fill: overwritten(  # type: ignore[misc]
            hf(write_page_checksum=True, compression="none"), fill
        )
        for name, fill in (("zeros", b"\0"), ("ones", b"\xff"))
    },
}


def overwritten(data: bytes, fill: bytes = b"\xff") -> bytes:
    """The file with the pages of its first row group, and no more, spoilt."""
    return data[:4] + fill * 600 + data[604:]


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_a_failure(name: str, path: Path) -> None:
    path.write_bytes(BROKEN[name]())
    found = read(path)
    assert isinstance(found.pop(str(path)), str)
    assert set(found.values()) <= set(GOOD)
    if "pages" in name or "checksum" in name:
        assert len(found) >= 30
        assert all(found[f"image/{row}"] == GOOD[row] for row in range(10, 40))


def test_the_failure_says_which_rows_are_lost(path: Path) -> None:
    path.write_bytes(overwritten(hf()))
    message = read(path)[str(path)]
    assert str(message).startswith("rows 0 to 9 cannot be read (")


def test_a_column_of_which_nothing_can_be_read_is_broken_and_not_without_images(
    path: Path,
) -> None:
    data = parquet({"image": pa.array(GOOD[:3])}, compression="none")
    path.write_bytes(data[:4] + b"\xff" * 600 + data[604:])
    assert list(read(path)) == [str(path)]


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("seed", range(8))
def test_changed_bytes_are_no_other_exception(compression: str, seed: int, path: Path) -> None:
    """Of the pages; what pyarrow makes of a changed footer is not known to be an exception."""
    good = hf(compression=compression)
    generator = random.Random(seed)
    for _ in range(10):
        data = bytearray(good)
        for _ in range(generator.randrange(1, 6)):
            data[generator.randrange(4, len(good) * 3 // 4)] = generator.randrange(256)
        path.write_bytes(data)
        assert read(path)
