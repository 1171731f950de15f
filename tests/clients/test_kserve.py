"""KServe's clients: over REST by v1 and v2, and over gRPC. In short with the bytes that they send, in long with themselves."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest
from tests.gateway.conftest import KEY, World, logistic
from tritonclient.grpc import service_pb2

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])
PROBABILITY = logistic(ROWS).tolist()
# what kserve 0.21.0 sent
TENSORS = ROWS.T.astype("<f4").tobytes()
HEAD = (
    b'{"id":"order-9","model_name":"churn","inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":'
    b'{"binary_data_size":8}},{"name":"b","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},'
    b'{"name":"c","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}],'
    b'"parameters":{"binary_data_output":true}}'
)
JSON = (
    b'{"id":"order-9","model_name":"churn","inputs":[{"name":"a","shape":[2],"datatype":"FP32","data":[1.0,4.0]},'
    b'{"name":"b","shape":[2],"datatype":"FP32","data":[2.0,5.0]},{"name":"c","shape":[2],"datatype":"FP32",'
    b'"data":[3.0,-6.0]}],"parameters":{"binary_data_output":false}}'
)
CONTENTS = b"\n\x05churn\x1a\x07order-9" + b"".join(
    b"*\x18\n\x01" + name + b"\x12\x04FP32\x1a\x01\x02*\n2\x08" + column.tobytes()
    for name, column in zip((b"a", b"b", b"c"), ROWS.T, strict=True)
)
RAW = (
    b"\n\x05churn\x1a\x07order-9"
    + b"".join(
        b"*$\n\x01" + name + b'\x12\x04FP32\x1a\x01\x02"\x16\n\x10binary_data_size\x12\x02\x10\x08'
        for name in (b"a", b"b", b"c")
    )
    + b"".join(b":\x08" + column.tobytes() for column in ROWS.T)
)


def test_its_json_and_binary_requests_are_answered(speaking: tuple[World, int]) -> None:
    """The very bytes of both forms; the answer has the form that was asked for."""
    world, _ = speaking
    with world.client() as client:
        plain = client.post("/v2/models/churn/infer", content=JSON)
        binary = client.post(
            "/v2/models/churn/infer",
            content=HEAD + TENSORS,
            headers={
                "inference-header-content-length": str(len(HEAD)),
                "content-type": "application/octet-stream",
            },
        )
    assert plain.json()["id"] == "order-9"
    assert world.outputs(plain)["probability"] == pytest.approx(PROBABILITY, rel=1e-4)
    length = int(binary.headers["inference-header-content-length"])
    outputs = json.loads(binary.content[:length])["outputs"]
    assert [one["parameters"]["binary_data_size"] for one in outputs] == [16, 8]
    assert np.frombuffer(binary.content[length + 16 :], "<f4") == pytest.approx(PROBABILITY, rel=1e-4)


@pytest.mark.parametrize("body", [CONTENTS, RAW], ids=["contents", "raw"])
def test_its_messages_are_answered(speaking: tuple[World, int], body: bytes) -> None:
    """Over gRPC, with typed contents and raw."""
    with grpc.insecure_channel(f"127.0.0.1:{speaking[1]}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answer = service_pb2.ModelInferResponse.FromString(call(body, metadata=(("x-api-key", KEY),)))
    found = (
        np.frombuffer(answer.raw_output_contents[1], "<f4")
        if body is RAW
        else answer.outputs[1].contents.fp32_contents
    )
    assert list(found) == pytest.approx(PROBABILITY, rel=1e-4)


def test_its_questions_about_state_are_answered(speaking: tuple[World, int]) -> None:
    """What the client reads of each answer: `live`, `ready`, `status`, and the words of an error."""
    world, _ = speaking
    with world.client() as client:
        assert client.get("/v2/health/live").json()["live"] is True
        assert client.get("/v2/health/ready").json()["ready"] is True
        assert client.get("/v1/models/churn").json()["ready"] is True
        assert client.get("/").json()["status"] == "alive"
    refused = httpx.post(f"{world.url}/v1/models/churn:predict", json={"instances": []})
    assert refused.headers["content-type"] == "application/json"
    assert refused.json()["error"].startswith("no key was sent")


@pytest.mark.frameworks
@pytest.mark.timeout(900)
def test_kserves_own_clients(speaking: tuple[World, int], kserve_python: Path) -> None:
    """REST by v1 and v2, JSON and binary, gRPC with contents and raw: the same answer, and errors that say why."""
    world, port = speaking
    program = Path(__file__).parent / "kserve_side/ask.py"
    command = [str(kserve_python), str(program), world.url, f"127.0.0.1:{port}", KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for question in (
        "live",
        "ready",
        "model",
        "v1 live",
        "v1 model",
        "grpc live",
        "grpc ready",
        "grpc model",
    ):
        assert found[question] is True, question
    for form in ("json", "binary", "grpc contents", "grpc raw"):
        answer = found[form]
        assert (answer["id"], answer["model"]) == ("order-9", "churn")
        assert answer["outputs"]["prediction"] == [1, 0]
        assert answer["outputs"]["probability"] == pytest.approx(PROBABILITY, rel=1e-4)
    assert found["v1"] == {"predictions": [1, 0]}
    assert "no key was sent" in found["no key"]
    assert "explanations are not given" in found["explain"]
