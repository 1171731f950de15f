"""Runs as an MLflow server takes them, within its limits."""

from __future__ import annotations

import msgspec

from lockgate.pipelines.mlflow_bodies import batches, ended, inputs, started, tags_of
from lockgate.pipelines.run import DataUsed, Made, Run, RunState
from lockgate.wiring.mirroring_mlflow import _moved, _Place

MADE = Made(
    model="churn", pipeline="pipelines/churn.py", code="sha256:c", code_commit="abc-dirty",
    parameters={"depth": 4, "grid": [1, 2]}, seed=7,
    data={"raw": DataUsed(name="loans", number=3, digest="sha256:" + "d" * 64, rows=10)},
)  # fmt: skip
RUN = Run(id=12, made=MADE, state=RunState.DONE, author="ada", started_us=5_000_000, ended_us=9_000_000,
          metrics={"roc_auc": 0.91}, version=2)  # fmt: skip


def test_a_run_is_params_metrics_tags_and_data() -> None:
    """Whatever is on record of a run has its place there, under MLflow's own names where it has one."""
    assert started(RUN, "1", "/home/a")["start_time"] == 5_000
    params, metrics, tags = batches(RUN, "sha256:p")
    assert params["params"] == [
        {"key": "depth", "value": "4"}, {"key": "grid", "value": "[1, 2]"}, {"key": "seed", "value": "7"}]  # fmt: skip
    assert metrics["metrics"] == [{"key": "roc_auc", "value": 0.91, "timestamp": 9_000, "step": 0}]
    said = tags_of(RUN, "sha256:p")
    assert said["mlflow.source.git.commit"] == "abc-dirty"
    assert said["lockgate.version"] == "churn/2"
    assert said["lockgate.data.raw"].startswith("loans@3 sha256:dd")
    assert len(tags["tags"]) == len(said)  # type: ignore[arg-type]
    (data,) = inputs(RUN)
    assert data["dataset"]["digest"] == "d" * 36  # type: ignore[index]
    assert ended(RUN) == {"status": "FINISHED", "end_time": 9_000}


def test_what_is_too_long_or_too_much_is_cut_into_batches() -> None:
    """A hundred parameters a batch, values of 6,000 letters, names of letters that the server knows; a failure says why."""
    many = {f"p{number}": "x" * 9_000 for number in range(230)} | {"ünter=1": True}
    failed = msgspec.structs.replace(
        RUN, made=msgspec.structs.replace(MADE, parameters=many), state=RunState.LOST, version=None, metrics={},
        error={"what": "step 'model' raised"},
    )  # fmt: skip
    found = batches(failed, None)
    sizes = [len(one["params"]) for one in found if "params" in one]  # type: ignore[arg-type]
    assert sizes == [100, 100, 32]
    values = [each["value"] for one in found if "params" in one for each in one["params"]]  # type: ignore[attr-defined]
    assert max(map(len, values)) == 6_000
    names = {each["key"] for one in found if "params" in one for each in one["params"]}  # type: ignore[attr-defined]
    assert "_nter_1" in names
    assert tags_of(failed, None)["lockgate.error"] == "step 'model' raised"
    assert ended(failed)["status"] == "KILLED"


def test_every_state_has_its_word_there() -> None:
    """Also a trial that its search ended early: one run that cannot be told would hold up all after it."""
    words = {state: ended(msgspec.structs.replace(RUN, state=state))["status"] for state in RunState}
    assert words[RunState.STOPPED] == "KILLED"
    assert set(words.values()) == {"RUNNING", "FINISHED", "FAILED", "KILLED"}


def test_the_place_waits_for_the_oldest_that_runs() -> None:
    """A run that ended before an older one is told at once, and once; the place moves on when the older one was told."""
    place = _moved(_Place(3), 6, [4, 5, 6])
    assert place == _Place(3, (6,))
    place = _moved(place, 4, [4, 5])
    assert place == _Place(4, (6,))
    assert _moved(place, 5, [5]) == _Place(6, ())
