"""memscan probe demo: the probes on a model that was made to memorise."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import click

from memscan.cli import options, outputs
from memscan.cli.process import ExitCode, note, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.memorisation import FORMATS, SUFFIXES, render

if TYPE_CHECKING:
    from memscan.evaluation.digits.plan import Plan

_CHECKPOINT = ".checkpoint"


@click.command(name="demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--seeds",
    metavar="N",
    type=click.IntRange(1, 100),
    help="Models that are trained, each on images of its own  [default: 5, or 1 with --quick]",
)
@click.option(
    "--duplicates",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    help="How often each memorised image stands among those trained on.",
)
@click.option(
    "--quick", is_flag=True, help="A short training on fewer images, none edited: half a minute."
)
@options.outputs(SUFFIXES)
@options.stdout_format(FORMATS)
@options.device
@options.jobs
@options.no_progress
def command(
    seeds: int | None,
    duplicates: int,
    quick: bool,
    output_paths: tuple[str, ...],
    stdout_format: str,
    device: str,
    jobs: int | None,
    no_progress: bool,
) -> int:
    """Train small diffusion models that memorise images, and see which methods find them.

    The models draw digits of 8 x 8 pixels (scikit-learn's, extra diffusion) from captions. Some of
    their training images are repeated, and so remembered. Half of those serve to choose the setting
    of IIP, the other half is reported: AUC and the share found at 1 % false positives, beside the
    other methods, IIP without its optimisation, and a search of the model's own samples.

    With --output, seeds that are finished are kept beside the first file: run the same command
    again after a stop.
    """
    outputs.check_writable(output_paths, SUFFIXES)
    from memscan import engines
    from memscan.detectors.extras import require

    engines.check(jobs)
    require("torch", "diffusion")
    require("sklearn", "diffusion")
    from memscan.detectors import devices
    from memscan.evaluation.digits import seeds as experiments
    from memscan.evaluation.digits.checkpoint import Checkpoint

    devices.choose(device)
    plan = _plan(duplicates, quick)
    checkpoint = output_paths[0] + _CHECKPOINT if output_paths else None
    start = time.monotonic()
    with progress_bars(not no_progress) as progress:
        done = experiments.run(
            plan,
            range(seeds or (1 if quick else 5)),
            device=device,
            jobs=jobs,
            checkpoint=checkpoint,
            progress=progress,
        )
    for path in output_paths:
        outputs.write_whole(path, render(done, outputs.format_of(path, SUFFIXES)))
    Checkpoint(checkpoint, plan).remove()
    write_stdout(render(done, stdout_format))
    note(f"Took {(time.monotonic() - start) / 60:.1f} minutes.")
    return ExitCode.DONE


def _plan(duplicates: int, quick: bool) -> Plan:
    from memscan.evaluation.digits.plan import QUICK, Plan

    plan = QUICK if quick else Plan()
    recipe = dataclasses.replace(plan.recipe, duplicates=duplicates)
    return dataclasses.replace(plan, recipe=recipe)
