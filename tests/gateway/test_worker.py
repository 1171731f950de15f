"""A worker answers both protocols over real HTTP, and every answer is in the log before the caller has it."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton

from lockgate.access import Access
from lockgate.predictions.record import columns_of
from lockgate.registry.signature import DataType, Field
from lockgate.traffic import Role

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])


def test_an_answer_is_right_and_on_record(served: Any) -> None:
    """One row in, the model's probability out, headers that say who answered, one record."""
    with served.client() as client:
        response = client.post("/v2/models/churn/infer", json=served.infer([1, 2, 3]))
    assert served.outputs(response)["probability"] == pytest.approx(
        served.logistic(ROWS)[:1].tolist(), rel=1e-4
    )
    (record,) = served.records()
    assert response.headers["x-lockgate-version"] == "churn/1"
    assert response.headers["x-lockgate-arm"] == "live"
    assert response.headers["x-lockgate-request-id"] == record.id
    assert (record.status, record.rows, record.caller, record.role) == (200, 1, "tester", Role.LIVE)
    assert {name: cells.tolist() for name, cells in columns_of(record.inputs).items()} == {
        "a": [1],
        "b": [2],
        "c": [3],
    }
    assert columns_of(record.outputs)["prediction"].tolist() == [1]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/invocations", {"dataframe_split": {"columns": ["a", "b", "c"], "data": ROWS.tolist()}}),
        ("/invocations", {"dataframe_split": {"columns": ["c", "b", "a"], "data": ROWS[:, ::-1].tolist()}}),
        (
            "/invocations?model=churn",
            {"dataframe_records": [dict(zip("abc", row, strict=True)) for row in ROWS.tolist()]},
        ),
        (
            "/models/churn/invocations",
            {"inputs": {"a": [1, 4], "b": [2, 5], "c": [3, -6], "more": ["x", "y"]}},
        ),
        ("/invocations", {"instances": ROWS.tolist()}),
        ("/invocations", {"inputs": ROWS.tolist()}),
    ],
)
def test_mlflow_forms_give_the_same_answers(shared: Any, path: str, body: dict[str, Any]) -> None:
    """dataframe_split, dataframe_records, inputs and instances are one question."""
    with shared.client() as client:
        response = client.post(path, json=body)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["predictions"] == [1, 0]
    assert answer["outputs"]["probability"] == pytest.approx(shared.logistic(ROWS).tolist(), rel=1e-4)


def test_head_tells_the_length_that_get_would_send(shared: Any) -> None:
    """The same status and length, and no body: also where there is nothing."""
    with shared.client() as client:
        for path in ("/v2", "/version", "/v2/models/churn", "/nothing"):
            head, got = client.head(path), client.get(path)
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers["content-length"] == got.headers["content-length"] == str(len(got.content))


def test_csv_is_read(shared: Any) -> None:
    """A header line and rows, any order, columns that the model does not know."""
    with shared.client() as client:
        response = client.post(
            "/invocations", content="name,c,b,a\nx,3,2,1\ny,-6,5,4\n", headers={"content-type": "text/csv"}
        )
    assert response.json()["predictions"] == [1, 0], response.text


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("one", [True, False], ids=["one tensor", "a tensor a column"])
def test_tritonclient_gets_the_same(shared: Any, binary: bool, one: bool) -> None:
    """The protocol's common client, with its binary default and with JSON."""
    client = triton.InferenceServerClient(f"127.0.0.1:{shared.port}")
    headers = {"authorization": "Bearer test-key"}
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("churn", headers=headers)
    assert client.get_model_metadata("churn", headers=headers)["inputs"][0] == {
        "name": "a",
        "datatype": "FP32",
        "shape": [-1],
    }
    tensors = {"predict": ROWS} if one else {name: ROWS[:, i].copy() for i, name in enumerate("abc")}
    inputs = []
    for name, array in tensors.items():
        tensor = triton.InferInput(name, list(array.shape), "FP32")
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    outputs = [triton.InferRequestedOutput("probability", binary_data=binary)]
    found = client.infer("churn", inputs, outputs=outputs, request_id="order-1", headers=headers)
    assert found.as_numpy("probability") == pytest.approx(shared.logistic(ROWS), rel=1e-4)
    assert found.as_numpy("prediction") is None
    assert found.get_response()["id"] == "order-1"
    client.close()
    assert shared.records()[-1].inference_id == "order-1"


def test_texts_travel_as_binary_and_json(world: Any) -> None:
    """BYTES in and out of a Python model in its own process, missing ones too."""
    code = (
        "import numpy as np\n\ndef predict(columns):\n    plan = columns['plan']\n"
        "    good = np.array([p == 'gold' for p in plan])\n"
        "    return {'prediction': good.astype('int64'), 'probability': good.astype('float32')}\n"
    )
    world.route(
        world.package(code=code, inputs=(Field(name="plan", datatype=DataType.BYTES, nullable=True),))
    )
    world.worker()
    tensor = triton.InferInput("plan", [3], "BYTES")
    tensor.set_data_from_numpy(np.array(["gold", "grün", ""], dtype=object))
    client = triton.InferenceServerClient(f"127.0.0.1:{world.port}")
    found = client.infer("churn", [tensor], headers={"x-api-key": "test-key"})
    assert found.as_numpy("prediction").tolist() == [1, 0, 0]
    client.close()
    with world.client() as http:
        body = {"inputs": [{"name": "plan", "shape": [2], "datatype": "BYTES", "data": ["gold", None]}]}
        assert world.outputs(http.post("/v2/models/churn/infer", json=body))["prediction"] == [1, 0]
    assert columns_of(world.records()[0].inputs)["plan"].tolist() == ["gold", "grün", ""]


@pytest.mark.parametrize(
    ("headers", "parameters", "extra"),
    [({"x-lockgate-key": "C-7"}, {}, {}), ({}, {"key": "C-7"}, {}), ({}, {}, {"customer": ["C-7"]})],
    ids=["header", "parameter", "column"],
)
def test_the_business_key_is_on_record(
    world: Any, headers: dict[str, str], parameters: dict[str, str], extra: dict[str, list[str]]
) -> None:
    """However the caller sends it."""
    world.route(world.package(), key_field="customer")
    world.worker()
    body = world.infer([1, 2, 3], **parameters)
    body["inputs"] += [{"name": n, "shape": [1], "datatype": "BYTES", "data": d} for n, d in extra.items()]
    with world.client() as client:
        assert client.post("/v2/models/churn/infer", json=body, headers=headers).status_code == 200
    assert world.records()[0].key == "C-7"


def test_metrics_tell_of_every_worker(served: Any) -> None:
    """One scrape, whichever worker it reaches, holds the numbers of all."""
    served.worker("gateway-1", "--port-claimed")
    with served.client() as client:
        for _ in range(3):
            client.post("/v2/models/churn/infer", json=served.infer([1, 2, 3]))

    def total() -> bool:
        with served.client() as client:
            text = client.get("/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("lockgate_requests_total")]
        both = 'worker="gateway-0"' in text and 'worker="gateway-1"' in text
        return both and sum(float(line.split()[-1]) for line in lines) == 3

    served.wait_for(total)


def test_a_second_lockgate_on_the_same_port_is_refused(served: Any) -> None:
    """ErrConflict names the port and the option that chooses another."""
    second = served.worker("gateway-9", listening=False)
    assert second.process.wait(60) == 5
    assert f"port {served.port} is in use" in second.words
    assert "--gateway-port" in second.words


def test_a_worker_that_is_asked_to_stop_fails_nobody(served: Any) -> None:
    """Requests before, during and right after SIGTERM are answered until the socket closes; exit status 0."""
    failures, answers, done = [], [0], threading.Event()

    def load() -> None:
        with served.client() as client:
            while not done.is_set():
                try:
                    response = client.post("/v2/models/churn/infer", json=served.infer([1, 2, 3]))
                except httpx.ConnectError:
                    return  # it listens no longer: a balancer has moved on by then
                except httpx.TransportError as error:
                    failures.append(repr(error))
                    return
                answers[0] += response.status_code == 200

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    served.wait_for(lambda: answers[0] > 50)
    assert served.workers[0].stop() == 0
    done.set()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert len(served.records()) == answers[0]
    assert served.workers[0].member is None


def test_an_open_gateway_asks_for_no_key_and_records_on_the_disk_first(world: Any) -> None:
    """`open` callers are anonymous on record; durability `power` answers and records as ever."""
    (world.home.root / "config.yaml").write_text("gateway: {durability: power}\n")
    world.access.publish(Access(open=True))
    world.route(world.package())
    world.worker()
    with httpx.Client(base_url=world.url) as client:
        for _ in range(5):
            assert client.post("/v2/models/churn/infer", json=world.infer([1, 2, 3])).status_code == 200
    assert [record.caller for record in world.records()] == ["anonymous"] * 5
