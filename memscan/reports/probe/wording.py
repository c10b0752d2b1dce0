"""What a report on memorisation says in words and numbers: the same in every format."""

from __future__ import annotations

from typing import Iterator

from memscan.evidence.rates import rate
from memscan.probes import RATE, Measured, ProbeReport
from memscan.reports.names import inert
from memscan.reports.wording import number

HEADING = "Memorisation by probe"

CAVEAT = (
    "This is evidence from the model's own behaviour: no training image was looked at. It is no "
    "verdict that an image was copied."
)

TITLES = {
    "iip": "Inversion-based inference perturbation",
    "tcnp": "The magnitude of the text-conditional noise prediction (Wen et al., 2024)",
    "loss": "The denoising loss",
}
"""The long names of methods."""

MEANINGS = {
    "iip": (
        "The image is inverted into the model without a prompt, a prompt is made that the model "
        "does not remember, and the image is made again with it. D is how far the result is from "
        "the image, E the magnitude of the prompt's part in the predicted noise; S, the score, is "
        "their weighted sum, each measured in standard deviations of the reference."
    ),
    "tcnp": "How much a prompt changes the noise that the model predicts.",
    "loss": (
        "How well the model predicts noise that was added to the image. The score rises as the "
        "loss falls."
    ),
}
"""What methods measure."""


def captions(report: ProbeReport) -> str:
    """Which prompts the method tcnp was given."""
    if report.captioned:
        return "It was given the images' own prompts."
    return (
        "It was given prompts that are not the images' own, so it sees less than it could: "
        "--captions gives it theirs."
    )


def verdict(measured: Measured) -> str:
    """In two words, and never that an image is not remembered: that cannot be seen."""
    return "memorised" if measured.memorised else "no sign"


def figure(value: float | None) -> str:
    """Four digits; "none" for what there is not."""
    return "none" if value is None else f"{value:.4g}"


def p_value(value: float) -> str:
    """Two digits are more than the reference is good for."""
    return f"{value:.2g}"


def headline(report: ProbeReport) -> str:
    """How many targets the leading method calls memorised, in one sentence."""
    total = len(report.probes)
    if not total:
        return "No image could be probed."
    leading = report.methods[0]
    count = memorised(report, leading)
    images = "image" if total == 1 else "images"
    if report.thresholds[leading] is None:
        return f"The reference is too small to call any of {number(total)} {images} memorised."
    if not count:
        return f"No sign of memorisation that {leading} can see, in {number(total)} {images}."
    verb = "looks" if count == 1 else "look"
    return f"{number(count)} of {number(total)} {images} {verb} memorised, by {leading}."


def memorised(report: ProbeReport, method: str) -> int:
    """The number of targets that a method calls memorised."""
    return sum(probe.methods[method].memorised for probe in report.probes)


def memorised_count(report: ProbeReport, method: str) -> str:
    """The same in words; "none" where the reference is too small to call any so."""
    return "none" if report.thresholds[method] is None else number(memorised(report, method))


def memorised_share(report: ProbeReport, method: str) -> str:
    """The same with its share and the interval of that, where there are any."""
    if report.thresholds[method] is None or not report.probes:
        return memorised_count(report, method)
    found = rate(memorised(report, method), len(report.probes))
    return (
        f"{number(found.count)} ({found.share:.1%}, 95% interval {found.low:.1%} to "
        f"{found.high:.1%})"
    )


def remarks(report: ProbeReport) -> Iterator[str]:
    """What the headline must not be read without, a sentence each."""
    if report.probes and any(limit is not None for limit in report.thresholds.values()):
        total, expected = len(report.probes), round(RATE * len(report.probes))
        here = f": about {number(expected)} of {number(total)}" if expected else ""
        yield (
            f"At these thresholds {RATE:.0%} of the images that the model does not remember are "
            f"called memorised as well{here}."
        )
    together = _agreement(report)
    if together is not None:
        yield together
    lost = len(report.failures)
    if lost:
        yield (
            f"{number(lost)} {'path' if lost == 1 else 'paths'} could not be read or probed: "
            f"{'it says' if lost == 1 else 'they say'} nothing."
        )
    yield from map(inert, report.warnings)


def _agreement(report: ProbeReport) -> str | None:
    """How far the methods agree, if there are several and any of them accuses."""
    if len(report.methods) < 2:
        return None
    votes = [sum(one.memorised for one in probe.methods.values()) for probe in report.probes]
    some, every = sum(map(bool, votes)), votes.count(len(report.methods))
    if not some:
        return None
    images = "image is" if some == 1 else "images are"
    return f"{number(some)} {images} called memorised by some method, {number(every)} by all."
