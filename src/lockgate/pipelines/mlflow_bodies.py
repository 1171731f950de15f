"""Runs as an MLflow server takes them over its REST API: parameters, metrics, tags and data. Pure.

Limits are the server's own (3.17: parameters of 6,000 letters, tags of 8,000, names of 250; 100, 100 and 1,000 in a batch).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from lockgate.pipelines.run import Run, RunState

RUN_TAG = "lockgate.run"
MOST_PARAMS, MOST_TAGS, MOST_METRICS = 100, 100, 1_000
NAME_LETTERS, VALUE_LETTERS, TAG_LETTERS = 250, 6_000, 8_000
DIGEST_LETTERS = 36
STATUS = {
    RunState.RUNNING: "RUNNING",
    RunState.DONE: "FINISHED",
    RunState.FAILED: "FAILED",
    RunState.STOPPED: "KILLED",
    RunState.LOST: "KILLED",
}
_FOREIGN = re.compile(r"[^\w\-./ :]", re.ASCII)


def started(run: Run, experiment: str, home: str) -> dict[str, object]:
    """The body of runs/create."""
    return {
        "experiment_id": experiment, "run_name": f"{run.model} run {run.id}", "start_time": run.started_us // 1000,
        "tags": [{"key": RUN_TAG, "value": known_as(run, home)}],
    }  # fmt: skip


def known_as(run: Run, home: str) -> str:
    """What tells this run from those of other boxes that use the same server."""
    return f"{home}:{run.id}"


def batches(run: Run, package: str | None) -> list[dict[str, object]]:
    """Bodies of runs/log-batch, without the server's own id. `package`: digest of the version that the run made."""
    parameters = {**run.made.parameters, "seed": run.made.seed}
    params = [
        {"key": _name(key), "value": _text(value)[:VALUE_LETTERS]}
        for key, value in sorted(parameters.items())
    ]
    at_ms = (run.ended_us or run.started_us) // 1000
    metrics: list[dict[str, object]] = [{"key": _name(key), "value": value, "timestamp": at_ms, "step": 0}
                                        for key, value in sorted(run.metrics.items())]  # fmt: skip
    tags = [
        {"key": _name(key), "value": value[:TAG_LETTERS]}
        for key, value in sorted(tags_of(run, package).items())
    ]
    made: list[dict[str, object]] = []
    made += [{"params": part} for part in _pieces(params, MOST_PARAMS)]
    made += [{"metrics": part} for part in _pieces(metrics, MOST_METRICS)]
    made += [{"tags": part} for part in _pieces(tags, MOST_TAGS)]
    return made


def tags_of(run: Run, package: str | None) -> dict[str, str]:
    """Who, from what, with which outcome; MLflow's own names where it has one."""
    made = run.made
    said: dict[str, str | None] = {
        "mlflow.user": run.author, "mlflow.source.type": "PROJECT", "mlflow.source.name": made.pipeline,
        "mlflow.source.git.commit": made.code_commit, "lockgate.model": run.model, "lockgate.code": made.code,
        "lockgate.state": run.state.value, "lockgate.python": made.python or None, "lockgate.why": run.why or None,
        "lockgate.version": f"{run.model}/{run.version}" if run.version is not None else None, "lockgate.package": package,
        "lockgate.error": str(run.error.get("error") or run.error.get("what")) if run.error else None,
        "lockgate.machine": run.machine.host or None,
    }  # fmt: skip
    data = {
        f"lockgate.data.{role}": f"{used.name}@{used.number} {used.digest}"
        for role, used in made.data.items()
    }
    return {name: value for name, value in {**said, **data}.items() if value}


def inputs(run: Run) -> list[dict[str, object]]:
    """The data sets of runs/log-inputs."""
    made: list[dict[str, object]] = []
    for role, used in run.made.data.items():
        name = f"{used.name}@{used.number}"
        source = json.dumps({"version": name, "digest": used.digest, "rows": used.rows})
        digest = used.digest.partition(":")[2][:DIGEST_LETTERS]
        dataset = {"name": name, "digest": digest, "source_type": "lockgate", "source": source}
        made.append({"tags": [{"key": "mlflow.data.context", "value": role}], "dataset": dataset})
    return made


def ended(run: Run) -> dict[str, object]:
    """The body of runs/update, without the server's own id."""
    return {"status": STATUS[run.state], "end_time": (run.ended_us or run.started_us) // 1000}


def _name(given: str) -> str:
    return _FOREIGN.sub("_", given)[:NAME_LETTERS]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _pieces(rows: Iterable[Mapping[str, Any]], most: int) -> list[list[Mapping[str, Any]]]:
    left = iter(rows)
    return list(iter(lambda: list(islice(left, most)), []))
