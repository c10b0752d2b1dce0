from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memscan.errors import InputError
from memscan.records import Thresholds, Verdict
from memscan.report import CurvePoint
from memscan.reports.read_back import read
from tests.reports.documents import document


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.json"


def test_what_is_drawn_is_read(path: Path) -> None:
    path.write_text(json.dumps(document()))
    audit = read(str(path))
    assert audit.thresholds == Thresholds(5, 10)
    assert {bits: count for bits, count in enumerate(audit.distances) if count} == dict.fromkeys(
        (0, 4, 8, 22), 1
    )
    assert audit.verdicts == {
        Verdict.IDENTICAL: 1,
        Verdict.NEAR_DUPLICATE: 1,
        Verdict.DISTINCT: 2,
    }
    assert (audit.targets, audit.copies, audit.has_chance_model) == (4, (2, 4), True)
    assert audit.curve == (
        CurvePoint(0, 1, 0.002),
        CurvePoint(2, 0, 0.01),
        CurvePoint(30, 400, 390.5),
    )


def test_a_rate_and_a_curve_may_be_absent_in_so_many_words(path: Path) -> None:
    fields = document()
    fields["curve"], fields["summary"]["rate"] = [], None
    path.write_text(json.dumps(fields))
    audit = read(str(path))
    assert (audit.copies, audit.curve, audit.has_chance_model) == (None, (), False)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])  # as a Windows shell writes
def test_other_encodings_of_json_are_read(path: Path, encoding: str) -> None:
    path.write_text(json.dumps(document()), encoding=encoding)
    assert read(str(path)).targets == 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no JSON",
        b'{"type": "finding"}\n{"type": "summary"}\n',
        b"\x89PNG\r\n\x1a\n\xff\xfe",
        b"[" * 100_000,
        b'{"findings": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_document_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"audit\.json: it .*; 'memscan detect --format json' of"):
        read(str(path))


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for missing in (tmp_path, tmp_path / "missing.json"):
        with pytest.raises(InputError, match=r": cannot be read: "):
            read(str(missing))


Change = Callable[[Any], object]

CHANGES: list[tuple[Change, str]] = [
    (lambda d: d.pop("findings"), "it is not the JSON document of a scan"),
    (lambda d: d.pop("schema_version"), "it lacks schema_version"),
    (lambda d: d.update(schema_version=2), "its schema_version is not 1"),
    (lambda d: d.update(schema_version=True), "its schema_version is not 1"),
    (lambda d: d.pop("tool"), "it lacks tool"),
    (lambda d: d["tool"].pop("thresholds"), r"it lacks tool\.thresholds"),
    (lambda d: d["tool"]["thresholds"].pop("near"), r"it lacks tool\.thresholds\.near"),
    (lambda d: d["tool"]["thresholds"].update(near="5"), r"tool\.thresholds\.near is not a whole"),
    (lambda d: d.update(tool=[]), r"it lacks tool\.thresholds"),
    (lambda d: d.update(findings={}), "findings is not a list"),
    (lambda d: d.update(findings=[]), "it has no findings"),
    (lambda d: d.update(findings=[1]), r"it lacks findings\[\]\.distance"),
    (lambda d: d["findings"][0].pop("distance"), r"it lacks findings\[\]\.distance"),
    (lambda d: d["findings"][0].update(distance=257), r"findings\[\]\.distance is not a whole"),
    (lambda d: d["findings"][0].update(distance=-1), r"findings\[\]\.distance is not a whole"),
    (lambda d: d["findings"][0].update(distance=True), r"findings\[\]\.distance is not a whole"),
    (lambda d: d["findings"][0].update(distance=1.0), r"findings\[\]\.distance is not a whole"),
    (lambda d: d["findings"][0].update(verdict="Other"), r"findings\[\]\.verdict is not a verdict"),
    (lambda d: d["findings"][0].update(verdict=[]), r"findings\[\]\.verdict is not a verdict"),
    (lambda d: d["findings"][0].pop("verdict"), r"it lacks findings\[\]\.verdict"),
    (lambda d: d.pop("curve"), "it lacks curve"),
    (lambda d: d.update(curve=None), "curve is not a list"),
    (lambda d: d["curve"][0].pop("expected"), r"it lacks curve\[\]\.expected"),
    (lambda d: d["curve"][0].update(expected=float("nan")), r"curve\[\]\.expected is not a number"),
    (lambda d: d["curve"][0].update(expected=float("inf")), r"curve\[\]\.expected is not a number"),
    (lambda d: d["curve"][0].update(expected=10**400), r"curve\[\]\.expected is not a number"),
    (lambda d: d["curve"][0].update(expected=-1.0), r"curve\[\]\.expected is not a number"),
    (lambda d: d["curve"][0].update(expected=None), r"curve\[\]\.expected is not a number"),
    (lambda d: d["curve"][0].update(observed=1.5), r"curve\[\]\.observed is not a whole"),
    (lambda d: d["curve"][0].update(distance=258), r"curve\[\]\.distance is not a whole"),
    (lambda d: d.pop("summary"), "it lacks summary"),
    (lambda d: d["summary"].pop("rate"), r"it lacks summary\.rate"),
    (lambda d: d["summary"]["rate"].pop("total"), r"it lacks summary\.rate\.total"),
    (lambda d: d["summary"]["rate"].update(count=5), r"summary\.rate is not a share"),
    (lambda d: d["summary"]["rate"].update(count=0, total=0), r"summary\.rate is not a share"),
]


@pytest.mark.parametrize(("change", "sentence"), CHANGES)
def test_what_is_missing_or_wrong_is_named(path: Path, change: Change, sentence: str) -> None:
    fields = document()
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=rf"audit\.json: {sentence}.*memscan detect --format json"):
        read(str(path))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=4,
)
PLACES = st.sampled_from(
    [
        *(("schema_version",), ("tool",), ("findings",), ("curve",), ("summary",)),
        *(("tool", "thresholds"), ("tool", "thresholds", "near"), ("summary", "rate")),
        *(("findings", 0), ("findings", 0, "verdict"), ("findings", 0, "distance")),
        *(("curve", 0), ("curve", 0, "expected"), ("curve", 0, "observed")),
        ("summary", "rate", "count"),
    ]
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=PLACES, value=JSON)
def test_whatever_stands_anywhere_is_read_or_refused(
    path: Path, place: tuple[Any, ...], value: Any
) -> None:
    fields = document()
    parent: Any = fields
    for step in place[:-1]:
        parent = parent[step]
    parent[place[-1]] = value
    path.write_text(json.dumps(fields))
    with contextlib.suppress(InputError):
        assert read(str(path)).targets > 0
