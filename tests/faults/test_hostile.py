"""Hostile requests over every address of the gateway: no 5xx, no crash, memory that stays where it is."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from tests.faults.hostile import DEEP, Asked, http, requests, status_of
from tests.faults.memory import pss_mb
from tests.gateway.conftest import KEY

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")  # some requests are long
GRPC_METHODS = ["ModelInfer", "ModelMetadata", "ModelReady", "ServerLive", "RepositoryModelLoad", "Nothing"]


def addresses(world: Any) -> list[str]:
    """Every address of the gateway's own description, with real and unreal models and versions in it."""
    paths = httpx.get(f"{world.url}/openapi.json").json()["paths"]
    filled = []
    for path in paths:
        for model, version in (("churn", "1"), ("nobody", "99"), ("%00", "-1"), ("churn", "9" * 30)):
            filled.append(path.replace("{model}", model).replace("{version}", version))
    return sorted(set(filled))


def attack(world: Any, count: int, number: int) -> tuple[Counter[int | None], list[float]]:
    """So many requests; their statuses, and the worker's memory in MB after every hundred."""
    statuses: Counter[int | None] = Counter()
    memory: list[float] = []
    worker = world.workers[0]

    @seed(number)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(requests(addresses(world), KEY))
    def one(asked: Asked) -> None:
        status = status_of(world.port, asked)
        statuses[status] += 1
        assert worker.process.poll() is None, worker.words
        # 501: an operation of a protocol that is not offered, as its description says
        assert status is None or status < 500 or status == 501, (status, asked.raw[:2_000])
        assert status is not None or not asked.framed, asked.raw[:2_000]
        if statuses.total() % 100 == 0:
            memory.append(pss_mb(worker.process.pid) or 0.0)

    one()
    return statuses, memory


def check_alive(world: Any) -> None:
    """The worker answers as ever, and met no defect of its own."""
    with world.client() as client:
        assert world.outputs(client.post("/v2/models/churn/infer", json=world.infer([1, 2, 3])))
    assert "internal error" not in world.workers[0].words, world.workers[0].words[-3_000:]


@pytest.mark.parametrize(
    "path", ["/v2/models/churn/infer", "/models/churn/invocations", "/v1/models/churn:predict"]
)
@pytest.mark.parametrize(
    "body", [*DEEP, b'{"inputs": [], "parameters": {"\x97": 1}}', b'{"instances": ["\xff"]}']
)
def test_bodies_that_no_reader_takes(shared: Any, path: str, body: bytes) -> None:
    """Brackets within brackets, a hundred thousand dimensions, bytes that are no text: 400 like any other mistake."""
    with shared.client() as client:
        assert (
            client.post(path, content=body, headers={"content-type": "application/json"}).status_code == 400
        )


def test_a_shape_that_no_array_can_have(shared: Any) -> None:
    """A zero beside a huge dimension: its product says nothing, and it is refused all the same."""
    tensors = [
        {"name": name, "datatype": "FP32", "shape": [0, 2**63], "parameters": {"binary_data_size": 0}}
        for name in "abc"
    ]
    asked = http("POST", "/v2/models/churn/infer", body := json.dumps({"inputs": tensors}).encode(), KEY,
                 [("inference-header-content-length", str(len(body)))])  # fmt: skip
    assert status_of(shared.port, asked) == 400


def test_some_hundred_hostile_requests(shared: Any) -> None:
    """The short form: all are answered, none with 5xx."""
    statuses, _ = attack(shared, 700, 7)
    print(dict(statuses))
    assert statuses.total() >= 600
    assert statuses[400] > 100
    check_alive(shared)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_ten_thousand_hostile_requests(shared: Any) -> None:
    """The long form; memory grows by less than ten megabytes from the second thousand to the end."""
    statuses, memory = attack(shared, 10_000, 11)
    slope = np.polyfit(np.arange(len(memory))[10:], memory[10:], 1)[0] * 10
    print(f"{statuses.total()} requests: {dict(statuses)}")
    print(f"{memory[10]:.1f} MB after 1,000, {memory[-1]:.1f} MB at the end, {slope:+.2f} MB a thousand")
    assert statuses.total() >= 9_000
    assert memory[-1] - memory[10] < 10
    check_alive(shared)


@given(st.lists(st.tuples(st.sampled_from(GRPC_METHODS), st.binary(max_size=120)), min_size=20, max_size=20))
@settings(
    max_examples=10, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
def test_hostile_grpc_messages(grpc_world: Any, calls: list[tuple[str, bytes]]) -> None:
    """Any bytes as a message of any method: refused by a code that puts it down to the caller."""
    grpc = pytest.importorskip("grpc")
    with grpc.insecure_channel(f"127.0.0.1:{grpc_world.grpc_port}") as channel:
        for method, body in calls:
            call = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
            code, words = code_of(call, body)
            assert code not in ("UNKNOWN", "UNAVAILABLE", "INTERNAL"), (method, body, words)
            assert "internal error" not in words
    assert grpc_world.workers[0].process.poll() is None


def code_of(call: Any, body: bytes) -> tuple[str, str]:
    """The code and the words of one gRPC answer."""
    grpc = pytest.importorskip("grpc")
    try:
        call(body, timeout=20, metadata=(("authorization", f"Bearer {KEY}"),))
    except grpc.RpcError as error:
        return error.code().name, error.details()
    return "OK", ""
