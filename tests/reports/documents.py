"""The JSON document of a scan, as memscan plot needs it."""

from __future__ import annotations

from typing import Any


def document() -> dict[str, Any]:
    """Four targets, one of each verdict and one under review, and a curve of three points."""
    closest = [(0, "Identical"), (4, "Near-Duplicate"), (8, "Distinct"), (22, "Distinct")]
    return {
        "schema_version": 1,
        "tool": {"name": "memscan", "thresholds": {"near": 5, "distinct": 10}},
        "source": {"paths": ["train"], "found": 9, "hashed": 9, "failed": 0},
        "findings": [
            {"target": "a.png", "verdict": verdict, "distance": distance, "matches": []}
            for distance, verdict in closest
        ],
        "curve": [
            {"distance": 2, "observed": 0, "expected": 0.01},
            {"distance": 0, "observed": 1, "expected": 0.002},
            {"distance": 30, "observed": 400, "expected": 390.5},
        ],
        "summary": {
            "copies": 2,
            "rate": {"count": 2, "total": 4, "share": 0.5, "low": 0.07, "high": 0.93},
        },
    }
