"""memscan probe: ask a diffusion model what it remembers of images."""

from __future__ import annotations

import os

import click
from click.core import ParameterSource

from memscan.cli import options, outputs, probe_demo
from memscan.cli.gate import exit_code
from memscan.cli.process import ExitCode, warn, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.probe import FORMATS, SUFFIXES, render

_METHODS = ("iip", "tcnp", "loss")  # as in memscan.probes, which needs numpy


@click.group(
    name="probe",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    subcommand_metavar="[demo ...]",
)
@click.option(
    "--model",
    metavar="DIR",
    help="The model, as diffusers writes Stable Diffusion: model_index.json, unet, vae ...",
)
@click.option(
    "--target",
    "targets",
    metavar="PATH",
    multiple=True,
    help="The images to ask about: an image, a directory or archive of them. Repeatable.",
)
@click.option(
    "--reference",
    "references",
    metavar="PATH",
    multiple=True,
    help="Images of the same kind that the model does not remember, best 99 or more. Repeatable.",
)
@click.option(
    "--method",
    "methods",
    type=click.Choice((*_METHODS, "all")),
    multiple=True,
    default=("iip",),
    show_default="iip",
    help="What is measured; all for the three in one table. Repeatable.",
)
@click.option(
    "--captions",
    metavar="FILE",
    help="A CSV file with the images' own prompts, for tcnp: path, caption.",
)
@click.option(
    "--labels",
    metavar="FILE",
    help="A CSV file to compare methods by: path (of a target), memorised (1 or 0).",
)
@click.option(
    "--steps",
    metavar="N",
    type=click.IntRange(min=1),
    default=50,
    show_default=True,
    help="Steps of DDIM from noise to image.",
)
@click.option(
    "--t-invert",
    "depth",
    metavar="N",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many of them an image is inverted by (t_I).",
)
@click.option(
    "--guidance",
    metavar="W",
    type=click.FloatRange(min=0),
    default=7.5,
    show_default=True,
    help="The scale of classifier-free guidance.",
)
@click.option(
    "--prompts",
    metavar="N",
    type=click.IntRange(1, 1000),
    default=4,
    show_default=True,
    help="Perturbation prompts that are drawn, the same for all images.",
)
@click.option(
    "--prompt",
    "own_prompts",
    metavar="TEXT",
    multiple=True,
    help="Perturb with this prompt instead of drawn ones. Repeatable.",
)
@click.option(
    "--no-optimise", is_flag=True, help="Leave their embeddings as they are: iip without its heart."
)
@click.option(
    "--lambda-d",
    metavar="X",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="The weight of the distance D in the score of iip.",
)
@click.option(
    "--lambda-e",
    metavar="X",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="The weight of the magnitude E.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, (1 << 63) - 1),
    default=42,
    show_default=True,
    help="Decides drawn prompts, noises and bootstrap samples.",
)
@click.option(
    "--pictures",
    metavar="N",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Targets whose inverted and perturbed pictures are made, the most suspicious first.",
)
@click.option(
    "--measurements",
    metavar="FILE",
    help="Keep what was measured in FILE, and measure nothing again that is in it.",
)
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="Latents that the model is given at a time.",
)
@options.device
@options.recursive
@options.exclude
@options.follow_symlinks
@options.stdout_format(FORMATS)
@options.outputs(SUFFIXES)
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Targets that the text shows, the most suspicious first.",
)
@options.max_failures()
@options.max_pixels
@click.option("--verbose", is_flag=True, help="Name each image that cannot be read.")
@options.no_progress
@click.pass_context
def command(
    context: click.Context,
    model: str | None,
    targets: tuple[str, ...],
    references: tuple[str, ...],
    methods: tuple[str, ...],
    captions: str | None,
    labels: str | None,
    steps: int,
    depth: int,
    guidance: float,
    prompts: int,
    own_prompts: tuple[str, ...],
    no_optimise: bool,
    lambda_d: float,
    lambda_e: float,
    seed: int,
    pictures: int,
    measurements: str | None,
    batch: int,
    device: str,
    recursive: bool,
    exclude: tuple[str, ...],
    follow_symlinks: bool,
    stdout_format: str,
    output_paths: tuple[str, ...],
    top: int,
    max_failures: int | None,
    max_pixels: int | None,
    verbose: bool,
    no_progress: bool,
) -> int:
    """Ask a text-to-image diffusion model whether it remembers images.

    No training image is needed: what counts is how the model itself behaves, beside images of the
    same kind that it is known not to remember. This is evidence of memorisation and no verdict that
    anything was copied. Needs the extra diffusion.

    iip inverts an image into the model and sees what becomes of it under a prompt that the model
    does not remember; tcnp is how much a prompt changes the noise that the model predicts; loss is
    how well the model denoises the image.

    memscan probe demo shows all of it on a small model that is trained to memorise.
    """
    if context.invoked_subcommand is not None:
        _refuse_options(context)
        return ExitCode.DONE
    if model is None or not targets or not references:
        missing = "model" if model is None else "reference" if targets else "target"
        raise click.UsageError(f"Missing option '--{missing}'.")
    outputs.check_writable(output_paths, SUFFIXES)
    _refuse_overwriting(output_paths, (captions, labels, measurements))
    from memscan import decode  # numpy, Pillow and soon torch, not for --help
    from memscan.evaluation import probes as evaluation
    from memscan.probes import ProbeOptions
    from memscan.probing import asking
    from memscan.reports import templating
    from memscan.sources.directories import Selection

    formats = {path: outputs.format_of(path, SUFFIXES) for path in output_paths}
    if "html" in formats.values():
        templating.environment()
    known = None if labels is None else evaluation.read_labels(labels)
    asked = ProbeOptions(
        steps=steps,
        depth=depth,
        guidance=guidance,
        prompts=prompts,
        own_prompts=own_prompts,
        optimise=not no_optimise,
        weights=(lambda_d, lambda_e),
        seed=seed,
    )
    asked.check()
    from memscan.detectors.diffusion import pipelines

    denoiser = pipelines.load(model, device)
    with progress_bars(not no_progress, "Measuring") as progress:
        report = asking.probe(
            denoiser,
            targets,
            references,
            model=model,
            methods=_METHODS if "all" in methods else tuple(dict.fromkeys(methods)),
            options=asked,
            selection=Selection(recursive, exclude, follow_symlinks),
            captions=captions,
            labels=known,
            measurements=measurements,
            pictures=pictures,
            batch=batch,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            progress=progress,
        )
    for sentence in report.warnings:
        warn(sentence)
    for path, format in formats.items():
        outputs.write_whole(path, render(report, format, top, verbose))
    write_stdout(render(report, stdout_format, top, verbose))
    return exit_code(False, len(report.failures), max_failures)


def _refuse_options(context: click.Context) -> None:
    """Raise UsageError for options of the probe before the name of another command."""
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is ParameterSource.COMMANDLINE:
            other = context.invoked_subcommand
            raise click.UsageError(f"{parameter.opts[0]} is an option of the probe, not of {other}")


def _refuse_overwriting(written: tuple[str, ...], read: tuple[str | None, ...]) -> None:
    """Raise UsageError where an output is one of the files that are read."""
    inputs = {os.path.realpath(path) for path in read if path is not None}
    for path in written:
        if os.path.realpath(path) in inputs:
            raise click.UsageError(f"{path}: given as an output and as a file that is read")


command.add_command(probe_demo.command)
