"""From small generators, one fine-tuned from another, to who is related to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from memscan.attribution.reading import Settings
from memscan.kinship import Kind
from memscan.lineage import tracing
from tests.detectors.dif import generators
from tests.detectors.dif.generators import Sample


def test_a_fine_tuned_generator_is_related_to_its_origin_and_to_no_other(
    tmp_path: Path, real: Sample, four_families: Mapping[str, Sample], family_fingerprints: Path
) -> None:
    generators.write_folder(tmp_path / "real", real.test)
    for name, sample in four_families.items():
        generators.write_folder(tmp_path / "images" / name, sample.test)
    report = tracing.trace(
        [str(family_fingerprints)],
        str(tmp_path / "images"),
        real=[str(tmp_path / "real")],
        settings=Settings(),
    )
    areas = {(one.fingerprint, one.model): one.areas["own"].value for one in report.cells}
    related = [(one.first, one.second) for one in report.of_kind(Kind.RELATED)]
    assert related == [("A", "A-ft")], areas
    assert len(report.relations) == 3
    assert report.warnings == ("C: images without a fingerprint",)
