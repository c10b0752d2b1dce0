from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memscan.errors import InputError, OutputError
from memscan.fingerprints import fingerprint as files
from memscan.fingerprints.fingerprint import MADE, Fingerprint
from memscan.fingerprints.residuals import NAMES
from tests.fingerprints.making import fingerprint, weights


def same(one: Fingerprint, other: Fingerprint) -> bool:
    plain = [
        {**dataclasses.asdict(each), "pattern": each.pattern.tobytes(), "weights": None}
        for each in (one, other)
    ]
    arrays = [{name: v.tobytes() for name, v in each.weights.items()} for each in (one, other)]
    return plain[0] == plain[1] and arrays[0] == arrays[1]


finite = st.floats(-1, 1)


@settings(max_examples=50, deadline=None)
@given(
    name=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable()),
    side=st.sampled_from((8, 13, 64)),
    seed=st.integers(0, 1 << 30),
    residual=st.sampled_from(NAMES),
    means=st.tuples(finite, finite),
    made=st.sampled_from(MADE),
    training=st.dictionaries(st.text(max_size=5), st.integers() | st.booleans() | finite),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    side: int,
    seed: int,
    residual: str,
    means: tuple[float, float],
    made: str,
    training: dict[str, Any],
) -> None:
    path = str(tmp_path_factory.getbasetemp() / "round.dif.npz")
    written = fingerprint(
        side,
        seed,
        name=name,
        residual=residual,
        mean_real=means[0],
        mean_fake=means[1],
        made=made,
        training=training,
        weights=weights() if residual == "denoiser" else {},
    )
    files.write(path, written)
    found = files.read(path)
    assert same(found, written)
    assert found.side == side


def test_equal_fingerprints_are_equal_files_that_numpy_reads(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.dif.npz", "two.dif.npz")]
    made = fingerprint(residual="denoiser", weights=weights(), training={"b": 1, "a": 2})
    again = fingerprint(
        residual="denoiser",
        weights=dict(reversed(list(weights().items()))),
        training={"a": 2, "b": 1},
    )
    files.write(str(paths[0]), made)
    files.write(str(paths[1]), again)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with np.load(paths[0], allow_pickle=False) as archive:
        assert np.array_equal(archive["pattern"], made.pattern)
        assert json.loads(str(archive["about"]))["name"] == "A"


def test_a_file_that_cannot_be_written_or_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        files.write(str(tmp_path / "no/a.dif.npz"), fingerprint())
    with pytest.raises(InputError, match=r"no\.dif\.npz: cannot be read: No such file"):
        files.read(str(tmp_path / "no.dif.npz"))


def test_no_cut_and_no_flipped_byte_is_more_than_a_sentence(tmp_path: Path) -> None:
    """A file that was cut is none; one with another byte is none, or one that passes the check."""
    path = tmp_path / "a.dif.npz"
    files.write(str(path), fingerprint(8, residual="denoiser", weights=weights((1, 3))))
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for length in [*range(0, 200, 7), *rng.integers(0, len(content), 100).tolist()]:
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"is no fingerprint"):
            files.read(str(path))
    for place in rng.integers(0, len(content), 600).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        with contextlib.suppress(InputError):
            files.check(files.read(str(path)))


def npy(array: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def about(**changes: Any) -> bytes:
    """The document of a good fingerprint, with changes; those of None are left out."""
    fields = dataclasses.asdict(fingerprint(8))
    del fields["pattern"], fields["weights"]
    document = {"format": 1, **fields, **changes}
    return npy(np.array(json.dumps({k: v for k, v in document.items() if v is not None})))


def claims(shape: tuple[int, ...]) -> bytes:
    """An array of a few bytes whose header claims a shape."""
    good = npy(np.zeros((8, 8, 3), np.float32))
    told = good.replace(b"(8, 8, 3)", str(shape).encode())
    return told[: len(good)]


def headed(text: str, values: bytes = b"") -> bytes:
    """An array that has this header."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + values


PATTERN = npy(fingerprint(8).pattern)
WEIGHTS = {f"weights/{name}.npy": npy(value) for name, value in weights((1, 3)).items()}


def nan() -> bytes:
    values = fingerprint(8).pattern.copy()
    values[0, 0, 0] = np.nan
    return npy(values)


BROKEN: dict[str, tuple[dict[str, bytes], str]] = {
    "a pickled pattern": ({"pattern.npy": npy(np.array([{}, 1]))}, "holds a pickle"),
    "a pickled document": ({"about.npy": npy(np.array([{}]))}, "holds a pickle"),
    "no array": ({"pattern.npy": b"pattern"}, "magic"),
    "an old pattern": ({"pattern.npy": b"\x93NUMPY\x02\x00" + PATTERN[8:]}, "another version"),
    "another shape": ({"pattern.npy": npy(np.ones((8, 8), np.float32))}, "three channels"),
    "four channels": ({"pattern.npy": npy(np.ones((8, 8, 4), np.float32))}, "three channels"),
    "no square": ({"pattern.npy": npy(np.ones((8, 16, 3), np.float32))}, "no square"),
    "too small": ({"pattern.npy": npy(np.ones((4, 4, 3), np.float32))}, "no square of 8"),
    "double precision": ({"pattern.npy": npy(np.ones((8, 8, 3)))}, "no float32"),
    "one value": ({"pattern.npy": npy(np.ones((8, 8, 3), np.float32))}, "holds nothing"),
    "not a number": ({"pattern.npy": nan()}, "holds nothing"),
    "half a header": ({"pattern.npy": headed("{'descr': (")}, "a damaged one"),
    "an indented header": ({"pattern.npy": headed("{'a': 1\n   }\n  b\n c\n")}, "a damaged one"),
    "a deep header": ({"pattern.npy": headed("-" * 9000 + "1")}, ""),
    "no text": (
        {"about.npy": headed("{'descr': '<U1', 'fortran_order': False, 'shape': ()}", b"\xff" * 4)},
        "",
    ),
    "a claim": ({"pattern.npy": claims((9**9, 9**9, 9**9))}, "another size than it says"),
    "a negative claim": ({"pattern.npy": claims((-8, -8, 3))}, ""),
    "a stranger": ({"more.npy": PATTERN}, "must hold"),
    "a path": ({"../a.npy": PATTERN}, "must hold"),
    "no document": ({"about.npy": npy(np.array("[1]"))}, "another one"),
    "no JSON": ({"about.npy": npy(np.array("{"))}, ""),
    "deep JSON": ({"about.npy": npy(np.array("[" * 100_000))}, ""),
    "another format": ({"about.npy": about(format=2)}, "format is another"),
    "no name": ({"about.npy": about(name=None)}, "name"),
    "a field more": ({"about.npy": about(more=1)}, "more"),
    "a number for a name": ({"about.npy": about(name=1)}, "wrong types"),
    "an empty name": ({"about.npy": about(name="")}, "1 to 255 characters"),
    "an endless name": ({"about.npy": about(name="n" * 256)}, "1 to 255 characters"),
    "no mean": ({"about.npy": about(mean_real="0")}, "no correlations"),
    "NaN for a mean": ({"about.npy": about(mean_fake=float("nan"))}, "no correlations"),
    "a mean beyond 1": ({"about.npy": about(mean_fake=1e308)}, "no correlations"),
    "another residual": ({"about.npy": about(residual="median")}, "residual is none of"),
    "a list for a residual": ({"about.npy": about(residual=[])}, "residual is none of"),
    "another origin": ({"about.npy": about(made="by hand")}, "none of the ways"),
    "weights for nothing": (WEIGHTS, "does not take"),
    "no weights": ({"about.npy": about(residual="denoiser")}, "2 to 32 layers"),
    "pickled weights": (
        {"about.npy": about(residual="denoiser"), **WEIGHTS,
         "weights/0.bias.npy": npy(np.array([None]))},
        "holds a pickle",
    ),
    "weights of another shape": (
        {"about.npy": about(residual="denoiser"), **WEIGHTS,
         "weights/1.weight.npy": npy(np.ones((3, 2, 3, 3), np.float32))},
        "another shape",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_no_fingerprint_is_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    members, told = BROKEN[what]
    path = tmp_path / "a.dif.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"pattern.npy": PATTERN, "about.npy": about(), **members}.items():
            archive.writestr(name, content)
    with pytest.raises(InputError) as caught:
        files.read(str(path))
    assert str(caught.value).startswith(f"{path}: is no fingerprint that memscan train dif wrote")
    assert told in str(caught.value)


def test_the_same_members_unbroken_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.dif.npz"
    members = {"pattern.npy": PATTERN, "about.npy": about(residual="denoiser"), **WEIGHTS}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert files.read(str(path)).residual == "denoiser"


def bomb(path: Path) -> None:
    """Few bytes that would become 300 megabytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", about(), zipfile.ZIP_STORED)
        with archive.open("pattern.npy", "w") as member:
            for _ in range(300):
                member.write(bytes(1 << 20))


def twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pattern.npy", PATTERN)
        archive.writestr("about.npy", about())
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("pattern.npy", PATTERN)


def many(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("pattern.npy", "about.npy", *(f"weights/{n}.npy" for n in range(99))):
            archive.writestr(name, PATTERN if name == "pattern.npy" else about())


@pytest.mark.parametrize(
    ("make", "told"), [(bomb, "is compressed"), (twice, "must hold"), (many, "must hold")]
)
def test_an_archive_that_takes_too_much_is_refused(
    tmp_path: Path, make: Callable[[Path], None], told: str
) -> None:
    path = tmp_path / "a.dif.npz"
    make(path)
    with pytest.raises(InputError, match=told):
        files.read(str(path))


def test_too_large_a_pattern_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.dif.npz"
    files.write(str(path), fingerprint(32))
    assert files.read(str(path)).side == 32
    monkeypatch.setattr(files, "MOST_SIDE", 8)
    with pytest.raises(InputError, match="larger than any fingerprint"):
        files.read(str(path))


def test_what_is_no_number_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        files.write(str(tmp_path / "a.dif.npz"), fingerprint(mean_real=float("nan")))
    assert os.listdir(tmp_path) == []
