"""Latents of many images on disk: a directory of parts, which training reads a row at a time.

::

    latents.json          what the parts hold, written last
    encoder.safetensors   the encoder, so that whatever is trained on the latents can be applied
    part-00000.npy        latents (n, views, channels, height, width), float16, mapped into memory
    part-00000.json       the images of the part, and those that could not be read

The first latent of an image is that of the image as it is, the others are of views of it.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from memscan.detectors import autoencoder, weights
from memscan.detectors.autoencoder import Config, Encoder
from memscan.detectors.cards import Input
from memscan.errors import InputError
from memscan.records import Failure, Stage

FORMAT = 1
MANIFEST, ENCODER = "latents.json", "encoder.safetensors"

_MOST_BYTES = 1 << 32


@dataclass(frozen=True)
class Making:
    """How: of images stretched to ``side`` pixels, in ``views`` that the seed draws."""

    side: int
    views: int
    seed: int

    @property
    def wanted(self) -> Input:
        """What the encoder takes."""
        return Input(self.side, self.side)


@dataclass(frozen=True)
class Latents:
    """An opened directory. ``names`` are the paths of the images, in the order of the parts.

    ``sha256`` is that of the autoencoder; ``mean`` and ``std`` are those of each channel over all
    latents.
    """

    folder: str
    config: Config
    sha256: str
    making: Making
    names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    failures: tuple[Failure, ...]
    parts: tuple[npt.NDArray[np.float16], ...]

    @property
    def fingerprint(self) -> str:
        """What tells them from other latents: how they were made, and their mean and deviation."""
        return f"{self.sha256} {self.making} {self.mean} {self.std} {len(self.names)}"

    def gather(self, rows: Sequence[int], views: Sequence[int]) -> npt.NDArray[np.float32]:
        """The latents of some images in some views, of shape (n, channels, height, width)."""
        bounds = np.cumsum([0, *map(len, self.parts)])
        places = (np.searchsorted(bounds, rows, side="right") - 1).tolist()
        found = [
            self.parts[place][row - bounds[place], view]
            for place, row, view in zip(places, rows, views)
        ]
        return np.stack(found).astype(np.float32)

    def encoder(self) -> Encoder:
        """The encoder that made them. Raises InputError."""
        path = os.path.join(self.folder, ENCODER)
        state = weights.parse(path, weights.read_bytes(path))
        try:
            return autoencoder.encoder_of(self.config, state)
        except (ValueError, RuntimeError) as error:
            raise InputError(f"{path}: the weights do not fit {MANIFEST}") from error


def read(folder: str) -> Latents:
    """The latents of a directory. Raises InputError that says what is wrong with it."""
    path = os.path.join(folder, MANIFEST)
    try:
        document = read_json(path)
    except OSError as error:
        raise InputError(
            f"{folder}: no latents: {MANIFEST} cannot be read: {error.strerror} (memscan latents "
            "makes such a directory, and finishes one that it began)"
        ) from error
    try:
        if document["memscan_latents"] != FORMAT:
            raise ValueError("of another format")
        latents = Latents(
            folder,
            autoencoder.parse_config(document["autoencoder"]),
            str(document["sha256"]),
            Making(**document["making"]),
            tuple(map(str, document["names"])),
            tuple(map(float, document["mean"])),
            tuple(map(float, document["std"])),
            tuple(map(failure_from, document["failures"])),
            tuple(_mapped(folder, number) for number in range(int(document["parts"]))),
        )
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise InputError(f"{path}: no latents that can be used: {error}") from error
    if sum(map(len, latents.parts)) != len(latents.names) or not latents.names:
        raise InputError(f"{folder}: the parts do not hold what {MANIFEST} says")
    return latents


def part_paths(folder: str, number: int) -> tuple[str, str]:
    """The files of a part: its latents, and its record."""
    stem = os.path.join(folder, f"part-{number:05d}")
    return f"{stem}.npy", f"{stem}.json"


def read_json(path: str) -> Mapping[str, Any]:
    """An object in a JSON file. Raises OSError, and InputError for anything else."""
    with open(path, "rb") as file:
        content = file.read(_MOST_BYTES)
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path}: is no JSON object")
    return document


def json_of(document: Mapping[str, Any]) -> bytes:
    """What a JSON file holds; names that are not UTF-8 are escaped."""
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode("ascii")


def failure_as_json(failure: Failure) -> Mapping[str, str]:
    """A failure in a record."""
    return {**dataclasses.asdict(failure), "stage": failure.stage.value}


def failure_from(document: Mapping[str, Any]) -> Failure:
    """A failure of a record."""
    return Failure(**{**document, "stage": Stage(document["stage"])})


def _mapped(folder: str, number: int) -> npt.NDArray[np.float16]:
    array = np.load(part_paths(folder, number)[0], mmap_mode="r", allow_pickle=False)
    if array.dtype != np.float16 or array.ndim != 5:
        raise ValueError(f"part {number} holds no latents")
    mapped: npt.NDArray[np.float16] = array
    return mapped
