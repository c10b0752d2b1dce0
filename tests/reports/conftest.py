from __future__ import annotations

from typing import Any, Iterator

import pytest

from tests.reports.browsing import chromium


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Skips the test where there is no Chromium."""
    with chromium() as opened:
        yield opened
