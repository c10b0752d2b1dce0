from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memscan.baseline import Accepted, Baseline
from memscan.errors import InputError
from memscan.records import Finding, Level, Match, Reason, Verdict
from memscan.verdicts import reaches

TARGET, SOURCE, OTHER = 0xF0, 0xF3, 0xF1


def finding(*supporting: tuple[int, int], reasons: tuple[Reason, ...] = ()) -> Finding:
    distance = supporting[0][1] if supporting else 30
    return Finding(
        "generated/a.png",
        TARGET,
        Verdict.NEAR_DUPLICATE if distance <= 5 else Verdict.DISTINCT,
        reasons,
        (Match("train/b.png", supporting[0][0] if supporting else 0, distance),),
        supporting=supporting,
    )


def is_accepted(found: Finding, *entries: Accepted) -> bool:
    (result,) = Baseline("b.json", entries).accept([found])
    assert reaches(result, Level.REVIEW) == (
        not result.accepted and (found.review or found.is_copy)
    )
    return result.accepted


class TestAccepting:
    def test_the_pair_as_it_was_accepted(self) -> None:
        assert is_accepted(finding((SOURCE, 2)), Accepted(SOURCE, 2, TARGET))

    def test_any_target(self) -> None:
        assert is_accepted(finding((SOURCE, 2)), Accepted(SOURCE, 2, None))

    def test_further_away_than_it_was_accepted(self) -> None:
        assert is_accepted(finding((SOURCE, 4)), Accepted(SOURCE, 2, None))

    def test_not_closer_than_it_was_accepted(self) -> None:
        assert not is_accepted(finding((SOURCE, 0)), Accepted(SOURCE, 2, None))
        assert not is_accepted(finding((SOURCE, 0)), Accepted(SOURCE, 2, TARGET))

    def test_not_another_target(self) -> None:
        assert not is_accepted(finding((SOURCE, 2)), Accepted(SOURCE, 2, TARGET ^ 1))

    def test_not_another_source(self) -> None:
        assert not is_accepted(finding((SOURCE, 2)), Accepted(OTHER, 0, None))

    def test_not_while_another_source_is_as_close(self) -> None:
        found = finding((SOURCE, 2), (OTHER, 4))
        assert not is_accepted(found, Accepted(SOURCE, 2, None))
        assert is_accepted(found, Accepted(SOURCE, 2, None), Accepted(OTHER, 2, TARGET))

    def test_a_review(self) -> None:
        found = finding((SOURCE, 8), reasons=(Reason.BORDERLINE,))
        assert is_accepted(found, Accepted(SOURCE, 8, TARGET))

    def test_low_information_for_one_target_but_never_for_any(self) -> None:
        blank = finding((SOURCE, 0), reasons=(Reason.LOW_INFORMATION,))
        assert is_accepted(blank, Accepted(SOURCE, 0, TARGET))
        assert not is_accepted(blank, Accepted(SOURCE, 0, None))

    def test_nothing_where_there_is_nothing_to_accept(self) -> None:
        assert not is_accepted(finding(), Accepted(0, 0, None))


def test_an_updated_baseline_accepts_what_it_was_made_from(tmp_path: Path) -> None:
    findings = [
        finding((SOURCE, 2), (OTHER, 4)),
        finding((OTHER, 8), reasons=(Reason.BORDERLINE,)),
        finding((SOURCE, 0), reasons=(Reason.LOW_INFORMATION,)),
        finding(),
    ]
    path = tmp_path / "accepted.json"
    first = Baseline(str(path), (Accepted(7, 0, None, "checked by hand"),))
    path.write_text(first.updated(findings).text())
    again = Baseline.read(str(path))
    assert first.entries[0] in again.entries
    assert [found.accepted for found in again.accept(findings)] == [True, True, True, False]
    assert again.updated(again.accept(findings)).entries == again.entries
    assert again.text() == path.read_text()


GOOD = {"source_hash": "00000000000000f3", "distance": 2, "target_hash": "any", "note": "x"}


def document(*entries: Any, version: Any = 1) -> str:
    return json.dumps({"baseline_version": version, "accepted": list(entries)})


def test_what_a_person_writes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    without_note = {key: value for key, value in GOOD.items() if key != "note"}
    path.write_text(document(GOOD, {**without_note, "target_hash": "00000000000000f0"}))
    assert Baseline.read(str(path)).entries == (
        Accepted(SOURCE, 2, None, "x"),
        Accepted(SOURCE, 2, TARGET),
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "not a baseline"),
        ('{"schema_version": 1}', "not a baseline"),
        (document(version=2), "version 2"),
        (document(version=True), "version True"),
        (document(version=1.0), "version 1.0"),
        (document(version="1"), "version '1'"),
        ('{"baseline_version": 1}', "must be a list"),
        (document("x"), "entry 1 must have the keys"),
        (document(GOOD, {**GOOD, "more": 1}), "entry 2 must have the keys"),
        (document({**GOOD, "distance": 65}), "distance"),
        (document({**GOOD, "distance": True}), "distance"),
        (document({**GOOD, "distance": "2"}), "distance"),
        (document({**GOOD, "source_hash": "F3"}), "source_hash"),
        (document({**GOOD, "source_hash": "any"}), "source_hash"),
        (document({**GOOD, "source_hash": 3}), "source_hash"),
        (document({**GOOD, "target_hash": "all"}), "target_hash"),
        (document({**GOOD, "target_hash": None}), "hash"),
        (document({**GOOD, "note": 1}), "note"),
    ],
)
def test_a_broken_baseline_is_refused_by_name(tmp_path: Path, text: str, what: str) -> None:
    path = tmp_path / "b.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"b\.json: ") as caught:
        Baseline.read(str(path))
    assert what in str(caught.value)
    assert len(str(caught.value)) < 400


def test_bytes_that_are_no_text_and_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_bytes(b"\xff\xfe\x00")
    for name, what in (("b.json", "not JSON"), ("c.json", "no such baseline"), (".", "regular")):
        with pytest.raises(InputError, match=what):
            Baseline.read(str(tmp_path / name))
