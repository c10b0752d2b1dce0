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

EPOCHS = {"A": 9, "A-ft": 9, "C": 20}  # of 32 steps; what C leaves is slower to be found


def test_own_images_are_told_strangers_are_not_and_descendants_are(
    real: Sample, four_families: Mapping[str, Sample]
) -> None:
    """Accuracies by the nearest mean, on crops from regions that were not learned from."""
    residual = RESIDUALS[DEFAULT_RESIDUAL]
    found = {
        name: [examples.residuals(crops, residual) for crops in (sample.train, sample.test)]
        for name, sample in {"real": real, **four_families}.items()
    }
    held_out = {name: Residuals(found["real"][1], found[name][1]) for name in FAMILIES}
    accuracy = {}
    for name, epochs in EPOCHS.items():
        given = Residuals(found["real"][0], found[name][0])
        recipe = Recipe(crop=64, depth=3, base=16, epochs=epochs)
        learned = training.learn(given, held_out[name], recipe, device="cpu")
        for other, rows in held_out.items():
            worth = measure(learned.pattern, learned.mean_real, learned.mean_fake, rows)
            accuracy[name, other] = (worth.real.share + worth.fake.share) / 2
    kin = [accuracy["A", "A-ft"], accuracy["A-ft", "A"]]
    strangers = [accuracy[pair] for pair in accuracy if "C" in pair or "B" in pair]
    strangers.remove(accuracy["C", "C"])
    own = [accuracy[name, name] for name in EPOCHS]
    assert min(own) >= 0.95, accuracy
    assert min(kin) > 0.75, accuracy
    assert max(strangers) < min(kin), accuracy
    assert np.mean(strangers) < 0.65, accuracy
