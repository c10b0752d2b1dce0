from __future__ import annotations

from memscan.detectors.diffusion import prompts
from memscan.probes import ProbeOptions


def test_prompts_depend_on_the_seed_alone() -> None:
    assert prompts.perturbations(6, 1) == prompts.perturbations(6, 1)
    assert prompts.perturbations(6, 1)[:3] == prompts.perturbations(3, 1)
    assert prompts.perturbations(6, 1) != prompts.perturbations(6, 2)


def test_prompts_are_different_words() -> None:
    drawn = prompts.perturbations(40, 5)
    assert len(set(drawn)) == 40
    assert all(prompt.replace(" ", "").isalpha() for prompt in drawn)


def test_own_prompts_stand_in_the_place_of_drawn_ones() -> None:
    assert prompts.chosen(ProbeOptions(own_prompts=("ata",))) == ("ata",)
    assert len(prompts.chosen(ProbeOptions(prompts=7))) == 7
