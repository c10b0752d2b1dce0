"""How a scan was made, so that it can be made again."""

from __future__ import annotations

import shlex
from typing import Iterator

from memscan import decode, encoders
from memscan.report import Report
from memscan.reports import learned
from memscan.sources.stores import shown

MAX_WORDS = 200
"""Of a command line that is worth showing."""


def command(report: Report) -> str | None:
    """The command line of the scan; None if it is long or a name cannot be typed as it is shown."""
    words = list(map(shown, _words(report)))
    typable = len(words) <= MAX_WORDS and all(word.isprintable() for word in words)
    return shlex.join(words) if typable else None


def facts(report: Report) -> Iterator[tuple[str, str]]:
    """What was used and asked for, as pairs of a name and a value."""
    options = report.options
    yield "memscan", report.version
    yield "encoder", report.encoder
    yield "libraries", ", ".join(f"{name} {text}" for name, text in report.libraries.items())
    if report.detector is None:
        yield (
            "thresholds",
            (
                f"near-duplicate up to {report.thresholds.near} bits, "
                f"review up to {report.thresholds.distinct} bits"
            ),
        )
    for role, network in learned.networks(report):
        yield role, learned.title(network)
        yield f"cuts of {network.kind}", learned.cuts(network)
        yield f"calibration of {network.kind}", learned.calibration(network)
    yield "searched", "at every depth" if options.recursive else "the directories themselves"
    yield "links to directories", "entered" if options.follow_symlinks else "not entered"
    yield "target that is a source", "left out" if options.exclude_self else "compared"
    if report.detector is None:
        yield "hash", options.hash
    yield "views compared", options.views
    yield "matches listed", str(options.top_k)
    limit = decode.MAX_PIXELS if options.max_pixels is None else options.max_pixels
    yield "largest image", f"{limit:,} pixels"
    yield "decoding of sources", "reduced first, exact where close" if options.fast else "exact"
    for pattern in options.exclude:
        yield "excluded", pattern
    if options.baseline is not None:
        yield "baseline", options.baseline


def _words(report: Report) -> Iterator[str]:
    options, usual = report.options, encoders.choose(report.options.hash).thresholds
    chosen = usual if report.detector else report.thresholds
    yield from ("memscan", "detect")
    for target in report.targets:
        yield from ("--target", target)
    for source in report.sources:
        is_list = source.path in options.files_from
        yield from ("--files-from" if is_list else "--source", source.path)
    if options.nul:
        yield "-0"
    if report.holdout:
        for source in report.holdout.sources:
            yield from ("--holdout", source.path)
    for pattern in options.exclude:
        yield from ("--exclude", pattern)
    for name, wanted in (
        ("--recursive", options.recursive),
        ("--follow-symlinks", options.follow_symlinks),
        ("--exclude-self", options.exclude_self),
        ("--fast", options.fast),
        ("--trust-weights", options.trust_weights),
    ):
        if wanted:
            yield name
    for path in options.weights:
        yield from ("--weights", path)
    for name, value, default in (
        ("--hash", options.hash, "phash"),
        ("--detector", options.detector, None),
        ("--verify", options.verify, None),
        ("--near-threshold", chosen.near, usual.near),
        ("--distinct-threshold", chosen.distinct, usual.distinct),
        ("--views", options.views, "plain"),
        ("--top-k", options.top_k, 1),
        ("--max-pixels", options.max_pixels, decode.MAX_PIXELS),
        ("--baseline", options.baseline, None),
        ("--hash-column", options.hash_column, None),
    ):
        if value is not None and value != default:
            yield from (name, str(value))
