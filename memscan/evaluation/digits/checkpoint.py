"""Seeds that are finished, in a file, so that a run that was stopped goes on with the others."""

from __future__ import annotations

import dataclasses
import json
import os

from memscan.errors import InputError, OutputError
from memscan.evaluation.digits.experiment import Outcome
from memscan.evaluation.digits.plan import Plan


class Checkpoint:
    """Lines of JSON: first the plan, then an outcome for each seed. Without a path, nothing."""

    def __init__(self, path: str | None, plan: Plan) -> None:
        self._path, self._plan = path, plan

    def read(self) -> dict[int, Outcome]:
        """The outcomes by seed. Raises InputError for another file, or that of another plan."""
        if self._path is None or not os.path.exists(self._path):
            return {}
        unusable = f"{self._path}: no checkpoint that can be used; delete it"
        try:
            with open(self._path, encoding="utf-8") as file:
                lines = [json.loads(line) for line in file if line.endswith("\n")]
            if lines and Plan.of(lines[0]) != self._plan:
                raise InputError(f"{self._path}: the checkpoint of another experiment; delete it")
            outcomes = [Outcome.of(line) for line in lines[1:]]
        except OSError as error:
            raise InputError(f"{self._path}: cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(unusable) from error
        return {outcome.seed: outcome for outcome in outcomes}

    def add(self, outcome: Outcome) -> None:
        """Write an outcome down. Raises OutputError."""
        if self._path is None:
            return
        try:
            is_new = not os.path.exists(self._path)
            with open(self._path, "a", encoding="utf-8") as file:
                for value in [self._plan.fields] * is_new + [dataclasses.asdict(outcome)]:
                    file.write(json.dumps(value) + "\n")
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be written: {error.strerror}") from error

    def remove(self) -> None:
        """Delete the file, once all is done."""
        if self._path is not None and os.path.exists(self._path):
            os.unlink(self._path)
