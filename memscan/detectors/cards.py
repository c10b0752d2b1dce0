"""The card of a network: a JSON file beside its weights that says how they are to be used.

The card of ``model.safetensors`` is ``model.json``. Cards come from strangers as weights do:
whatever they hold that has no meaning is an InputError of one sentence, with the field.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping

from memscan.errors import InputError
from memscan.records import Calibration as Calibration
from memscan.records import Cuts as Cuts

if TYPE_CHECKING:
    from typing_extensions import TypeGuard

FORMAT = 1

KINDS = ("deepssim", "lcmem", "encoder")
"""What a network can be; ``encoder`` stands for one that was exported from elsewhere."""

FITS = ("stretch", "crop", "pad")
"""How an image becomes as large as the input: stretched, its middle, or whole with borders."""

_MOST_SIDE, _MOST_PIXELS, _MOST_DIMENSIONS = 4096, 1 << 20, 8192
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Input:
    """What the network takes: pixels from 0 to 1, less ``mean``, divided by ``std``.

    ``channels`` is 1 (grey) or 3 (RGB). Without ``mean`` and ``std``, each image is brought to mean
    0 and standard deviation 1 by its own pixels if ``standardised``, and else left as it is.
    """

    width: int
    height: int
    fit: str = "stretch"
    channels: int = 3
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    standardised: bool = False


@dataclass(frozen=True)
class Card:
    """What is known about some weights.

    ``sha256`` is that of the file of weights, None where the card of a user does not say;
    ``dimensions`` is the length of an embedding. Scores are cosines, but probabilities of the same
    identity for ``lcmem``. ``architecture`` says how to build the network, ``training`` how its
    weights came about.
    """

    kind: str
    name: str
    input: Input
    dimensions: int
    cuts: Cuts
    calibration: Calibration | None = None
    sha256: str | None = None
    architecture: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    training: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def settings(self) -> str:
        """The SHA-256 of all that scores and cuts depend on: what a calibration is of."""
        fields = {**dataclasses.asdict(self), "name": "", "calibration": None, "training": {}}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode("ascii")).hexdigest()

    @property
    def is_calibrated(self) -> bool:
        """Whether the cuts are worth more than a review: calibrated, and as they were then."""
        return self.calibration is not None and self.calibration.settings == self.settings

    def calibrated(self, cuts: Cuts, calibration: Calibration, sha256: str) -> Card:
        """The card with cuts that were fitted on the scores of the weights with this digest."""
        fitted = dataclasses.replace(self, cuts=cuts, sha256=sha256)
        bound = dataclasses.replace(calibration, settings=fitted.settings)
        return dataclasses.replace(fitted, calibration=bound)

    def text(self) -> str:
        """What the file holds."""
        document = {"memscan_card": FORMAT, **dataclasses.asdict(self)}
        return json.dumps(document, indent=2, allow_nan=False) + "\n"


def path_of(weights: str) -> str:
    """Where the card of a file of weights lies: beside it, with the suffix ``.json``."""
    return os.path.splitext(weights)[0] + ".json"


def read(weights: str) -> Card:
    """The card of a file of weights. Raises InputError that says what is wrong with it."""
    path = path_of(weights)
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: there is no such card, which must say how {weights} is to be used "
            "(the README shows one)"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"{path}: too large for a card")
    try:
        document = json.loads(content.decode("utf-8-sig"))
        json.dumps(document, allow_nan=False)  # what could not be written again is no JSON, either
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is no JSON: {error}") from error
    try:
        return parse(document)
    except _FieldError as error:
        raise InputError(f"{path}: not a card that can be used: {error}") from error


def require_hash(weights: str, card: Card, content: bytes) -> str:
    """The SHA-256 of weights; raises InputError unless it is the one on the card."""
    found = hashlib.sha256(content).hexdigest()
    if card.sha256 is not None and card.sha256 != found:
        raise InputError(
            f"{weights}: not the file that its card describes: its sha256 is {found}, the card "
            f"says {card.sha256}"
        )
    return found


def lapse(weights: str, card: Card) -> str | None:
    """The sentence on a calibration that does not count; None if it does, or there is none."""
    if card.calibration is None or card.is_calibrated:
        return None
    why = "the input, the cuts or another setting was changed since the calibration"
    if card.calibration.settings is None:
        why = "an earlier memscan did not note for which input and cuts the calibration is"
    return f"{path_of(weights)}: counts as not calibrated: {why}; run memscan calibrate again"


class _FieldError(ValueError):
    """A field has no meaning; the text names it."""


def parse(document: Any) -> Card:
    """The card in a JSON document; the text of what is raised names the field."""
    fields = _object(document, "the card")
    if fields.get("memscan_card") != FORMAT:
        raise _FieldError(f"memscan_card must be {FORMAT}")
    unknown = set(fields) - {"memscan_card"} - {field.name for field in dataclasses.fields(Card)}
    if unknown:
        raise _FieldError(f"{min(unknown)!r:.40} is no field of a card")
    sha256 = fields.get("sha256")
    if sha256 is not None and not _is_digest(sha256):
        raise _FieldError("sha256 must be 64 hexadecimal digits")
    calibration = fields.get("calibration")
    if calibration is not None and sha256 is None:
        raise _FieldError("sha256 must say which weights the calibration is of")
    return Card(
        kind=_one_of(fields, "kind", KINDS),
        name=_text(fields, "name"),
        input=_input(_object(fields.get("input"), "input")),
        dimensions=_whole(fields, "dimensions", 1, _MOST_DIMENSIONS),
        cuts=_cuts(_object(fields.get("cuts"), "cuts")),
        calibration=None
        if calibration is None
        else _calibration(_object(calibration, "calibration")),
        sha256=sha256,
        architecture=_object(fields.get("architecture", {}), "architecture"),
        training=_object(fields.get("training", {}), "training"),
    )


def _input(fields: Mapping[str, Any]) -> Input:
    width, height = (_whole(fields, side, 8, _MOST_SIDE) for side in ("width", "height"))
    if width * height > _MOST_PIXELS:
        raise _FieldError(f"width times height must be {_MOST_PIXELS} or less")
    channels = _whole(fields, "channels", 1, 3) if "channels" in fields else 3
    mean, std = _numbers(fields, "mean"), _numbers(fields, "std")
    if channels == 2:
        raise _FieldError("channels must be 1 or 3")
    if len(mean) != len(std) or len(mean) not in (0, channels):
        raise _FieldError("mean and std must have one number for each channel")
    if min(std, default=1) <= 0:
        raise _FieldError("std must be positive")
    standardised = fields.get("standardised", False)
    if not isinstance(standardised, bool) or (standardised and mean):
        raise _FieldError("standardised must be true or false, and false with mean and std")
    return Input(
        width=width,
        height=height,
        fit=_one_of({"fit": "stretch", **fields}, "fit", FITS),
        channels=channels,
        mean=mean,
        std=std,
        standardised=standardised,
    )


def _cuts(fields: Mapping[str, Any]) -> Cuts:
    cuts = Cuts(_number(fields, "duplicate", -1, 1), _number(fields, "similar", -1, 1))
    if cuts.similar > cuts.duplicate:
        raise _FieldError("the cut of similar pairs must not be above that of duplicates")
    return cuts


def _calibration(fields: Mapping[str, Any]) -> Calibration:
    rate = _number(fields, "rate", 0, 1)
    settings = fields.get("settings")
    if settings is not None and not _is_digest(settings):
        raise _FieldError("settings must be 64 hexadecimal digits")
    return Calibration(
        rate=rate,
        observed=_number(fields, "observed", 0, rate),
        recall=_number(fields, "recall", 0, 1),
        positives=_whole(fields, "positives", 1, 1 << 53),
        negatives=_whole(fields, "negatives", 1, 1 << 53),
        settings=settings,
    )


def _object(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _FieldError(f"{name} must be an object")
    return value


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 200:
        raise _FieldError(f"{name} must be a line of text")
    return value


def _one_of(fields: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = fields.get(name)
    if value not in known:
        raise _FieldError(f"{name} must be one of {', '.join(known)}")
    return str(value)


def _whole(fields: Mapping[str, Any], name: str, least: int, most: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _FieldError(f"{name} must be a whole number from {least} to {most}")
    return value


def _number(fields: Mapping[str, Any], name: str, least: float, most: float) -> float:
    value = fields.get(name)
    if not _is_number(value) or not least <= value <= most:
        raise _FieldError(f"{name} must be a number from {least} to {most}")
    return float(value)


def _numbers(fields: Mapping[str, Any], name: str) -> tuple[float, ...]:
    values = fields.get(name, [])
    if not isinstance(values, list) or not all(map(_is_number, values)):
        raise _FieldError(f"{name} must be a list of numbers")
    return tuple(map(float, values))


def _is_number(value: object) -> TypeGuard[float]:
    # A NaN is less than nothing; numbers without end are no JSON, but Python reads them.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e9


def _is_digest(value: Any) -> bool:
    return isinstance(value, str) and len(value) == 64 and not set(value) - set("0123456789abcdef")
