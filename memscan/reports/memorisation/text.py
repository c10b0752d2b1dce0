"""An experiment as a person reads it in a terminal."""

from __future__ import annotations

from typing import Iterator

from memscan.memorisation import ABLATION, AS_IS, Experiment
from memscan.reports.probe import methods
from memscan.reports.text import RULE
from memscan.reports.wording import number

_NAME, _CELL = 20, 10


def render(experiment: Experiment) -> str:
    """The whole experiment."""
    return "\n".join(_lines(experiment)) + "\n"


def _lines(experiment: Experiment) -> Iterator[str]:
    recipe = experiment.plan["recipe"]
    yield "Memorisation by probe, on models of digits that were made to memorise"
    yield (
        f"Each was trained on {number(recipe['memorised'])} images that stand there "
        f"{recipe['duplicates']} times, and on others that stand there once."
    )
    yield (
        "t_I and guidance of IIP were chosen by AUC on one half of the memorised images; what "
        "follows is of the other half."
    )
    yield ""
    yield from _seeds(experiment)
    yield ""
    yield "Unedited images"
    yield from methods.lines(experiment.contests[AS_IS])
    yield from _known(experiment)
    if len(experiment.contests) > 1:
        yield ""
        yield from _edits(experiment)


def _seeds(experiment: Experiment) -> Iterator[str]:
    yield (
        f"{'Seed':<6}{'t_I':>5}{'guidance':>10}{'regenerated':>13}{'AUC of iip':>12}"
        f"{'unoptimised':>13}{'loss':>8}"
    )
    yield RULE
    for trial in experiment.trials:
        own, plain, loss = (100 * trial.auc[name] for name in ("iip", ABLATION, "loss"))
        yield (
            f"{trial.seed:<6}{trial.setting.depth:>5}{trial.setting.guidance:>10g}"
            f"{100 * trial.regenerated:>11.0f} %{own:>12.1f}{plain:>13.1f}{loss:>8.1f}"
        )
    yield "Regenerated: memorised images that the model draws when it is given their captions."


def _known(experiment: Experiment) -> Iterator[str]:
    yield (
        "Those with captions are given the captions of the training, which whoever has only an "
        "image does not know; nearest and phash search "
        f"{number(experiment.plan['samples'])} samples of the model."
    )


def _edits(experiment: Experiment) -> Iterator[str]:
    for title, field in (("AUC", "auc"), (methods.RECALL, "recall")):
        yield f"{title} with edited images"
        yield RULE
        yield f"{'':{_NAME}}" + "".join(f"{name:>{_CELL}}" for name in experiment.contests)
        for method in experiment.contests[AS_IS].qualities:
            found = (
                getattr(contest.qualities[method], field)
                for contest in experiment.contests.values()
            )
            cells = "".join(f"{methods.value(one):>{_CELL}}" for one in found)
            yield f"{method:{_NAME}}{cells}"
        yield ""
    for name, description in experiment.edits.items():
        yield f"{name}: {description}"
