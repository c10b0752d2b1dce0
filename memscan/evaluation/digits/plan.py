"""What an experiment does; the same plan and seed give the same figures on one machine."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Mapping

from memscan.detectors.diffusion.digits_recipe import Recipe
from memscan.memorisation import Setting


@dataclass(frozen=True)
class Plan:
    """What is trained and measured.

    ``depths`` (t_I) and ``guidances`` are chosen among; half of the memorised images serve to
    choose, and the other half is reported. ``reference`` counts the images that scores are
    standardised by, ``others`` those beside the memorised ones, half of them never trained on, once
    for choosing and once for reporting. ``samples`` are drawn from the model for the search.
    """

    recipe: Recipe = field(default_factory=Recipe)
    depths: tuple[int, ...] = (3, 5, 10, 20)
    guidances: tuple[float, ...] = (3.0, 7.5)
    edits: tuple[str, ...] = ("as-is", "mirrored", "crop-10", "jpeg-50", "noise-15")
    reference: int = 120
    others: int = 200
    samples: int = 1000

    @property
    def settings(self) -> tuple[Setting, ...]:
        """All that are tried."""
        return tuple(Setting(depth, scale) for depth in self.depths for scale in self.guidances)

    @property
    def fields(self) -> dict[str, Any]:
        """The plan as JSON holds it."""
        return dataclasses.asdict(self)

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> Plan:
        """The plan of :attr:`fields` that went through JSON."""
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in fields.items()
        }
        values["recipe"] = Recipe(**fields["recipe"])
        return cls(**values)
