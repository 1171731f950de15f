"""Every event that lockgate sends, read by OpenLineage's own published model: its classes are made from the schemas."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import msgspec
import pytest
from tests.frameworks.conftest import library_environment
from tests.pipelines.test_openlineage import RUN

from lockgate.pipelines.openlineage import event_of
from lockgate.pipelines.run import RunState

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(1800)]
PACKAGES = ("openlineage-python==1.54.0",)
REBUILD = """
import importlib, json, pkgutil, sys
from openlineage.client import generated
from openlineage.client.generated.base import (
    BaseFacet, EventType, InputDataset, Job, OutputDataset, Run, RunEvent
)
from openlineage.client.serde import Serde

for module in pkgutil.iter_modules(generated.__path__):
    importlib.import_module(f"{generated.__name__}.{module.name}")

def below(kind):
    return {kind, *(each for child in kind.__subclasses__() for each in below(child))}

KNOWN = {kind._get_schema(): kind for kind in below(BaseFacet)}

def facets(said):
    made, own = {}, {}
    for name, facet in said.items():
        fields = {key: value for key, value in facet.items() if not key.startswith("_")}
        kind = KNOWN.get(facet["_schemaURL"])
        if kind is None:
            own[name] = facet["_schemaURL"]
            continue
        made[name] = kind(producer=facet["_producer"], **fields)
    return made, own

def same(said, made, own):
    return {k: v for k, v in said.items() if k not in own} == {k: Serde.to_dict(v) for k, v in made.items()}

answers = []
for event in json.load(sys.stdin):
    held, own = True, {}
    def take(part):
        global held
        made, mine = facets(part["facets"])
        held = held and same(part["facets"], made, mine)
        own.update(mine)
        return made
    RunEvent(
        eventType=EventType[event["eventType"]], eventTime=event["eventTime"], producer=event["producer"],
        run=Run(runId=event["run"]["runId"], facets=take(event["run"])),
        job=Job(namespace=event["job"]["namespace"], name=event["job"]["name"], facets=take(event["job"])),
        inputs=[InputDataset(namespace=one["namespace"], name=one["name"], facets=take(one)) for one in event["inputs"]],
        outputs=[OutputDataset(namespace=one["namespace"], name=one["name"], facets=take(one)) for one in event["outputs"]],
    )
    answers.append({"held": held, "own": own, "schema": event["schemaURL"] == RunEvent._get_schema(), "top": sorted(event)})
json.dump(answers, sys.stdout)
"""


def rebuilt(events: list[Any]) -> list[dict[str, Any]]:
    """What the model says of each: whether every facet is one of its own to the last field, and which facets are ours."""
    python = library_environment("openlineage", *PACKAGES)
    done = subprocess.run(
        [str(python), "-I", "-c", REBUILD],
        input=json.dumps(events),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    answers: list[dict[str, Any]] = json.loads(done.stdout)
    return answers


def test_every_event_is_one_of_the_published_model() -> None:
    """A start, every kind of end, an error, a run without a commit: known facets hold their schema's fields; ours is one."""
    runs = [msgspec.structs.replace(RUN, state=state, ended_us=1_700_000_001_000_000) for state in RunState]
    runs.append(msgspec.structs.replace(runs[1], version=2, metrics={"auc": 0.9}))
    runs.append(
        msgspec.structs.replace(
            RUN, state=RunState.FAILED, error={"what": "step 'model' raised", "error": "boom"}
        )
    )
    runs.append(
        msgspec.structs.replace(RUN, made=msgspec.structs.replace(RUN.made, code_commit=None, data={}))
    )
    told = rebuilt([event_of(run, "/home") for run in runs])
    required = {"eventTime", "eventType", "inputs", "job", "outputs", "producer", "run", "schemaURL"}
    for answer in told:
        assert answer["held"]
        assert answer["schema"]
        assert answer["own"] == {"lockgate_run": "urn:lockgate:run"}
        assert set(answer["top"]) == required


def test_the_model_refuses_what_is_wrong() -> None:
    """An event whose facet lacks a field, or has another, does not pass: the check above can fail."""
    event: Any = event_of(RUN, "/home")
    wrong = json.loads(json.dumps(event))
    wrong["inputs"][0]["facets"]["version"]["number"] = 3
    with pytest.raises(AssertionError, match="number"):
        rebuilt([wrong])
