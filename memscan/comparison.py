"""Targets compared with images: judged, verified by their pixels, confirmed by a network."""

from __future__ import annotations

from dataclasses import dataclass

from memscan import judging, verification
from memscan.encoders import Encoder
from memscan.networks import Networks
from memscan.records import Finding, Progress, Thresholds
from memscan.reference import Reference
from memscan.report import CurvePoint
from memscan.table import HashTable


@dataclass(frozen=True)
class Comparison:
    """How some targets are compared, whatever they are compared with."""

    targets: HashTable
    encoder: Encoder
    thresholds: Thresholds
    networks: Networks
    views: str
    exclude_self: bool
    max_pixels: int
    jobs: int | None
    remote_places: frozenset[str]
    progress: Progress | None

    def with_reference(
        self,
        reference: Reference,
        top_k: int = 1,
        with_supporting: bool = False,
        with_chance: bool = False,
    ) -> tuple[tuple[Finding, ...], tuple[CurvePoint, ...]]:
        """The findings and the curve, as :func:`memscan.judging.judge` gives them."""
        own_rows = reference.own_rows(self.targets.paths) if self.exclude_self else None
        judged, curve = judging.judge(
            self.targets,
            reference.table,
            self.thresholds,
            top_k,
            own_rows,
            self.views,
            with_supporting=with_supporting,
            with_chance=with_chance,
            jobs=self.jobs,
            metric=self.encoder.metric,
            network=self.networks.comparing,
        )
        findings = verification.verify(
            judged,
            self.thresholds,
            self.views,
            self.max_pixels,
            self.jobs,
            self.remote_places,
            contradicts=self.networks.encoder is None,
        )
        if self.networks.verifier is not None:
            from memscan import confirmation  # what a scan without one need not load

            findings = confirmation.confirm(
                findings,
                self.thresholds,
                self.networks.verifier,
                self.max_pixels,
                self.remote_places,
                self.progress,
            )
        return findings, curve
