"""Runs as OpenLineage events, for catalogues that draw who was made from what.

Source: OpenLineage specification 2-0-2, RunEvent. Where events go is said by the variables that OpenLineage's own clients read:
OPENLINEAGE_URL, OPENLINEAGE_ENDPOINT (default api/v1/lineage), OPENLINEAGE_API_KEY, OPENLINEAGE_NAMESPACE.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from lockgate.clock import iso
from lockgate.pipelines.run import Run, RunState

PRODUCER = "urn:lockgate"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
FACETS = "https://openlineage.io/spec/facets"
NAMESPACE = "lockgate"
TYPES = {
    RunState.RUNNING: "START",
    RunState.DONE: "COMPLETE",
    RunState.FAILED: "FAIL",
    RunState.STOPPED: "ABORT",
    RunState.LOST: "ABORT",
}


def event_of(run: Run, home: str, namespace: str = NAMESPACE) -> dict[str, object]:
    """The event that says how far a run is. `home`: tells the runs of two boxes apart."""
    made = run.made
    inputs = [
        {"namespace": namespace, "name": used.name,
         "facets": {"version": _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=f"{used.number} {used.digest}")}}
        for used in made.data.values()
    ]  # fmt: skip
    outputs = []
    if run.version is not None:
        facets = {"version": _facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=str(run.version))}
        outputs = [{"namespace": namespace, "name": made.model, "facets": facets}]
    return {
        "eventType": TYPES[run.state],
        "eventTime": iso(run.ended_us or run.started_us),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": run_id(run, home), "facets": _of_run(run)},
        "job": {
            "namespace": namespace,
            "name": f"{made.model}.{made.pipeline}",
            "facets": _of_job(made.code_commit),
        },
        "inputs": inputs,
        "outputs": outputs,
    }


def run_id(run: Run, home: str) -> str:
    """The same UUID for every event of a run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"lockgate:{home}:{run.id}"))


def _of_run(run: Run) -> dict[str, object]:
    facets: dict[str, object] = {"lockgate_run": _facet(
        "", run=run.id, code=run.made.code, seed=run.made.seed, metrics=run.metrics,
        parameters={name: str(value) for name, value in run.made.parameters.items()},
    )}  # fmt: skip
    if run.error is not None:
        message = str(run.error.get("error") or run.error.get("what"))
        facets["errorMessage"] = _facet(
            "1-0-1/ErrorMessageRunFacet", message=message, programmingLanguage="PYTHON"
        )
    return facets


def _of_job(commit: str | None) -> dict[str, object]:
    if commit is None:
        return {}
    return {
        "sourceCodeLocation": _facet(
            "1-1-0/SourceCodeLocationJobFacet", type="git", url="urn:git", version=commit
        )
    }


def _facet(schema: str, **values: object) -> Mapping[str, object]:
    name = schema.partition("/")[2]
    place = f"{FACETS}/{schema}.json#/$defs/{name}" if schema else f"{PRODUCER}:run"
    return {"_producer": PRODUCER, "_schemaURL": place, **values}
