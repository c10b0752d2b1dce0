"""Real crops and those of small generators, made once for all tests of fingerprints."""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import pytest

pytest.importorskip("torch", reason="torch is not installed (the learned extra has it)")

from memscan.detectors.dif.making import Maker
from memscan.detectors.dif.recipe import Recipe
from memscan.fingerprints.fingerprint import SUFFIX
from tests.detectors.dif import generators
from tests.detectors.dif.generators import Sample

TRAIN, TEST = 1024, 200


@pytest.fixture(scope="session")
def real() -> Sample:
    """Crops of photographs."""
    return generators.real(TRAIN, TEST)


@pytest.fixture(scope="session")
def four_families() -> Mapping[str, Sample]:
    """What all four give; takes half a minute."""
    return generators.families(generators.FAMILIES, TRAIN, TEST)


@pytest.fixture(scope="session")
def family_fingerprints(
    tmp_path_factory: pytest.TempPathFactory, real: Sample, four_families: Mapping[str, Sample]
) -> Path:
    """A directory with the fingerprints of A, A-ft and B; takes another half a minute."""
    recipe = Recipe(crop=generators.SIDE, depth=3, base=16, epochs=11, held_out=0.05)
    folder = tmp_path_factory.mktemp("learned")
    generators.write_folder(folder / "real", real.train)
    for name in ("A", "A-ft", "B"):
        generators.write_folder(folder / name, four_families[name].train)
        given, learned = (
            [str(path) for path in sorted((folder / which).iterdir())] for which in ("real", name)
        )
        maker = Maker(recipe, device="cpu")
        maker.make(given, learned, str(folder / f"{name}{SUFFIX}"), name)
    return folder
