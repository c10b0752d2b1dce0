"""Why the default residual is the default: what it finds of small generators, and tells apart."""

from __future__ import annotations

from typing import Mapping

import numpy as np

from memscan.detectors.dif import examples, training
from memscan.detectors.dif.examples import Residuals
from memscan.detectors.dif.making import DEFAULT_RESIDUAL
from memscan.detectors.dif.measuring import measure
from memscan.detectors.dif.recipe import Recipe
from memscan.fingerprints.residuals import RESIDUALS
from tests.detectors.dif.generators import FAMILIES, Sample

TRIMMED = Recipe(crop=64, depth=3, base=16, epochs=20, learning_rate=2e-3)


def test_own_images_are_told_strangers_are_not_and_descendants_are(
    real: Sample, four_families: Mapping[str, Sample]
) -> None:
    """Accuracies by the nearest mean, on crops from regions that were not learned from."""
    residual = RESIDUALS[DEFAULT_RESIDUAL]
    found = {
        name: [examples.residuals(crops, residual) for crops in (sample.train, sample.test)]
        for name, sample in {"real": real, **four_families}.items()
    }
    accuracy = {}
    for own in FAMILIES:
        given = Residuals(found["real"][0], found[own][0])
        held_out = {name: Residuals(found["real"][1], found[name][1]) for name in FAMILIES}
        learned = training.learn(given, held_out[own], TRIMMED, device="cpu")
        for name, rows in held_out.items():
            worth = measure(learned.pattern, learned.mean_real, learned.mean_fake, rows)
            accuracy[own, name] = (worth.real.share + worth.fake.share) / 2
    for own in FAMILIES:
        assert accuracy[own, own] >= 0.95, accuracy
    kin = [("A", "A-ft"), ("A-ft", "A")]
    strangers = [pair for pair in accuracy if pair[0] != pair[1] and pair not in kin]
    assert min(accuracy[pair] for pair in kin) > 0.8, accuracy
    assert np.mean([accuracy[pair] for pair in strangers]) < 0.65, accuracy
    for own, other in strangers:  # chance likeness in one direction is met, in both it is not
        assert min(accuracy[own, other], accuracy[other, own]) < 0.75, accuracy
