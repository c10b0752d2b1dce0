"""memscan demo: something to try the scan on."""

from __future__ import annotations

import os
import shlex

import click

from memscan.cli.process import ExitCode, write_stdout


@click.command(name="demo", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("directory", metavar="DIR")
def command(directory: str) -> int:
    """Draw a small training set, and generated images of which some copy it, in DIR."""
    from memscan import demonstration  # Pillow, not for --help
    from memscan.reports.names import inert

    planted = demonstration.draw(directory)
    training, generated = (
        os.path.join(directory, name) for name in ("training_data", "generated_images")
    )
    count = len(demonstration.CLASSES) * demonstration.IMAGES_PER_CLASS
    lines = [f"Drew {count} training images in {inert(training)}", "", "Planted:"]
    for item in planted:
        copied = f": {inert(item.original)}" if item.original else ""
        lines.append(f"  {inert(item.path)}  {item.kind}{copied}")
    options = ["--target", generated, "--source", training, "--recursive"]
    lines += [
        "",
        "Try:",
        "  python -m memscan detect " + inert(" ".join(map(shlex.quote, options))),
    ]
    lines += [
        "",
        "The scan finds the exact, recompressed and resized copies. A plain perceptual hash does",
        "not see mirrored or cropped ones, which --views training finds. Distinct is no proof that",
        "nothing was copied.",
    ]
    write_stdout("\n".join(lines) + "\n")
    return ExitCode.DONE
