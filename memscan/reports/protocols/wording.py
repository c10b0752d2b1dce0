"""What the result of a protocol says in words and numbers: the same in every format."""

from __future__ import annotations

from typing import Iterator, Sequence

from memscan.protocols import Column, Comparison, Contest, Entry, Part
from memscan.scorecard import Estimate

_VIEWS = "phash+"  # how the names of pHash with views begin


def figure(estimate: Estimate | None, column: Column) -> str:
    """A share in percent, another number to three digits; a dash where it is not defined."""
    if estimate is None:
        return "-"
    return _number(estimate.value, column)


def interval(estimate: Estimate | None, column: Column) -> str:
    """The interval in brackets, if there is one."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return ""
    return f"[{_number(estimate.low, column)}, {_number(estimate.high, column)}]"


def threshold(value: float | None) -> str:
    """A distance to four digits; "none" for no threshold."""
    return "none" if value is None else f"{value:.4g}"


def wholes(comparison: Comparison) -> list[Part]:
    """The parts that stand for all pairs."""
    return [part for part in comparison.parts if not part.group]


def cells(comparison: Comparison) -> list[Part]:
    """The parts of a grid, those of a group together."""
    return [part for part in comparison.parts if part.group]


def sheets(comparison: Comparison) -> dict[str, list[Column]]:
    """The columns by the table that they stand in."""
    found: dict[str, list[Column]] = {}
    for column in comparison.columns:
        found.setdefault(column.sheet, []).append(column)
    return found


def shown(comparison: Comparison, columns: Sequence[Column], part: Part) -> list[Entry]:
    """The detectors that have a figure in one of these columns."""
    return [
        entry
        for entry in comparison.entries
        if any(entry.figures[part.key].get(column.key) is not None for column in columns)
    ]


def counts(part: Part) -> str:
    """How many pairs there are of each kind."""
    return ", ".join(f"{count:,} {kind}" for kind, count in part.counts.items())


def measured(comparison: Comparison) -> str:
    """What was compared, in one sentence."""
    return (
        f"Thresholds fitted on {comparison.calibration:,} images, numbers from "
        f"{comparison.reported:,} others; seed {comparison.seed}."
    )


def headline(comparison: Comparison) -> str:
    """Which detector is best in the main column, by the last part that stands for all pairs."""
    part, column = wholes(comparison)[-1], comparison.main_column
    ranked = sorted(comparison.entries, key=lambda entry: -_main(comparison, entry, part))
    best = figure(ranked[0].figures[part.key][column.key], column)
    return f"{ranked[0].name} has the greatest {column.title} of {part.title}, {best} %"


def verdicts(comparison: Comparison) -> Iterator[str]:
    """Where each model is ahead of the plain baselines, and where it is not, in sentences."""
    models = [entry.name for entry in comparison.entries if entry.origin.is_model]
    for model in models:
        own = [contest for contest in comparison.contests if contest.model == model]
        for part in wholes(comparison):
            yield from _overall(comparison, model, part, [c for c in own if c.part == part.key])
        grid = cells(comparison)
        if grid:
            yield from _by_cell(comparison, model, grid, own)


def _overall(
    comparison: Comparison, model: str, part: Part, contests: Sequence[Contest]
) -> Iterator[str]:
    column = comparison.main_column
    where = f"{column.title} of {part.title}"
    ahead = sorted(
        (contest for contest in contests if contest.difference.value < 0),
        key=lambda contest: contest.difference.value,
    )
    if ahead:
        named = ", ".join(f"{c.baseline} by {_margin(c, -1)}" for c in ahead)
        number = f"{len(ahead)} of {len(contests)}"
        yield f"{model} is behind {number} plain baselines ({where}): {named}."
    elif contests:
        closest = min(contests, key=lambda contest: contest.difference.value)
        yield (
            f"{model} is ahead of all {len(contests)} plain baselines ({where}); the closest is "
            f"{closest.baseline}, by {_margin(closest, 1)}."
        )


def _by_cell(
    comparison: Comparison, model: str, grid: Sequence[Part], contests: Sequence[Contest]
) -> Iterator[str]:
    titles = {part.key: part.title for part in grid}
    of_cells = [contest for contest in contests if contest.part in titles]
    title = comparison.main_column.title
    behind = {contest.part for contest in of_cells if _is_behind(contest)}
    beaten = [titles[key] for key in titles if key in behind]
    if of_cells:
        yield (
            f"{model}: some plain baseline is clearly ahead (by {title}, with an interval beyond "
            f"0) in {len(beaten)} of {len(grid)} edits{_listed(beaten)}."
        )
    for baseline in dict.fromkeys(c.baseline for c in of_cells if c.baseline.startswith(_VIEWS)):
        against = [contest for contest in of_cells if contest.baseline == baseline]
        won = [titles[contest.part] for contest in against if _is_ahead(contest)]
        lost = [titles[contest.part] for contest in against if _is_behind(contest)]
        even = len(against) - len(won) - len(lost)
        yield (
            f"{model} against {baseline}, of {len(against)} edits: clearly ahead in {len(won)}"
            f"{_listed(won)}, clearly behind in {len(lost)}{_listed(lost)}, neither in {even}."
        )


def _is_ahead(contest: Contest) -> bool:
    return contest.difference.low is not None and contest.difference.low > 0


def _is_behind(contest: Contest) -> bool:
    return contest.difference.high is not None and contest.difference.high < 0


def _margin(contest: Contest, sign: int) -> str:
    """A difference in points of percent with its interval, and whether it may be chance."""
    difference = contest.difference
    value = f"{100 * sign * difference.value:.1f}"
    if difference.low is None or difference.high is None:
        return value
    low, high = sorted((sign * difference.low, sign * difference.high))
    chance = "" if _is_ahead(contest) or _is_behind(contest) else ", may be chance"
    return f"{value} [{100 * low:.1f}, {100 * high:.1f}{chance}]"


def _listed(titles: Sequence[str]) -> str:
    text = ", ".join(titles)
    return f" ({text})" if text else ""


def _number(value: float, column: Column) -> str:
    return f"{100 * value:.1f}" if column.is_share else f"{value:.3f}"


def _main(comparison: Comparison, entry: Entry, part: Part) -> float:
    found = entry.figures[part.key][comparison.main]
    return -1.0 if found is None else found.value
