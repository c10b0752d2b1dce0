"""An evaluation as one JSON document, schema version 1.

Everything but ASCII is escaped; paths stand as in the document of a scan. Whatever depends on the
machine is under ``times``; the rest is the same for the same images, seed and libraries.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from memscan.protocols import Comparison
from memscan.reports.evaluation import Style
from memscan.reports.json_document import SCHEMA_VERSION, failure
from memscan.reports.names import path_fields
from memscan.scorecard import DetectorScores, Miss, Scorecard, Scores


def render(card: Scorecard, style: Style) -> str:
    """The whole scorecard, whatever the style."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": tool(card),
        "options": {"basis": card.basis.value, **options(card)},
        "images": {**images(card), "unrelated_pairs": card.unrelated_pairs},
        "detectors": [_detector(detector) for detector in card.detectors],
        "failures": [failure(item) for item in card.failures],
        "times": {
            name: {f"seconds_per_{key}": value for key, value in dataclasses.asdict(times).items()}
            for name, times in card.times.items()
        },
    }
    return json.dumps(document, indent=2) + "\n"


def tool(result: Scorecard | Comparison) -> dict[str, Any]:
    """What made the result."""
    return {"name": "memscan", "version": result.version, "libraries": dict(result.libraries)}


def options(result: Scorecard | Comparison) -> dict[str, Any]:
    """What was drawn and from where."""
    return {
        "seed": result.seed,
        "resamples": result.resamples,
        "sources": [
            {**path_fields("path", source.path), "found": source.found} for source in result.sources
        ],
    }


def images(result: Scorecard | Comparison) -> dict[str, Any]:
    """The number of images that were found, of those in each part, and of those that failed."""
    return {
        "found": result.found,
        "calibration": result.calibration,
        "reported": result.reported,
        "ignored": result.ignored,
        "failed": sum(not item.is_directory for item in result.failures),
    }


def _detector(detector: DetectorScores) -> dict[str, Any]:
    return {
        "name": detector.name,
        "description": detector.description,
        "default_threshold": detector.default_threshold,
        "bytes_per_source": detector.bytes_per_source,
        "false_positive_fits": [dataclasses.asdict(fit) for fit in detector.false_positive_fits],
        "precision_fit": dataclasses.asdict(detector.precision_fit),
        "overall": _scores(detector.overall),
        "edits": [
            {
                "name": edit.name,
                "group": edit.group,
                "description": edit.description,
                **_scores(edit.scores),
            }
            for edit in detector.edits
        ],
        "curve": [dataclasses.asdict(point) for point in detector.curve],
        "misses": [_miss(miss) for miss in detector.misses],
    }


def _scores(scores: Scores) -> dict[str, Any]:
    fields = dataclasses.asdict(scores)
    return {
        "found": fields["found"],
        "wanted": fields["wanted"],
        "recall": fields["recall"],
        "recall_at_1": fields["first"],
        "tpr_at_fpr": fields["true_positives"],
        "micro_average_precision": fields["average_precision"],
        "recall_at_precision_90": fields["at_precision"],
        "auc": fields["auc"],
    }


def _miss(miss: Miss) -> dict[str, Any]:
    return {
        **path_fields("path", miss.path),
        "edit": miss.edit,
        "distance": miss.distance,
        **path_fields("other", miss.other),
        "other_distance": miss.other_distance,
    }
