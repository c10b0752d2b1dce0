"""Experiments of several seeds, each in a process of its own, and what they say together."""

from __future__ import annotations

import contextlib
import dataclasses
import queue
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Sequence

from memscan import engines
from memscan.crew import Crew, WorkerError, serve_with_news
from memscan.errors import InputError
from memscan.evaluation import edits, probes
from memscan.evaluation.digits import experiment
from memscan.evaluation.digits.checkpoint import Checkpoint
from memscan.evaluation.digits.experiment import Outcome
from memscan.evaluation.digits.plan import Plan
from memscan.evaluation.edits import AS_IS
from memscan.memorisation import Experiment, Trial
from memscan.records import Progress

_PARTS = {"training": (0.0, 0.7), "measuring": (0.7, 1.0)}
"""From which to which share of the time of a seed its phases last."""

_UNITS = 1000
"""What the work on a seed is counted in."""


def run(
    plan: Plan,
    seeds: Sequence[int],
    *,
    device: str = "auto",
    jobs: int | None = None,
    checkpoint: str | None = None,
    progress: Progress | None = None,
) -> Experiment:
    """Train and measure a model for each seed; the number of processes changes no figure.

    ``jobs`` is their number, by default one for each core. Seeds that are finished are kept in the
    file ``checkpoint``, and not run again; whoever has written the result removes it. Raises
    InputError, OutputError.
    """
    kept = Checkpoint(checkpoint, plan)
    outcomes = kept.read()
    left = [seed for seed in seeds if seed not in outcomes]
    done = {seed: _UNITS if seed in outcomes else 0 for seed in seeds}
    news: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        if left:
            size = min(len(left), jobs or engines.available_cores())
            threads = stack.enter_context(ThreadPoolExecutor(size))
            crew = stack.enter_context(Crew(size, __name__, answer_requests.__name__))
            for seed in left:
                threads.submit(_ask, crew, plan, seed, device, news)
        while left:
            seed, kind, value = news.get()
            if kind == "failed":
                raise value
            if kind == "outcome":
                outcomes[seed] = value
                kept.write(outcomes)
                left.remove(seed)
            done[seed] = _UNITS if kind == "outcome" else value
            if progress is not None:
                progress("experiments", sum(done.values()), _UNITS * len(done))
    return together(plan, [outcomes[seed] for seed in seeds])


def together(plan: Plan, outcomes: Sequence[Outcome]) -> Experiment:
    """All seeds in one account. Scores are in deviations of each seed's own reference images."""
    remembered = [
        place < outcome.memorised
        for outcome in outcomes
        for place in range(outcome.memorised + plan.others)
    ]
    contests = {}
    for name in plan.edits:
        methods = outcomes[0].scores[name]
        pooled = {
            method: [score for outcome in outcomes for score in outcome.scores[name][method]]
            for method in methods
        }
        contests[name] = probes.contest(pooled, remembered)
    return Experiment(
        plan=plan.fields,
        trials=tuple(_trial(plan, outcome) for outcome in outcomes),
        contests=contests,
        edits={name: _described(name) for name in plan.edits},
    )


def answer_requests() -> None:
    """What the processes run."""
    from memscan.detectors import devices

    def answer(request: Any, tell: Callable[[Any], None]) -> Any:
        def progress(phase: str, done: int, total: int) -> None:
            start, end = _PARTS[phase]
            units = int(_UNITS * (start + (end - start) * done / total))
            if units > told[0]:
                told[0] = units
                tell(units)

        told = [0]
        device = devices.choose(request["device"])
        devices.use_one_thread()
        plan = Plan.of(request["plan"])
        outcome = experiment.run(plan, request["seed"], device, progress)
        return dataclasses.asdict(outcome)

    serve_with_news(answer)


def _ask(crew: Crew, plan: Plan, seed: int, device: str, news: queue.SimpleQueue[Any]) -> None:
    request = {"plan": plan.fields, "seed": seed, "device": device}
    try:
        answer = crew.ask(request, lambda units: news.put((seed, "units", units)))
        news.put((seed, "outcome", Outcome.of(answer)))
    except WorkerError:
        problem = InputError(f"the process of seed {seed} ended without an answer: run it again")
        news.put((seed, "failed", problem))
    except Exception as error:  # the caller waits for news, whatever happens here
        news.put((seed, "failed", error))


def _trial(plan: Plan, outcome: Outcome) -> Trial:
    return Trial(
        seed=outcome.seed,
        setting=outcome.setting,
        choosing=tuple(zip(plan.settings, outcome.choosing)),
        regenerated=outcome.regenerated,
        auc={
            method: experiment.auc(scores, outcome.memorised)
            for method, scores in outcome.scores[AS_IS.name].items()
        },
    )


def _described(name: str) -> str:
    return (AS_IS if name == AS_IS.name else edits.choose([name])[0]).description
