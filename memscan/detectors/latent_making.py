"""Images encoded into a directory of latents, part by part."""

from __future__ import annotations

import hashlib
import io
import os
from dataclasses import asdict, dataclass
from typing import Any, Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image, ImageEnhance, ImageOps

from memscan import decode, engines, hashing, stamps
from memscan.detectors import autoencoder, devices, inputs, latents, weights
from memscan.detectors.autoencoder import Encoder
from memscan.detectors.latents import Latents, Making
from memscan.errors import ImageError, InputError, OutputError
from memscan.records import Failure, Progress, Stage

PART_IMAGES = 4096

_BATCH = 16
_NARROWEST = 0.75
_TONES = (0.8, 1.25)

Views = npt.NDArray[np.float32]


def make(
    paths: Sequence[str],
    autoencoder_folder: str,
    output: str,
    *,
    views: int = 4,
    side: int | None = None,
    seed: int = 42,
    device: str = "auto",
    max_pixels: int = decode.MAX_PIXELS,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Latents:
    """Encode images, each as it is and in ``views`` - 1 views; parts that are there are kept.

    A part is encoded again if the size or time of one of its files is another than it was.
    ``side`` is the sample size of the autoencoder unless it is given. Images that cannot be read
    are failures of the result. Raises InputError where the directory holds other latents or no
    image can be read, OutputError.
    """
    encoder, sha256 = autoencoder.load(autoencoder_folder)
    side = int(encoder.config["sample_size"]) if side is None else side
    if side % encoder.reduction or side < 8 * encoder.reduction:
        raise InputError(
            f"{side} pixels a side do not fit the autoencoder: take a multiple of "
            f"{encoder.reduction}, {8 * encoder.reduction} or more"
        )
    where = devices.choose(device)
    work = _Work(encoder.to(where), where, Making(side, views, seed), max_pixels, jobs)
    _make_folder(output)
    names = "\0".join(paths).encode("utf-8", "surrogateescape")
    identity = hashlib.sha256(f"{sha256} {work.making}".encode() + names).hexdigest()
    records = []
    for number, start in enumerate(range(0, len(paths), PART_IMAGES)):
        chunk = paths[start : start + PART_IMAGES]
        known = {"identity": identity, "files": stamps.digest(chunk)}
        record = _record(output, number, known)
        if record is None:
            shown = _shown(progress, start, len(paths))
            _remove_manifest(output)
            record = {**known, **_write_part(work, chunk, output, number, shown)}
            weights.write_whole(latents.part_paths(output, number)[1], latents.json_of(record))
        records.append(record)
    _finish(output, work, sha256, records)
    return latents.read(output)


def view(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A view of an RGB image: at least three quarters of each side, perhaps mirrored, retoned."""
    across, down = rng.uniform(_NARROWEST, 1.0, 2).tolist()
    width, height = max(1, round(across * image.width)), max(1, round(down * image.height))
    left = int(rng.integers(0, image.width - width + 1))
    top = int(rng.integers(0, image.height - height + 1))
    mirrored = rng.random() < 0.5
    brightness, contrast = rng.uniform(*_TONES, 2).tolist()
    cut = image.crop((left, top, left + width, top + height))
    cut = ImageOps.mirror(cut) if mirrored else cut
    return ImageEnhance.Contrast(ImageEnhance.Brightness(cut).enhance(brightness)).enhance(contrast)


@dataclass(frozen=True)
class _Work:
    """What encodes images, and how."""

    encoder: Encoder
    device: torch.device
    making: Making
    max_pixels: int
    jobs: int | None

    def all_drawn(self, paths: Iterable[str]) -> list[Views | Failure]:
        """:meth:`drawn` of each."""
        return [self.drawn(path) for path in paths]

    def drawn(self, path: str) -> Views | Failure:
        """The pixels of an image in all views, (views, 3, side, side); the same each time.

        What is drawn depends on the seed and the pixels, not on the name or other images.
        """
        try:
            image = decode.open_image(path, self.max_pixels).image
            with hashing.resizable(image):
                colour = hashing.rgb(image)
                small = inputs.resized(colour, self.making.wanted)
                lots = np.random.default_rng([self.making.seed, _digest(small)])
                shown = [colour, *(view(colour, lots) for _ in range(self.making.views - 1))]
                return np.stack([inputs.prepare(one, self.making.wanted) for one in shown])
        except ImageError as error:
            return Failure.of(path, error)

    def encoded(self, pixels: Views) -> npt.NDArray[np.float16]:
        """The latents of images in all views."""
        count, views = pixels.shape[:2]
        flat = pixels.reshape(-1, *pixels.shape[2:])
        found = self.encoder.latents(torch.from_numpy(flat), self.device).cpu().numpy()
        return found.reshape(count, views, *found.shape[1:]).astype(np.float16)


def _write_part(
    work: _Work,
    paths: Sequence[str],
    output: str,
    number: int,
    progress: Callable[[int], None],
) -> Mapping[str, Any]:
    """Encode some images into a part; what its record says of them."""
    names: list[str] = []
    failures: list[Failure] = []
    found: list[npt.NDArray[np.float16]] = []
    # While the network encodes a batch, threads draw the next ones.
    drawn = engines.map_chunks(work.all_drawn, paths, work.jobs, chunk=1, ahead=2 * _BATCH)
    for start in range(0, len(paths), _BATCH):
        batch = dict(zip(paths[start : start + _BATCH], drawn))
        failures += [one for one in batch.values() if isinstance(one, Failure)]
        whole = {path: one for path, one in batch.items() if not isinstance(one, Failure)}
        if whole:
            for path, own in zip(whole, work.encoded(np.stack(list(whole.values())))):
                if np.isfinite(own).all():
                    names.append(path)
                    found.append(own)
                else:
                    message = "its latents are no finite numbers"
                    failures.append(Failure(path, Stage.HASH, message))
        progress(min(start + _BATCH, len(paths)))
    side = work.making.side // work.encoder.reduction
    empty = np.empty((0, work.making.views, work.encoder.channels, side, side), np.float16)
    array = np.stack(found) if found else empty
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    weights.write_whole(latents.part_paths(output, number)[0], content.getvalue())
    exact = array.astype(np.float64)
    return {
        "names": names,
        "failures": list(map(latents.failure_as_json, failures)),
        "numbers": exact[:, :, 0].size,
        "sums": exact.sum(axis=(0, 1, 3, 4)).tolist(),
        "squares": (exact**2).sum(axis=(0, 1, 3, 4)).tolist(),
    }


def _finish(output: str, work: _Work, sha256: str, records: Sequence[Mapping[str, Any]]) -> None:
    """Write the encoder and the manifest. Raises InputError where no image could be read."""
    names = [name for record in records for name in record["names"]]
    failures = [failure for record in records for failure in record["failures"]]
    if not names:
        first = f" (first {failures[0]['path']}: {failures[0]['message']})" if failures else ""
        raise InputError(f"none of the {len(failures)} images can be read{first}")
    count = sum(record["numbers"] for record in records)
    mean = np.sum([record["sums"] for record in records], axis=0) / count
    spread = np.sum([record["squares"] for record in records], axis=0) / count - mean**2
    from safetensors.torch import save

    state = {name: one.cpu().contiguous() for name, one in work.encoder.state_dict().items()}
    weights.write_whole(os.path.join(output, latents.ENCODER), save(state))
    manifest = {
        "memscan_latents": latents.FORMAT,
        "sha256": sha256,
        "autoencoder": work.encoder.config,
        "making": asdict(work.making),
        "mean": mean.tolist(),
        "std": np.sqrt(np.maximum(spread, 0)).tolist(),
        "parts": len(records),
        "failures": failures,
        "names": names,
    }
    weights.write_whole(os.path.join(output, latents.MANIFEST), latents.json_of(manifest))


def _record(output: str, number: int, known: Mapping[str, str]) -> Mapping[str, Any] | None:
    """What is known of a part that was written before; None where its files are others now."""
    path = latents.part_paths(output, number)[1]
    try:
        record = latents.read_json(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if record.get("identity") != known["identity"]:
        raise InputError(
            f"{output}: holds latents of other images, of another autoencoder or with other "
            "options; name another directory, or delete this one"
        )
    return record if record.get("files") == known["files"] else None


def _remove_manifest(output: str) -> None:
    """So that nobody takes the directory for finished while a part changes."""
    path = os.path.join(output, latents.MANIFEST)
    try:
        if os.path.exists(path):
            os.unlink(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be removed: {error.strerror}") from error


def _make_folder(path: str) -> None:
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be made: {error.strerror}") from error


def _shown(progress: Progress | None, before: int, total: int) -> Callable[[int], None]:
    """Progress within a part as progress of the whole."""

    def show(done: int) -> None:
        if progress is not None:
            progress("images", before + done, total)

    return show


def _digest(image: Image.Image) -> int:
    return int.from_bytes(hashlib.sha256(image.tobytes()).digest()[:8], "big")
