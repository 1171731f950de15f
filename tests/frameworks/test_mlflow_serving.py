"""MLflow's scoring server and ours, the same models behind both: every form of /invocations, asked by MLflow's own client."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from tests.frameworks.conftest import MlflowSide, live, wait_until_healthy
from tests.gateway.conftest import World

from lockgate.config import Home

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
SIDE = Path(__file__).parent / "mlflow_side"
MODELS = ("plain", "thresholds")
COLUMNS = ["loan_length", "debt_to_income_ratio"]


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def saved(side: MlflowSide) -> Path:
    """A folder with both models, as MLflow wrote them."""
    folder = side.folder / "saved"
    folder.mkdir()
    done = side.run("python", SIDE / "scoring.py", "save", folder, "rows.csv")
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def theirs(side: MlflowSide, saved: Path) -> Iterator[dict[str, int]]:
    """MLflow's own scoring servers: model -> port."""
    ports, processes = {}, []
    for model in MODELS:
        port = ports[model] = free_port()
        log = side.folder / f"{model}.log"
        words = [side.python.with_name("mlflow"), "models", "serve", "-m", saved / model, "-p", port,
                 "--env-manager", "local", "--host", "127.0.0.1"]  # fmt: skip
        environment = {**os.environ, "PATH": f"{side.python.parent}:{os.environ['PATH']}"}
        with log.open("wb") as out:
            process = subprocess.Popen(
                list(map(str, words)),
                stdout=out,
                stderr=out,
                cwd=side.folder,
                env=environment,
                start_new_session=True,
            )
        processes.append(process)
        wait_until_healthy(f"http://127.0.0.1:{port}", process, log)
    yield ports
    for process in processes:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


@pytest.fixture(scope="module")
def ours(side: MlflowSide, saved: Path) -> Iterator[World]:
    """The same folders submitted, live, and answered by one open gateway."""
    home = Home(side.folder / "serving")
    home.root.mkdir()
    # mlflow is there already: building it anew for one model takes minutes, and test_mlflow.py does
    (home.root / "config.yaml").write_text(f"environment: {{python: {side.python}}}\n")
    for model in MODELS:
        words = ("lockgate", "submit", saved / model, "--name", model, "--json")
        done = side.run(*words, LOCKGATE_HOME=str(home.root))
        assert done.returncode == 0, done.stderr[-3000:]
    with live(home, MODELS) as (world, _):
        yield world


def client_of(side: MlflowSide, port: int, params: dict[str, Any] | None, path: str = "") -> dict[str, Any]:
    """What MLflow's client understands."""
    said = [json.dumps(params)] if params is not None else []
    done = side.run("python", SIDE / "scoring.py", "ask", port, path, "rows.csv", *said)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def bodies(side: MlflowSide) -> list[tuple[str, str]]:
    """Content type and body of every form, for the first rows."""
    rows = pl.read_csv(side.folder / "rows.csv").select(pl.col(COLUMNS).cast(pl.Float64)).head(7)
    values, records = [list(row) for row in rows.rows()], rows.to_dicts()
    forms: list[dict[str, Any]] = [
        {"dataframe_split": {"columns": COLUMNS, "data": values, "index": list(range(7))}},
        {"dataframe_split": {"columns": COLUMNS[::-1], "data": [row[::-1] for row in values]}},
        {"dataframe_records": records},
        {"instances": records},
        {"inputs": rows.to_dict(as_series=False)},
        {
            "inputs": {name: [row[place] for row in values] for place, name in enumerate(COLUMNS)},
            "params": {},
        },
    ]
    return [("application/json", json.dumps(form)) for form in forms] + [
        ("text/csv", rows.write_csv()),
        ("text/csv; charset=UTF-8", rows.write_csv()),
    ]


@pytest.mark.parametrize("model", MODELS)
def test_every_form_is_answered_alike(
    side: MlflowSide, theirs: dict[str, int], ours: World, model: str
) -> None:
    """The same bodies to both servers: the same predictions in the same shape."""
    for kind, body in bodies(side):
        headers = {"content-type": kind}
        mlflows = httpx.post(
            f"http://127.0.0.1:{theirs[model]}/invocations", content=body, headers=headers, timeout=300
        )
        own = httpx.post(f"{ours.url}/models/{model}/invocations", content=body, headers=headers, timeout=300)
        assert mlflows.status_code == own.status_code == 200, (body[:200], mlflows.text, own.text)
        assert own.json()["predictions"] == mlflows.json()["predictions"], body[:200]


def test_what_one_refuses_the_other_refuses(theirs: dict[str, int], ours: World) -> None:
    """Another type, another charset, no form, two forms, no JSON: the same status from both."""
    for kind, body in (
        ("application/xml", "<a/>"),
        ("text/csv; charset=latin-1", "a\n1\n"),
        ("application/json", "{}"),
        ("application/json", '{"instances": [[1, 2]], "inputs": [[1, 2]]}'),
        ("application/json", "[[1, 2]]"),
        ("application/json", '{"inputs": '),
        ("application/json", '{"dataframe_records": [{"loan_length": 1.0}]}'),
    ):
        headers = {"content-type": kind}
        mlflows = httpx.post(
            f"http://127.0.0.1:{theirs['plain']}/invocations", content=body, headers=headers, timeout=300
        )
        own = httpx.post(f"{ours.url}/models/plain/invocations", content=body, headers=headers, timeout=300)
        assert own.status_code == mlflows.status_code, (body, mlflows.text, own.text)


@pytest.mark.parametrize(
    "params", [None, {"threshold": 10}, {"threshold": 6.5, "sign": "minus"}], ids=["none", "one", "two"]
)
def test_mlflows_client_with_params(
    side: MlflowSide, theirs: dict[str, int], ours: World, params: dict[str, Any] | None
) -> None:
    """A frame with params: MLflow's client reads the same of both servers."""
    mlflows = client_of(side, theirs["thresholds"], params)
    own = client_of(side, ours.port, params, "/models/thresholds")
    assert len(set(mlflows["frame"])) == 2
    assert own["frame"] == mlflows["frame"]


def test_params_of_one_batch_stay_apart(ours: World) -> None:
    """An unknown param is refused by name (MLflow passes over it); rows with different params are answered each by its own."""
    rows = {"dataframe_records": [{"loan_length": 20.0, "debt_to_income_ratio": 0.1}]}
    with httpx.Client(base_url=ours.url, timeout=60) as http:
        refused = http.post("/models/thresholds/invocations", json={**rows, "params": {"heat": 1}})
        assert refused.status_code == 400
        assert "takes no parameter 'heat'" in refused.json()["error"]
        frame = {
            "columns": [*COLUMNS, "threshold"],
            "data": [[20.0, 0.1, 10.0], [20.0, 0.1, 30.0], [20.0, 0.1, None]],
        }
        mixed = http.post("/models/thresholds/invocations", json={"dataframe_split": frame})
        assert mixed.json()["predictions"] == [1, 0, 1]
