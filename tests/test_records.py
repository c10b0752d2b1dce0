from __future__ import annotations

import pytest

from memscan.errors import DecodeError, HashError, ImageError, ReadError
from memscan.records import Failure, Stage


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (ReadError, Stage.READ),
        (DecodeError, Stage.DECODE),
        (HashError, Stage.HASH),
        (ImageError, Stage.READ),
    ],
)
def test_an_error_says_where_an_image_was_lost(kind: type[ImageError], stage: Stage) -> None:
    assert Failure.of("a.png", kind("why")) == Failure("a.png", stage, "why")
