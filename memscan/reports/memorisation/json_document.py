"""An experiment as one JSON document, schema version 1."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from memscan.memorisation import Experiment, Trial
from memscan.reports.json_document import SCHEMA_VERSION
from memscan.reports.probe import methods


def render(experiment: Experiment) -> str:
    """The whole experiment."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "memscan", "version": experiment.version},
        "plan": experiment.plan,
        "seeds": [_trial(trial) for trial in experiment.trials],
        "edits": {
            name: {"description": experiment.edits[name], **methods.fields(contest)}
            for name, contest in experiment.contests.items()
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "seed": trial.seed,
        "setting": dataclasses.asdict(trial.setting),
        "choosing": [
            {**dataclasses.asdict(setting), "auc": auc} for setting, auc in trial.choosing
        ],
        "regenerated": trial.regenerated,
        "auc": dict(trial.auc),
    }
