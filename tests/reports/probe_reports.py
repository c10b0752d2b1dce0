"""Reports on what a model remembers, as a probe of a model would give them."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Sequence

import numpy as np

from memscan.probes import METHODS, RATE, Measured, Pictures, Pixels, Probe, ProbeReport
from memscan.records import Failure, Stage
from memscan.report import Source
from tests.drawing import picture, save


def pixels(seed: int, size: tuple[int, int] = (64, 64)) -> Pixels:
    return np.asarray(picture(seed, size))


def measured(method: str, score: float, reference: Sequence[float]) -> Measured:
    p_value = (sum(one >= score for one in reference) + 1) / (len(reference) + 1)
    parts = (0.5 + score / 20, 10 + score) if method == "iip" else (None, None)
    return Measured(score, p_value, p_value <= RATE, *parts)


def report(
    count: int,
    *,
    methods: Sequence[str] = METHODS,
    references: int = 199,
    pictured: int = 0,
    folder: str = "targets",
    seed: int = 0,
) -> ProbeReport:
    """``count`` targets, of which every third stands out, the first ``pictured`` with pictures."""
    random = np.random.default_rng(seed)
    shift = {"iip": (0.0, 1.4, 6.0), "tcnp": (3.0, 0.4, 1.5), "loss": (-0.3, 0.05, 0.2)}
    scores = {
        name: tuple(round(float(one), 4) for one in random.normal(*shift[name][:2], references))
        for name in methods
    }
    probes = []
    for number in range(count):
        found = {}
        for name in methods:
            centre, spread, more = shift[name]
            score = random.normal(centre + more * (number % 3 == 0), spread)
            found[name] = measured(name, round(float(score), 4), scores[name])
        seen = None
        if number < pictured:
            seen = Pictures(*(pixels(3 * number + which) for which in range(3)))
        words = ("a", "photo", "of", "dog", "<|end|>")
        tokens = tuple(
            (word, round(float(random.gamma(1 + 3 * (word == "dog"))), 3)) for word in words
        )
        probes.append(
            Probe(
                f"{folder}/image_{number:04d}.png", found, seen, tokens if number % 2 == 0 else ()
            )
        )
    thresholds = {
        name: sorted(one)[-max(1, len(one) // 100)] if len(one) >= 99 else None
        for name, one in scores.items()
    }
    return ProbeReport(
        model="models/small",
        fingerprint="sha256:0123abcd",
        options={"steps": 50, "depth": 20, "guidance": 7.5, "own_prompts": (), "optimise": True},
        probes=tuple(probes),
        reference_scores=scores,
        thresholds=thresholds,
        captioned=True,
        targets=(Source(folder, count),),
        references=(Source("reference", references),),
        version="1.2.3",
    )


def with_files(folder: Path, count: int, pictured: int) -> ProbeReport:
    """The same with targets that are there."""
    made = report(count, pictured=pictured, folder=str(folder))
    drawn = [save(picture(seed, (96, 64)), folder / f"drawn_{seed}.png") for seed in range(6)]
    for number, probe in enumerate(made.probes):
        Path(probe.path).symlink_to(drawn[number % len(drawn)])
    return made


def with_failures(made: ProbeReport, name: str = "targets/broken.png") -> ProbeReport:
    lost = Failure(name, Stage.DECODE, "the file is empty")
    locked = Failure("reference/locked", Stage.READ, "the directory cannot be listed", True)
    return dataclasses.replace(made, target_failures=(lost,), reference_failures=(locked,))
