"""lockgate: the production half of machine learning.

    import lockgate

    lockgate.submit(model, name="churn", train=df, test=df2, target="churned")
    lockgate.validate("churn")
    lockgate.start_release("churn")
    lockgate.predictions("churn", since="1h")

Where it runs is said by the environment: `LOCKGATE_URL` and `LOCKGATE_KEY`, else the home folder (`LOCKGATE_HOME`).
Every word below is imported when it is first used, so `import lockgate` costs nothing.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Any

import lockgate.predictions as room

WORDS = {
    "add_data": "lockgate.client.data:add",
    "train": "lockgate.client.train:train",
    "tune": "lockgate.client.tune:tune",
    "reproduce": "lockgate.client.train:reproduce",
    "steps": "lockgate.client.steps:steps",
    "submit": "lockgate.client.submit:submit",
    "validate": "lockgate.client.work:validate",
    "backtest": "lockgate.client.work:backtest",
    "score": "lockgate.client.work:score",
    "import_labels": "lockgate.client.predictions:import_labels",
    "start_release": "lockgate.client.releases:start",
    "release_status": "lockgate.client.releases:status",
    "rollback": "lockgate.client.releases:rollback",
    "LockgateError": "lockgate.errors:LockgateError",
}
__all__ = [
    "LockgateError",
    "add_data",
    "backtest",
    "import_labels",
    "predictions",
    "release_status",
    "reproduce",
    "rollback",
    "score",
    "start_release",
    "steps",
    "submit",
    "train",
    "tune",
    "validate",
]


class _CallableRoom(ModuleType):
    """`lockgate.predictions` is a room of the house and a word that people call: the room answers the call."""

    def __call__(self, model: str, **asked: Any) -> Any:
        """The predictions of a model as a polars frame: see `lockgate.client.predictions.predictions`."""
        return _word("lockgate.client.predictions:predictions")(model, **asked)


def __getattr__(name: str) -> Any:
    if name in WORDS:
        return _word(WORDS[name])
    raise AttributeError(f"lockgate has no '{name}'; its words are: {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _word(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


room.__class__ = _CallableRoom
