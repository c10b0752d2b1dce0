"""What a command may replace: nothing that it reads, and no file that is not its own."""

from __future__ import annotations

import os
from typing import Iterable

from memscan.cli import outputs
from memscan.errors import InputError


def check_inputs(written: Iterable[str | None], read: Iterable[str | None]) -> None:
    """Raise InputError where a file that is written is one that is read, by whatever path."""
    inputs = {os.path.realpath(path) for path in read if path is not None}
    for path in written:
        if path is not None and os.path.realpath(path) in inputs:
            raise InputError(
                f"{path}: the command reads this file and would write over it; name another output"
            )


def check_weights(
    output: str, plot: str | None, read: Iterable[str | None], *begun_with: str | None
) -> None:
    """The same for weights, with the card beside them, and for the curves; ``begun_with`` have one.

    Raises InputError as well where the name of the card is that of a file that is no card.
    """
    from memscan.detectors import cards

    card = cards.path_of(output)
    given = [path for path in begun_with if path is not None]
    check_inputs((output, card, plot), (*read, *given, *map(cards.path_of, given)))
    if os.path.exists(card):
        try:
            cards.read(output)
        except InputError as error:
            raise InputError(
                f"{card}: the card of {output} would replace this file, which is no card of "
                "memscan; name another output"
            ) from error
    outputs.check_replaceable(card)
