"""A directory of images that a model drew: numbered PNGs, and a list of their prompts."""

from __future__ import annotations

import io
import json
import os
import re
from dataclasses import dataclass
from typing import Sequence

import numpy as np
from PIL import Image

from memscan.detectors import devices
from memscan.detectors.diffusion import clip, ddim, parts, sampling
from memscan.detectors.diffusion.pipelines import LatentDiffusion
from memscan.detectors.weights import write_whole
from memscan.errors import InputError, OutputError
from memscan.records import Progress

INDEX = "index.json"

_UNFINISHED = re.compile(r"(index\.json|\d{6,}\.png)\.\d+\.tmp")  # of write_whole


@dataclass(frozen=True)
class Drawing:
    """What is drawn: ``number`` images of each prompt, and how.

    ``batch`` images are drawn at a time; another batch may change the last bit of a pixel.
    """

    prompts: Sequence[str]
    number: int
    steps: int = 50
    guidance: float = 7.5
    seed: int = 0
    batch: int = 16

    @property
    def captions(self) -> list[str]:
        """The prompt of each image."""
        return [prompt for prompt in self.prompts for _ in range(self.number)]


def read_prompts(path: str) -> list[str]:
    """The prompts in a file, one in a line that is not blank. Raises InputError."""
    lines = [line.strip() for line in parts.read_text(path).splitlines()]
    found = [line for line in lines if line]
    if not found:
        raise InputError(f"{path}: there is no prompt in it")
    return found


def require_new(folder: str) -> None:
    """Raise InputError for a directory that holds more than samples, which would mix with these."""
    names = _left(folder)
    if names and INDEX not in names:
        raise InputError(f"{folder}: not empty; images go into a directory of their own")
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise InputError(f"{folder}: not a directory")


def draw(
    model: LatentDiffusion, folder: str, drawing: Drawing, progress: Progress | None = None
) -> list[str]:
    """Draw images into a directory that is new, empty or begun likewise; returns their names.

    The same model, seed, batch and libraries give the same files on one machine. Batches that a
    run before has written are kept and not returned. Raises InputError, OutputError.
    """
    captions = drawing.captions
    names = [f"{number:06d}.png" for number in range(1, len(captions) + 1)]
    index = _index(model, drawing, names)
    begun = _is_begun(folder, index, names)
    ddim.grid(model.alphas_bar, drawing.steps)
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from error
    drawn: list[str] = []
    for start in range(0, len(captions), drawing.batch):
        places = range(start, min(start + drawing.batch, len(captions)))
        paths = [os.path.join(folder, names[place]) for place in places]
        if begun and all(os.path.isfile(path) and os.path.getsize(path) for path in paths):
            continue
        with devices.enough_memory("draw fewer images at a time (--batch)"):
            pixels = sampling.sample(
                model,
                [captions[place] for place in places],
                sampling.noise(model, drawing.seed, places),
                steps=drawing.steps,
                guidance=drawing.guidance,
            )
        if not bool(pixels.isfinite().all()):
            raise InputError(f"{model.folder}: what it draws are no finite numbers")
        if not begun:  # the first, so that another run knows whose images these are
            write_whole(os.path.join(folder, INDEX), index)
            begun = True
        for path, image in zip(paths, (pixels * 255).round().byte().cpu().numpy()):
            write_whole(path, _png(image))
        drawn += [names[place] for place in places]
        if progress is not None:
            progress("samples", places.stop, len(captions))
    return drawn


def _index(model: LatentDiffusion, drawing: Drawing, names: Sequence[str]) -> bytes:
    """What a directory says of its images: all that they depend on."""
    index = {
        "model": model.fingerprint,
        "device": model.device.type,
        "steps": drawing.steps,
        "guidance": drawing.guidance,
        "seed": drawing.seed,
        "batch": drawing.batch,
        "images": [
            {"image": name, "prompt": clip.characters(prompt)}
            for name, prompt in zip(names, drawing.captions)
        ],
    }
    return (json.dumps(index, indent=2) + "\n").encode("ascii")


def _left(folder: str) -> list[str]:
    """What is in a directory, but for files that a killed run had not finished."""
    return [name for name in parts.names_in(folder) if not _UNFINISHED.fullmatch(name)]


def _is_begun(folder: str, index: bytes, names: Sequence[str]) -> bool:
    """Whether a run with this index began the directory; False for an empty one.

    Raises InputError for a directory that holds anything else.
    """
    require_new(folder)
    left = set(_left(folder))
    if not left:
        return False
    path = os.path.join(folder, INDEX)
    own = "images go into a directory of their own"
    parts.refuse_pipe(path)
    try:
        with open(path, "rb") as file:
            if file.read(len(index) + 1) != index:
                raise InputError(
                    f"{folder}: not empty, and what is in it was not drawn by the same command, "
                    f"model and device; {own}"
                )
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    others = sorted(left - {INDEX, *names})
    if others:
        raise InputError(f"{os.path.join(folder, others[0])}: is none of the images; {own}")
    return True


def _png(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    """The file of an image of shape (1 or 3, height, width)."""
    image = Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0))
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()
