"""A comparison of methods on labelled images: its table, and who is ahead of whom."""

from __future__ import annotations

import dataclasses
from typing import Any, Iterator

from memscan.probes import RATE, Contest, Lead
from memscan.reports.names import inert
from memscan.reports.text import RULE
from memscan.reports.wording import number
from memscan.scorecard import Estimate

RECALL = f"TPR at {RATE:.0%} FPR"

_NAME, _FIGURE = 20, 24


def lines(contest: Contest) -> Iterator[str]:
    """The table as a terminal shows it, and the sentences below it."""
    yield f"{'Methods compared':{_NAME}}{'AUC':>{_FIGURE}}{RECALL:>{_FIGURE}}"
    yield RULE
    for name, quality in contest.qualities.items():
        both = quality.auc, quality.recall
        cells = (f"{f'{value(one)} {interval(one)}'.rstrip():>{_FIGURE}}" for one in both)
        yield f"{inert(name):{_NAME}}{''.join(cells)}"
    yield about(contest)
    yield from sentences(contest)


def about(contest: Contest) -> str:
    """What was compared, in one sentence."""
    few = f" Of so few others, {RATE:.0%} is none." if contest.others * RATE < 1 else ""
    return (
        f"In percent with 95 % intervals, from {number(contest.remembered)} memorised and "
        f"{number(contest.others)} other images and {number(contest.resamples)} bootstrap samples "
        f"of them.{few} An interval without width is no certainty: too few of the images are hard."
    )


def sentences(contest: Contest) -> Iterator[str]:
    """For each baseline whether it is as good as the method, by the interval of the difference."""
    for lead in contest.leads:
        yield (
            f"{_verdict(lead)} ({inert(lead.method)} minus {inert(lead.baseline)}: "
            f"AUC {_margin(lead.auc)}, {RECALL} {_margin(lead.recall)})."
        )


def value(estimate: Estimate) -> str:
    """A share in percent."""
    return f"{100 * estimate.value:.1f}"


def interval(estimate: Estimate) -> str:
    """Its interval in brackets, if there is one."""
    if estimate.low is None or estimate.high is None:
        return ""
    return f"[{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def fields(contest: Contest) -> dict[str, Any]:
    """The comparison as JSON holds it."""
    return {
        "remembered": contest.remembered,
        "others": contest.others,
        "resamples": contest.resamples,
        "methods": {
            inert(name): _estimates(quality) for name, quality in contest.qualities.items()
        },
        "leads": [
            {"method": inert(lead.method), "baseline": inert(lead.baseline), **_estimates(lead)}
            for lead in contest.leads
        ],
        "sentences": list(sentences(contest)),
    }


def _estimates(of: Any) -> dict[str, Any]:
    return {key: dataclasses.asdict(getattr(of, key)) for key in ("auc", "recall")}


def _verdict(lead: Lead) -> str:
    method, baseline = inert(lead.method), inert(lead.baseline)
    signs = {_sign(lead.auc), _sign(lead.recall)}
    if signs == {0}:
        return f"{baseline} is as good as {method}, as far as these images tell"
    if signs == {-1, 1}:
        return f"{baseline} and {method} are each ahead by one measure"
    ahead, behind = (method, baseline) if 1 in signs else (baseline, method)
    return f"{ahead} is ahead of {behind}" + (" by one measure" if 0 in signs else "")


def _sign(difference: Estimate) -> int:
    """1 or -1 where the interval lies on one side of 0."""
    if difference.low is not None and difference.low > 0:
        return 1
    return -1 if difference.high is not None and difference.high < 0 else 0


def _margin(difference: Estimate) -> str:
    """A difference in points of percent with its interval, and whether it may be chance."""
    points = f"{100 * difference.value:+.1f}"
    if difference.low is None or difference.high is None:
        return points
    chance = "" if _sign(difference) else ", may be chance"
    return f"{points} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}{chance}]"
