"""Whatever callers send to a real model: the right status, a sentence that says what to do, a record, and all goes on."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tests.system.box import Box, ok, submit_words
from tests.system.loans import FEATURES, WORDS, Loans, infer
from tritonclient.utils import InferenceServerException

pytestmark = pytest.mark.timeout(300)
INFER = "/v2/models/loan/infer"


@pytest.fixture(scope="module")
def live(box: Box, loans: Loans) -> Box:
    """loan/1 is live."""
    ok(box.far(*submit_words(loans.path("first"), "loan", loans.data)))
    ok(box.far("validate", "loan/1"))
    ok(box.far("release", "loan/1", "--set", "watch_s=0"))
    box.wait_for_phase("loan", "done")
    return box


def on_record(box: Box, answer: httpx.Response) -> dict[str, Any]:
    """The record of a refused request, found by the id that the caller was told."""
    number = answer.headers["x-lockgate-request-id"]
    (row,) = box.log("loan", where=f"id = '{number}'")
    assert row["status"] == answer.status_code
    return row


def changed(loans: Loans, **fields: Any) -> dict[str, Any]:
    """A good row with some fields replaced; None takes one away."""
    row = {**loans.row(0), **fields}
    return {name: value for name, value in row.items() if value is not None}


BAD = {
    "a column is missing": ({"car_value": None}, "'car_value' is missing"),
    "text for a number": ({"car_value": "a lot"}, "'car_value' must be a number"),
    "a number for text": ({"salary_range": 3}, "'salary_range'"),
    "NaN": ({"car_value": float("nan")}, "JSON knows neither NaN nor Infinity: send null"),
    "a list for a number": ({"car_value": [1, 2]}, "'car_value'"),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_columns_by_open_inference(live: Box, loans: Loans, case: str) -> None:
    """400, the field by name, no other field, on record."""
    fields, words = BAD[case]
    with live.client() as client:
        body = json.dumps(infer(changed(loans, **fields)))
        answer = client.post(INFER, content=body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]
    assert "driver_tenure" not in answer.json()["error"]
    assert on_record(live, answer)["error"]


@pytest.mark.parametrize("case", BAD)
def test_wrong_columns_by_invocations(live: Box, loans: Loans, case: str) -> None:
    """The same sentence by the other protocol, which reads NaN as a missing value."""
    fields, words = BAD[case]
    words = {"NaN": "'car_value' holds a missing value"}.get(case, words)
    with live.client() as client:
        body = json.dumps({"dataframe_records": [changed(loans, **fields)]})
        answer = client.post("/models/loan/invocations", content=body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["error"]
    assert on_record(live, answer)["error"]


def test_a_missing_value_where_the_model_takes_none(live: Box, loans: Loans) -> None:
    """null in JSON and NaN in binary tensors are missing values, and refused by the field's name."""
    asked = infer(loans.row(0))
    asked["inputs"][0]["data"] = [None]
    with live.client() as client:
        answer = client.post(INFER, json=asked)
    assert answer.status_code == 400
    assert "'car_value' holds a missing value" in answer.json()["error"]
    tensors = []
    for field in FEATURES:
        value = loans.row(0)[field] if field in WORDS else float("nan")
        tensor = triton.InferInput(field, [1], "BYTES" if field in WORDS else "FP64")
        tensor.set_data_from_numpy(np.array([value], dtype=object if field in WORDS else float))
        tensors.append(tensor)
    client = triton.InferenceServerClient(live.gateway.removeprefix("http://"))
    with pytest.raises(InferenceServerException, match="holds a missing value") as refusal:
        client.infer("loan", tensors, headers={"authorization": f"Bearer {live.key}"})
    client.close()
    assert refusal.value.status() == "400"


@pytest.mark.parametrize("body", [b"", b"{", b"[1, 2]", b"null", b"\xff\x00", b'{"inputs": []}'])
@pytest.mark.parametrize("path", [INFER, "/models/loan/invocations"])
def test_empty_and_broken_bodies(live: Box, body: bytes, path: str) -> None:
    """400 in JSON with a sentence, on record, by both protocols."""
    with live.client() as client:
        answer = client.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert ("the body is empty" in answer.json()["error"]) == (body == b"")
    assert "next: send " in answer.json()["error"]
    assert on_record(live, answer)["rows"] == 0


def test_a_hundred_megabytes(live: Box) -> None:
    """413 that names the limit and how to raise it; nothing of it is kept."""
    with live.client() as client:
        answer = client.post(INFER, content=b"0" * 100_000_000)
    assert answer.status_code == 413
    assert "16" in answer.json()["error"]
    assert "next: " in answer.json()["error"]


def test_unknown_models_and_keys(live: Box, loans: Loans) -> None:
    """404 for a model that is not there, 401 without a key that is known, with what to do."""
    with live.client() as client:
        unknown = client.post("/v2/models/laon/infer", json=infer(loans.row(0)))
    assert (unknown.status_code, "no model 'laon'" in unknown.json()["error"]) == (404, True)
    for key in ("", "lg_guess"):
        with live.client(key) as client:
            refusal = client.post(INFER, json=infer(loans.row(0)))
        assert refusal.status_code == 401
        assert "lockgate key create" in refusal.json()["error"]


def test_the_api_of_the_console(live: Box) -> None:
    """Bad JSON, unknown paths and methods, wrong types and bodies without end: JSON with a sentence, never a page or a 500."""
    cases = [
        ("POST", "/models/loan/releases", {"content": b"{"}, (400, 422)),
        ("POST", "/models/loan/releases", {"json": {"version": "1", "wrong": 1}}, (400, 422)),
        ("POST", "/models/loan/releases", {"json": {"version": "999"}}, (404,)),
        ("POST", "/models/loan/versions", {"content": b"x" * 1000}, (400, 422)),
        ("GET", "/models/nothing", {}, (404,)),
        ("GET", "/nothing", {}, (404,)),
        ("DELETE", "/models/loan", {}, (404, 405)),
        ("GET", "/models/loan/log", {"params": {"where": "1; DROP TABLE x"}}, (400,)),
        ("GET", "/models/loan/log", {"params": {"since": "soon"}}, (400,)),
        ("GET", "/models/loan/log", {"params": {"limit": "many"}}, (400, 422)),
        ("PUT", "/policies/low", {"content": b"x" * 20_000_000}, (400, 413, 422)),
    ]
    for method, path, request, statuses in cases:
        answer = live.api(method, path, **request)
        assert answer.status_code in statuses, (method, path, answer.status_code, answer.text[:300])
        assert len(answer.json()["error"]) > 10, (method, path, answer.text)


def test_all_goes_on(live: Box, loans: Loans) -> None:
    """After all of that: the same worker answers as ever, and nothing died."""
    with live.client() as client:
        assert client.post(INFER, json=infer(loans.row(0))).status_code == 200
    assert "exited" not in live.said()
    assert "internal error" not in (live.home.run / "gateway-0.log").read_text()
    assert "internal error" not in (live.home.run / "console.log").read_text()
