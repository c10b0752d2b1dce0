"""Seeds that are finished, in a file, so that a run that was stopped goes on with the others."""

from __future__ import annotations

import dataclasses
import json
import os

from memscan.detectors import weights
from memscan.errors import InputError
from memscan.evaluation.digits.experiment import Outcome
from memscan.evaluation.digits.plan import Plan


class Checkpoint:
    """The plan and the outcomes so far, as JSON. Without a path, nothing is kept."""

    def __init__(self, path: str | None, plan: Plan) -> None:
        self._path, self._plan = path, plan

    def read(self) -> dict[int, Outcome]:
        """The outcomes by seed. Raises InputError for another file, or that of another plan."""
        if self._path is None or not os.path.exists(self._path):
            return {}
        try:
            with open(self._path, encoding="utf-8") as file:
                document = json.load(file)
            plan = Plan.of(document["plan"])
            outcomes = [Outcome.of(fields) for fields in document["outcomes"]]
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise InputError(f"{self._path}: no checkpoint that can be used; delete it") from error
        if plan != self._plan:
            raise InputError(f"{self._path}: the checkpoint of another experiment; delete it")
        return {outcome.seed: outcome for outcome in outcomes}

    def write(self, outcomes: dict[int, Outcome]) -> None:
        """Replace the file. Raises OutputError."""
        if self._path is None:
            return
        document = {
            "plan": self._plan.fields,
            "outcomes": [dataclasses.asdict(outcome) for outcome in outcomes.values()],
        }
        weights.write_whole(self._path, json.dumps(document).encode())

    def remove(self) -> None:
        """Delete the file, once all is done."""
        if self._path is not None and os.path.exists(self._path):
            os.unlink(self._path)
