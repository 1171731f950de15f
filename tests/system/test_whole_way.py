"""From a file to a guarded endpoint by the command line; then every protocol gives the answer that scikit-learn gives."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pandas as pd
import pytest
import tritonclient.http as triton
from tests.system.box import Box, ok, submit_words
from tests.system.loans import FEATURES, WORDS, Loans, infer

pytestmark = pytest.mark.timeout(300)
ROWS = 5


def go_live(box: Box, name: str, *, say=None) -> None:
    """Validate and release a version and wait until callers get it."""
    say = say or box.far
    assert f"next: lockgate release {name}" in ok(say("validate", name))
    assert "What this plan cannot see" in ok(say("release", name, "--reason", "ready", "--set", "watch_s=1"))
    model = name.split("/", maxsplit=1)[0]
    box.wait_for_phase(model, "done")


@pytest.fixture(scope="module")
def live(box: Box, loans: Loans) -> Box:
    """The box with loan/1 live and the model that does not compile, strict/1, live too."""
    said = ok(box.far(*submit_words(loans.path("first"), "loan", loans.data)))
    assert "loan/1 is sealed: sha256:" in said
    assert "compiled to ONNX with proven parity" in said
    go_live(box, "loan/1")
    code = ("--code", str(loans.folder / "strict_steps.py"))
    said = ok(box.far(*submit_words(loans.path("strict"), "strict", loans.data), *code))
    assert "stays a Python model" in said
    assert "its step strict_steps.Strict has no ONNX form" in said
    go_live(box, "strict/1")
    return box


def wanted(loans: Loans, name: str) -> np.ndarray:
    """What scikit-learn itself says of the first rows: probabilities, n x 2."""
    return loans.model(name).predict_proba(loans.rows[FEATURES].iloc[:ROWS])


def check(found: np.ndarray, loans: Loans, name: str) -> None:
    """The same figures; exactly those where the very pipeline answers, to float32 where it was compiled."""
    exact = name == "strict"
    np.testing.assert_allclose(
        np.asarray(found, dtype=float).reshape(ROWS, 2), wanted(loans, name), atol=1e-9 if exact else 1e-5
    )


@pytest.mark.parametrize(("model", "name"), [("loan", "first"), ("strict", "strict")])
def test_open_inference_json(live: Box, loans: Loans, model: str, name: str) -> None:
    """Plain JSON, as curl sends it: one tensor a column."""
    rows = loans.rows[FEATURES].iloc[:ROWS]
    inputs = [
        {"name": field, "shape": [ROWS], "datatype": "BYTES" if field in WORDS else "FP64",
         "data": rows[field].tolist()}
        for field in FEATURES
    ]  # fmt: skip
    with live.client() as client:
        answer = client.post(f"/v2/models/{model}/infer", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    check(outputs["probability"]["data"], loans, name)
    assert outputs["prediction"]["data"] == loans.model(name).predict(rows).tolist()
    assert answer.headers["x-lockgate-version"] == f"{model}/1"


@pytest.mark.parametrize(("model", "name"), [("loan", "first"), ("strict", "strict")])
def test_triton_client(live: Box, loans: Loans, model: str, name: str) -> None:
    """`tritonclient[http]` as it is, with its binary tensors."""
    rows = loans.rows[FEATURES].iloc[:ROWS]
    tensors = []
    for field in FEATURES:
        values = rows[field].to_numpy()
        tensor = triton.InferInput(field, [ROWS], "BYTES" if field in WORDS else "FP64")
        tensor.set_data_from_numpy(values.astype(object if field in WORDS else float))
        tensors.append(tensor)
    client = triton.InferenceServerClient(live.gateway.removeprefix("http://"))
    try:
        headers = {"authorization": f"Bearer {live.key}"}
        answer = client.infer(model, tensors, headers=headers)
        check(answer.as_numpy("probability"), loans, name)
        assert client.is_model_ready(model, headers=headers)
    finally:
        client.close()


@pytest.mark.parametrize(("model", "name"), [("loan", "first"), ("strict", "strict")])
def test_mlflow_invocations(live: Box, loans: Loans, model: str, name: str) -> None:
    """What MLflow's clients send: `dataframe_split` with its index, and records."""
    rows = loans.rows[FEATURES].iloc[:ROWS]
    split = rows.to_dict(orient="split")
    with live.client() as client:
        by_split = client.post(f"/models/{model}/invocations", json={"dataframe_split": split})
        records = {"dataframe_records": rows.to_dict(orient="records")}
        by_records = client.post("/invocations", json=records, headers={"x-lockgate-model": model})
    assert by_split.status_code == by_records.status_code == 200, by_split.text + by_records.text
    assert by_split.json() == by_records.json()
    check(by_split.json()["outputs"]["probability"], loans, name)
    assert by_split.json()["predictions"] == loans.model(name).predict(rows).tolist()


def test_curl_as_the_first_start_prints_it(live: Box, loans: Loans) -> None:
    """The very line that `lockgate up` printed, with the model's name put in, gets a prediction."""
    (line,) = [line.strip() for line in live.said().splitlines() if line.strip().startswith("curl ")]
    (live.folder / "request.json").write_text(json.dumps(infer(loans.row(0))))
    done = subprocess.run(
        ["bash", "-c", line.replace("MODEL", "loan")],
        capture_output=True,
        text=True,
        cwd=live.folder,
        check=True,
    )
    (probability,) = [o["data"] for o in json.loads(done.stdout)["outputs"] if o["name"] == "probability"]
    np.testing.assert_allclose(probability, wanted(loans, "first")[0], atol=1e-5)


def test_every_answer_is_on_record_with_who_asked(live: Box, loans: Loans) -> None:
    """The command line shows each answer with its inputs, outputs, version and key."""
    with live.client() as client:
        answer = client.post(
            "/v2/models/loan/infer", json=infer(loans.row(3), key="loan-3", name="my-own-id")
        )
    assert answer.status_code == 200
    lines = ok(live.far("log", "loan", "--since", "10m", "--where", "key = 'loan-3'", "--json")).splitlines()
    (row,) = [json.loads(line) for line in lines]
    assert (row["inference_id"], row["version"], row["status"]) == ("my-own-id", 1, 200)
    assert row["id"] == answer.headers["x-lockgate-request-id"]
    assert {name: row[f"in.{name}"] for name in FEATURES} == pytest.approx(loans.row(3))


def test_a_table_scored_in_batch_gets_the_same_answers(live: Box, loans: Loans) -> None:
    """`lockgate score` on many rows: cell by cell what scikit-learn says."""
    table, target = live.folder / "rows.parquet", live.folder / "scored.parquet"
    rows = loans.rows[FEATURES].iloc[:500]
    rows.to_parquet(table, index=False)
    ok(live.far("score", "loan@live", str(table), "-o", str(target)))
    scored = pd.read_parquet(target)
    assert scored["prediction"].tolist() == loans.model("first").predict(rows).tolist()


def test_nothing_died_on_the_way_and_the_audit_log_verifies(live: Box) -> None:
    """The supervisor had nothing to report, and the chain holds."""
    assert "exited" not in live.said()
    ok(live.far("audit", "verify"))
