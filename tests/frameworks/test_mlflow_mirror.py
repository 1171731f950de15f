"""Runs told to a real MLflow server: what it then knows, told once whatever happens, later when it was away."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from lockgate.clock import FakeClock
from lockgate.config import Home, ServerConfig
from lockgate.config_mirror import MirrorConfig
from lockgate.errors import Unavailable
from lockgate.monitor.watcher import place_of, put_place
from lockgate.pipelines.run import DataUsed, Made, Run, RunState
from lockgate.pipelines.store import Outcome, end_run, start_run
from lockgate.wiring.house import House, open_house
from lockgate.wiring.mirroring_mlflow import MlflowMirror, mlflow_mirror

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
MADE = Made(
    model="churn", pipeline="pipelines/churn.py", code="sha256:c", code_commit="abc", parameters={"depth": 4}, seed=7,
    data={"raw": DataUsed(name="loans", number=3, digest="sha256:" + "d" * 64, rows=10)},
)  # fmt: skip


@pytest.fixture
def house(home: Home, server: str) -> Iterator[House]:
    """A house whose runs are mirrored to the server, an experiment for each test."""
    (home.root / "config.yaml").write_text(f"mirror: {{mlflow: '{server}', experiment: '{home.root}'}}\n")
    opened = open_house(home)
    yield opened
    opened.close()


def run(house: House, state: RunState | None, clock: FakeClock, **outcome: Any) -> Run:
    """A run on record; `state` None: it runs still."""
    with house.db.write() as tx:
        made = start_run(tx, MADE, author="ada", why="test", at_us=clock.now_us())
        if state is not None:
            made = end_run(tx, made, state, Outcome(**outcome), at_us=clock.now_us())
        return made


def known(server: str, experiment: str) -> dict[str, dict[str, Any]]:
    """What the server knows of the runs of an experiment, by lockgate's number of the run."""
    api = f"{server}/api/2.0/mlflow"
    found = httpx.get(
        f"{api}/experiments/get-by-name", params={"experiment_name": experiment}, timeout=120
    ).json()
    wanted = {"experiment_ids": [found["experiment"]["experiment_id"]]}
    rows = httpx.post(f"{api}/runs/search", json=wanted, timeout=120).json().get("runs", [])
    names = [
        {one["key"]: one["value"] for one in row["data"]["tags"]}["lockgate.run"].rpartition(":")[2]
        for row in rows
    ]
    assert len(set(names)) == len(names), "a run was told twice"
    return dict(zip(names, rows, strict=True))


def mirror(house: House) -> MlflowMirror:
    """Who tells."""
    found = mlflow_mirror(house, "churn")
    assert isinstance(found, MlflowMirror)
    return found


def test_a_run_is_there_whole_and_once(house: House, server: str, clock: FakeClock) -> None:
    """Parameters, metrics, tags, data and how it ended; told again after a crash it is the same run; one that runs waits."""
    done = run(house, RunState.DONE, clock, metrics={"roc_auc": 0.91})
    running = run(house, None, clock)
    failed = run(house, RunState.FAILED, clock, error={"what": "step 'model' raised"})
    assert mirror(house).look(clock.now_us()).more is False
    rows = known(server, str(house.home.root))
    assert set(rows) == {str(done.id), str(failed.id)}
    data = rows[str(done.id)]["data"]
    assert {one["key"]: one["value"] for one in data["params"]} == {"depth": "4", "seed": "7"}
    assert [(one["key"], one["value"]) for one in data["metrics"]] == [("roc_auc", 0.91)]
    tags = {one["key"]: one["value"] for one in data["tags"]}
    assert tags["mlflow.source.git.commit"] == "abc"
    assert tags["lockgate.data.raw"] == f"loans@3 sha256:{'d' * 64}"
    assert rows[str(done.id)]["inputs"]["dataset_inputs"][0]["dataset"]["name"] == "loans@3"
    assert rows[str(done.id)]["info"]["status"] == "FINISHED"
    assert rows[str(failed.id)]["info"]["status"] == "FAILED"

    with house.db.write() as tx:  # as after a crash between the server's answer and our note of it
        put_place(tx, "mlflow:churn", b'{"after": 0}', clock.now_us())
    mirror(house).look(clock.now_us())
    with house.db.write() as tx:
        end_run(tx, running, RunState.DONE, Outcome(metrics={"roc_auc": 0.5}), at_us=clock.now_us())
    mirror(house).look(clock.now_us())
    assert set(known(server, str(house.home.root))) == {str(done.id), str(running.id), str(failed.id)}


def test_a_server_that_is_away_is_told_later(house: House, server: str, clock: FakeClock) -> None:
    """Nothing is lost and nothing is noted as told; a wrong token, or a deleted experiment, is said in the server's words."""
    done = run(house, RunState.DONE, clock)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = MirrorConfig(mlflow=f"http://127.0.0.1:{port}", experiment=str(house.home.root))
    with pytest.raises(Unavailable, match=r"does not hear of runs.*told later"):
        MlflowMirror(house, "churn", away).look(clock.now_us())
    with house.db.read() as tx:
        assert place_of(tx, "mlflow:churn") is None
    mirror(house).look(clock.now_us())
    assert set(known(server, str(house.home.root))) == {str(done.id)}
    api, named = f"{server}/api/2.0/mlflow/experiments", {"experiment_name": str(house.home.root)}
    found = httpx.get(f"{api}/get-by-name", params=named, timeout=120).json()["experiment"]
    gone = httpx.post(f"{api}/delete", json={"experiment_id": found["experiment_id"]}, timeout=120)
    gone.raise_for_status()
    run(house, RunState.DONE, clock)
    with pytest.raises(Unavailable, match=r"the MLflow server refuses runs/create.*deleted"):
        mirror(house).look(clock.now_us())


def test_without_a_word_in_the_settings_nobody_is_told() -> None:
    """Mirroring is off until config.yaml names a server."""
    assert ServerConfig().mirror is None
    assert msgspec.convert({"mirror": {"mlflow": "http://tracking:5000"}}, ServerConfig).mirror is not None
