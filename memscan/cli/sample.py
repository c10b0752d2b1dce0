"""memscan sample: images of a latent diffusion model, to be scanned."""

from __future__ import annotations

import click

from memscan.cli import options
from memscan.cli.process import ExitCode, write_stdout
from memscan.cli.progress import progress_bars
from memscan.reports.names import inert


@click.command(name="sample", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--model", metavar="DIR", required=True, help="A Stable Diffusion as diffusers writes it."
)
@click.option(
    "--output",
    metavar="DIR",
    required=True,
    help="A new or empty directory, or one begun by this command.",
)
@click.option(
    "--number",
    metavar="N",
    type=click.IntRange(1, 1_000_000),
    required=True,
    help="How many images of each prompt.",
)
@click.option(
    "--prompt", metavar="TEXT", multiple=True, help='A prompt  [default: ""]. Repeatable.'
)
@click.option("--prompts", metavar="FILE", help="Prompts, one in a line.")
@click.option(
    "--steps",
    metavar="N",
    type=click.IntRange(1, 10_000),
    default=50,
    show_default=True,
    help="Steps of DDIM.",
)
@click.option(
    "--guidance",
    metavar="W",
    type=click.FloatRange(0, 100),
    default=7.5,
    show_default=True,
    help="How much a prompt counts; 1 is the model's own share.",
)
@click.option(
    "--seed",
    metavar="N",
    type=click.IntRange(0, 1 << 31),
    default=0,
    show_default=True,
    help="The same seed gives the same images.",
)
@click.option(
    "--batch",
    metavar="N",
    type=click.IntRange(1, 4096),
    default=16,
    show_default=True,
    help="Images drawn at a time.",
)
@options.device
@options.no_progress
def command(
    model: str,
    output: str,
    number: int,
    prompt: tuple[str, ...],
    prompts: str | None,
    steps: int,
    guidance: float,
    seed: int,
    batch: int,
    device: str,
    no_progress: bool,
) -> int:
    """Draw images of a latent diffusion model by DDIM (extras learned, diffusion).

    The model is a local directory in the layout of Stable Diffusion, such as memscan train ldm
    writes; nothing is fetched. index.json beside the images says of which prompt each is. A run
    that was stopped goes on when the same command is given again.
    """
    if prompt and prompts is not None:
        raise click.UsageError("give either --prompt or --prompts")
    from memscan.detectors.extras import require

    require("torch", "learned")
    from memscan.detectors.diffusion import gallery, pipelines

    said = list(prompt) if prompts is None else gallery.read_prompts(prompts)
    gallery.require_new(output)
    drawing = gallery.Drawing(said or [""], number, steps, guidance, seed, batch)
    opened = pipelines.load(model, device)
    with progress_bars(not no_progress, verb="") as progress:
        drawn = gallery.draw(opened, output, drawing, progress)
    kept = len(drawing.captions) - len(drawn)
    write_stdout(
        f"Wrote {len(drawn)} images of {len(drawing.prompts)} "
        f"prompt{'s' * (len(drawing.prompts) != 1)} to {inert(output)}"
        f"{f', beside {kept} that were there' if kept else ''}\n"
    )
    return ExitCode.DONE
