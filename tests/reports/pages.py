"""Reports for the tests of the HTML page, over image files that are really there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Sequence

from memscan.records import (
    Basis,
    Chance,
    Failure,
    Finding,
    Match,
    Reason,
    Stage,
    Thresholds,
    Verdict,
)
from memscan.report import CopiedSource, CurvePoint, Holdout, Options, Report, Source
from memscan.reports import render
from tests.drawing import picture, save

BREAKOUTS = (
    '"><script>window.pwned=1<_script>.png',
    "<img src=x onerror=window.pwned=1>.png",
    "'-window.pwned=1-'{{7*7}}.png",
    "<!--<script>.png",
    "photo\u202egnp.exe.png",
    "\x1b[31mred.png",
    "a b%20#?&amp;.png",
)
"""Names as a stranger would choose them (the slash of a closing tag cannot be in one)."""


def report(
    findings: Sequence[Finding] = (),
    *,
    target_failures: tuple[Failure, ...] = (),
    source_failures: tuple[Failure, ...] = (),
    copied: tuple[CopiedSource, ...] = (),
    curve: tuple[CurvePoint, ...] = (),
    holdout: Holdout | None = None,
    options: Options | None = None,
    targets: tuple[str, ...] = ("generated",),
    targets_in_source: tuple[str, ...] = (),
) -> Report:
    return Report(
        version="1.2.3",
        encoder="phash-64",
        libraries={"Pillow": "1.0"},
        thresholds=Thresholds(),
        targets=targets,
        sources=(Source("train", 5000),),
        hashed=5000,
        findings=tuple(findings),
        target_failures=target_failures,
        source_failures=source_failures,
        targets_in_source=targets_in_source,
        options=options or Options(),
        copied=copied,
        curve=curve,
        holdout=holdout,
    )


def finding(
    target: str,
    source: str,
    distance: int,
    *,
    reasons: tuple[Reason, ...] = (),
    chance: Chance | None = None,
    accepted: bool = False,
) -> Finding:
    verdict = Verdict.NEAR_DUPLICATE if distance <= 5 else Verdict.DISTINCT
    return Finding(
        target,
        0x8F,
        Verdict.IDENTICAL if distance == 0 else verdict,
        reasons,
        (Match(source, 0x8F, distance),),
        chance or Chance(0.01, Basis.OBSERVED),
        accepted=accepted,
    )


def gallery(folder: Path) -> Report:
    """One of everything that the page shows."""
    paths = [save(picture(seed), folder / f"image_{seed}.png") for seed in range(8)]
    findings = [
        finding(paths[0], paths[6], 30),
        finding(paths[1], paths[7], 8, reasons=(Reason.BORDERLINE,)),
        finding(paths[2], paths[6], 4, chance=Chance(3e-5, Basis.EXTRAPOLATED)),
        finding(paths[3], paths[6], 0, chance=Chance(1e-9, Basis.EXTRAPOLATED)),
        finding(paths[4], paths[6], 2, accepted=True),
        finding(
            paths[5],
            paths[7],
            0,
            reasons=(Reason.LOW_INFORMATION, Reason.GENERIC_HASH),
            chance=Chance(None, Basis.LOW_INFORMATION),
        ),
    ]
    return report(
        findings,
        target_failures=(Failure(str(folder / "broken.png"), Stage.DECODE, "the file is empty"),),
        copied=(CopiedSource(paths[6], 0x8F, 2, (paths[2], paths[3], paths[4])),),
        curve=tuple(
            CurvePoint(d, 3 if d == 0 else d * d, 10.0 ** (d - 8)) for d in range(0, 34, 2)
        ),
        holdout=Holdout((Source("holdout", 900),), 900, 1, 3, 1, 0.625),
        options=Options(recursive=True),
    )


def page(of: Report) -> str:
    return render(of, "html")


def block(text: str, name: str) -> Any:
    """What a JSON block of the page holds."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found.group(1))


def many(folder: Path, count: int, images: int) -> Report:
    """``count`` targets, of which the first ``images`` copy as many sources and are files."""
    drawn = [save(picture(seed, (320, 256)), folder / f"drawn_{seed}.jpg") for seed in range(8)]
    findings = []
    for position in range(count):
        target = folder / f"a_generated_image_with_a_long_name_{position:05d}.jpg"
        source = folder / f"an_image_of_the_training_set_{position:05d}.jpg"
        if position < images:
            for number, path in enumerate((target, source)):
                path.symlink_to(drawn[(position + number) % len(drawn)])
        findings.append(finding(str(target), str(source), 4 if position < images else 20))
    copied = tuple(
        CopiedSource(item.matches[0].source, 0x8F, 1, (item.target,)) for item in findings[:images]
    )
    return report(findings, copied=copied)
