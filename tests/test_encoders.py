from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageOps

from memscan import decode, encoders, intake, pdq, views
from memscan.cache import Cache
from memscan.encoders import KNOWN
from memscan.errors import InputError
from memscan.intake import Intake
from memscan.recipe import hash_decoded
from memscan.table import as_integer
from tests.drawing import picture, save, shipped_photographs

PLAIN = {
    "phash": lambda image: str(imagehash.phash(image)),
    "dhash": lambda image: str(imagehash.dhash(image)),
    "phash-256": lambda image: str(imagehash.phash(image, hash_size=16)),
    "pdq": lambda image: "".join(f"{word:016x}" for word in pdq.pdq(image)[0]),
}
every_hash = pytest.mark.parametrize("name", list(KNOWN))


def decoded(image: Image.Image) -> decode.Decoded:
    return decode.Decoded(image, image.size)


def test_every_hash_is_checked_here() -> None:
    assert list(PLAIN) == list(KNOWN)


@every_hash
@pytest.mark.filterwarnings("ignore:Palette images with Transparency")
def test_the_hash_is_that_of_the_library(name: str) -> None:
    for path in shipped_photographs():
        image = decode.open_image(path)
        if image.image.mode not in ("L", "RGB"):
            continue
        (hashed,) = hash_decoded([image], KNOWN[name])
        text = f"{as_integer(np.array(hashed.words, np.uint64)):0{16 * KNOWN[name].words}x}"
        assert text == PLAIN[name](Image.open(path)), path


@every_hash
def test_more_than_8_bits_are_scaled(name: str) -> None:
    grey = picture(4, (200, 160), "L")
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    one, other = hash_decoded([decoded(grey), decoded(deep)], KNOWN[name])
    assert one == other


@every_hash
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (1, 300), (300, 1), (9, 8)])
def test_tiny_images_have_a_hash(name: str, size: tuple[int, int]) -> None:
    (hashed,) = hash_decoded([decoded(picture(0, size))], KNOWN[name], views.of_source("thorough"))
    count = 1 + len(views.of_source("thorough").names)
    assert len(hashed.words) == KNOWN[name].words * count


@every_hash
def test_flat_images_have_low_information(name: str) -> None:
    flat, cloud = decoded(Image.new("RGB", (90, 90), "red")), decoded(picture(0, (300, 200)))
    assert [image.low_information for image in hash_decoded([flat, cloud], KNOWN[name])] == [
        True,
        False,
    ]


def test_only_pdq_has_a_quality() -> None:
    for name, encoder in KNOWN.items():
        (hashed,) = hash_decoded([decoded(picture(0))], encoder)
        assert (hashed.quality is not None) == encoder.has_quality == (name == "pdq")


@every_hash
def test_views_meet_what_they_undo(name: str) -> None:
    """A mirrored target and a cropped source come much closer than the whole images."""
    encoder = KNOWN[name]
    image = picture(7, (400, 300))
    copy = ImageOps.mirror(image.crop((50, 0, 350, 300)))
    sources, targets = views.of_source("training"), views.of_target("training")
    (source,) = hash_decoded([decoded(image)], encoder, sources)
    (target,) = hash_decoded([decoded(copy)], encoder, targets)

    def hash_of(hashed: tuple[int, ...], names: tuple[str, ...], view: str) -> int:
        place = ("full", *names).index(view) * encoder.words
        return as_integer(np.array(hashed[place : place + encoder.words], np.uint64))

    seen = hash_of(target.words, targets.names, "mirrored")
    square = hash_of(source.words, sources.names, "square")
    assert bin(seen ^ square).count("1") <= encoder.thresholds.near
    whole = hash_of(source.words, sources.names, "full")
    assert bin(seen ^ whole).count("1") > encoder.thresholds.distinct
    # what an image does not have adds nothing
    assert hash_of(source.words, sources.names, "upright") == whole


@every_hash
def test_the_orientation_is_undone(name: str, tmp_path: Path) -> None:
    image = picture(3, (300, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # stored so that it must be turned by 270 degrees
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    encoder, view_set = KNOWN[name], views.of_target("plain")
    turned = decode.open_image(str(tmp_path / "turned.png"))
    (hashed,) = hash_decoded([turned], encoder, view_set)
    (plain,) = hash_decoded([decoded(image)], encoder)
    place = ("full", *view_set.names).index("upright") * encoder.words
    upright = np.array(hashed.words[place : place + encoder.words], np.uint64)
    differing = as_integer(upright) ^ as_integer(np.array(plain.words, np.uint64))
    assert bin(differing).count("1") <= 4


@every_hash
def test_tables_are_the_same_from_threads_processes_and_the_cache(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memscan.stamps._FINE_TICK", 0)
    paths = [save(picture(seed), tmp_path / f"{seed}.png") for seed in range(5)]
    view_set = views.of_source("training")

    def table(cache: Cache | None = None) -> tuple[object, ...]:
        scan = Intake(jobs=2, cache=cache)
        found, failures = scan.hash_files(paths, "", encoder=KNOWN[name], view_set=view_set)
        assert failures == ()
        return tuple(
            column.tolist()
            for column in (found.hashes, found.low_information, found.views, found.qualities)
        )

    with Cache(str(tmp_path / "cache")) as cache:
        first = table(cache)
        with monkeypatch.context() as patch:
            patch.setattr(intake, "hash_files", None)
            assert table(cache) == first
    monkeypatch.setattr(intake, "PROCESSES_FROM", 1)
    assert table() == first


def test_hashes_do_not_mix() -> None:
    keys = {
        encoder.key(False, view_set)
        for encoder in KNOWN.values()
        for view_set in (views.NONE, views.of_source("training"), views.of_target("plain"))
    }
    assert len(keys) == 3 * len(KNOWN)


def test_an_unknown_hash_is_refused() -> None:
    with pytest.raises(InputError, match="sha1: no such hash; there are phash, dhash"):
        encoders.choose("sha1")
