"""memscan latents: what the first stage of LCMem is trained on, computed once."""

from __future__ import annotations

from typing import Any

import click

from memscan.cli import options
from memscan.cli.listed import image_list, listed_images
from memscan.cli.process import ExitCode, complain, warn, write_stdout
from memscan.cli.progress import progress_bars


@click.command(name="latents", context_settings={"help_option_names": ["-h", "--help"]})
@image_list
@click.option(
    "--autoencoder", metavar="DIR", required=True, help="An AutoencoderKL as diffusers saves it."
)
@click.option("--output", metavar="DIR", required=True, help="The latents: a directory.")
@click.option(
    "--views",
    metavar="N",
    type=click.IntRange(1, 64),
    default=4,
    show_default=True,
    help="Latents of each image: as it is, and of cropped, mirrored and retoned views.",
)
@click.option(
    "--side",
    metavar="PIXELS",
    type=click.IntRange(8, 4096),
    help="Images are stretched to so many pixels a side  [default: the autoencoder's sample size]",
)
@click.option(
    "--seed", metavar="N", type=click.IntRange(0, 1 << 31), default=42, show_default=True,
    help="What draws the views.",
)  # fmt: skip
@options.max_failures()
@options.device
@options.max_pixels
@options.jobs
@options.no_progress
def command(
    autoencoder: str,
    output: str,
    views: int,
    side: int | None,
    seed: int,
    max_failures: int | None,
    device: str,
    max_pixels: int | None,
    jobs: int | None,
    no_progress: bool,
    **chosen: Any,
) -> int:
    """Encode images into latents, once, for `memscan train lcmem --stage latent` (extra diffusion).

    A latent is the mode of the posterior, the same each time. Run the same command again after a
    stop: finished parts are kept.
    """
    from memscan import decode
    from memscan.detectors.extras import require

    require("torch", "learned")
    require("diffusers", "diffusion")
    listed = listed_images(**chosen)
    from memscan.detectors import latent_making

    with progress_bars(not no_progress, verb="Encoding") as progress:
        made = latent_making.make(
            [one.path for one in listed],
            autoencoder,
            output,
            views=views,
            side=side,
            seed=seed,
            device=device,
            max_pixels=decode.MAX_PIXELS if max_pixels is None else max_pixels,
            jobs=jobs,
            progress=progress,
        )
    for failure in made.failures:
        warn(f"{failure.path}: {failure.message}")
    channels, height, width = made.parts[0].shape[2:]
    mean, std = (", ".join(f"{value:.3f}" for value in row) for row in (made.mean, made.std))
    write_stdout(
        f"{len(made.names)} images in {made.making.views} views of {channels} x {height} x {width} "
        f"in {output}\nmean of channels: {mean}\nstandard deviation: {std}\n"
    )
    if max_failures is not None and len(made.failures) > max_failures:
        complain(f"{len(made.failures)} images cannot be read, {max_failures} are allowed")
        return ExitCode.INCOMPLETE
    return ExitCode.DONE
