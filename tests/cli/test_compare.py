from __future__ import annotations

import imagehash
import pytest
from PIL import Image

from tests.cli.running import MEMSCAN, run

pytestmark = pytest.mark.usefixtures("work")


def test_distance_verdict_and_both_hashes() -> None:
    a, b = "generated/near.jpg", "training_data/class_B/img_1.png"
    done = run(MEMSCAN, "compare", a, b)
    assert done.stdout == (
        f"A: {imagehash.phash(Image.open(a))} {a}\n"
        f"B: {imagehash.phash(Image.open(b))} {b}\n"
        "Distance: 2\n"
        "Verdict: Near-Duplicate (High Probability of Memorization)\n"
    )
    assert (done.stderr, done.returncode) == ("", 0)


def test_an_image_with_itself_and_a_flat_pair() -> None:
    same = run(MEMSCAN, "compare", "generated/near.jpg", "generated/near.jpg")
    assert "Verdict: Identical" in same.stdout
    flat = run(MEMSCAN, "compare", "flat/target.png", "flat/source/red.png")
    assert flat.stdout.endswith("Review: low-information\n")


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        (["broken.png", "generated/near.jpg"], "broken.png: not an image"),
        (["generated/near.jpg", "broken.png"], "broken.png: not an image"),
        (["no.png", "broken.png"], "no.png: there is no such file"),
        (["generated", "broken.png"], "Invalid value for 'A': File 'generated' is a directory"),
        (["generated/near.jpg"], "Missing argument 'B'"),
    ],
)
def test_unusable_input(pair: list[str], sentence: str) -> None:
    done = run(MEMSCAN, "compare", *pair)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.splitlines()[-1].startswith(f"Error: {sentence}")
