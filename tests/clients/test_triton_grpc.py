"""tritonclient over gRPC: the same answers, records and refusals as over HTTP."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tests.clients.conftest import with_grpc
from tests.gateway.conftest import KEY, World, logistic, wait_for
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs
from tritonclient.utils import InferenceServerException

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])
HEADERS = {"authorization": f"Bearer {KEY}"}
METADATA = (("x-api-key", KEY),)
Speaking = tuple[World, int]


def tensors(rows: np.ndarray = ROWS) -> list[Any]:
    """One tensor a column, as raw bytes."""
    made = []
    for place, name in enumerate("abc"):
        tensor = triton.InferInput(name, [len(rows)], "FP32")
        tensor.set_data_from_numpy(rows[:, place].copy())
        made.append(tensor)
    return made


def request(rows: np.ndarray = ROWS, **more: Any) -> Any:
    """The same as typed lists, by hand."""
    made = pb.ModelInferRequest(model_name="churn", **more)
    for place, name in enumerate("abc"):
        tensor = made.inputs.add(name=name, datatype="FP32", shape=[len(rows)])
        tensor.contents.fp32_contents.extend(rows[:, place].tolist())
    return made


def refused(stub: Any, asked: Any, *, metadata: Any = METADATA, **more: Any) -> tuple[grpc.StatusCode, str]:
    """The status and the sentence of a call that is refused."""
    with pytest.raises(grpc.RpcError) as caught:
        stub.ModelInfer(asked, metadata=metadata, **more)
    return caught.value.code(), caught.value.details()


@pytest.fixture
def stub(speaking: Speaking) -> Any:
    """The protocol's own stub, of the public definition."""
    with grpc.insecure_channel(f"127.0.0.1:{speaking[1]}") as channel:
        yield stubs.GRPCInferenceServiceStub(channel)


def test_the_client_asks_about_server_and_model(speaking: Speaking) -> None:
    """Liveness, readiness, metadata of server and model, for a version too."""
    world, port = speaking
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client, world.client() as http:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.get_server_metadata(as_json=True)["extensions"] == ["binary_tensor_data"]
        assert client.is_model_ready("churn", headers=HEADERS)
        assert client.is_model_ready("churn", "1", headers=HEADERS)
        with pytest.raises(
            InferenceServerException, match="version 9 of 'churn' is not served here"
        ) as caught:
            client.is_model_ready("churn", "9", headers=HEADERS)
        assert caught.value.status() == "StatusCode.NOT_FOUND"
        found = client.get_model_metadata("churn", headers=HEADERS, as_json=True)
        told = http.get("/v2/models/churn").json()
    assert (found["name"], found["versions"], found["platform"]) == ("churn", ["1"], "lockgate_onnx")
    assert [(one["name"], one["datatype"]) for one in found["inputs"]] == [
        (one["name"], one["datatype"]) for one in told["inputs"]
    ]


def test_an_answer_is_right_and_on_record(speaking: Speaking) -> None:
    """Raw bytes both ways, an output chosen, the caller's id given back; one record like any other."""
    world, port = speaking
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        found = client.infer(
            "churn",
            tensors(),
            outputs=[triton.InferRequestedOutput("probability")],
            request_id="order-7",
            headers={**HEADERS, "x-lockgate-key": "customer-1"},
        )
    assert found.as_numpy("probability") == pytest.approx(logistic(ROWS), rel=1e-4)
    assert found.as_numpy("prediction") is None
    response = found.get_response()
    assert (response.id, response.model_name, response.model_version) == ("order-7", "churn", "1")
    record = world.records()[-1]
    assert (record.inference_id, record.key, record.rows, record.caller) == (
        "order-7",
        "customer-1",
        2,
        "tester",
    )


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_messages_are_read(speaking: Speaking, compression: str) -> None:
    """What the transport packs is unpacked within the same limit."""
    _, port = speaking
    rows = np.tile(ROWS, (500, 1))
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        found = client.infer("churn", tensors(rows), headers=HEADERS, compression_algorithm=compression)
    assert found.as_numpy("probability") == pytest.approx(logistic(rows), rel=1e-4)


def test_typed_lists_are_answered_by_typed_lists(stub: Any, speaking: Speaking) -> None:
    """Who sends contents gets contents; who wants raw bytes says so; the answer names arm, version and record."""
    answer, call = stub.ModelInfer.with_call(request(), metadata=METADATA)
    outputs = {one.name: one for one in answer.outputs}
    assert list(outputs["prediction"].contents.int64_contents) == [1, 0]
    assert list(outputs["probability"].contents.fp32_contents) == pytest.approx(
        logistic(ROWS).tolist(), rel=1e-4
    )
    assert not answer.raw_output_contents
    told = dict(call.trailing_metadata())
    assert (told["x-lockgate-version"], told["x-lockgate-arm"]) == ("churn/1", "live")
    assert told["x-lockgate-request-id"] == speaking[0].records()[-1].id == answer.id
    asked = request(parameters={"binary_data_output": pb.InferParameter(bool_param=True)})
    raw = stub.ModelInfer(asked, metadata=METADATA)
    assert np.frombuffer(raw.raw_output_contents[0], "<i8").tolist() == [1, 0]


def test_nothing_is_read_for_who_has_no_key(speaking: Speaking) -> None:
    """Bytes that are no message: without a key nobody looks at them, with one they are refused for what they are."""
    with grpc.insecure_channel(f"127.0.0.1:{speaking[1]}") as channel:
        ask = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        for metadata, code in (
            ((), grpc.StatusCode.UNAUTHENTICATED),
            (METADATA, grpc.StatusCode.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as caught:
                ask(b"\xff\xff\xff", metadata=metadata)
            assert caught.value.code() is code


def test_every_refusal_has_its_status(stub: Any) -> None:
    """No key, a wrong one, an unknown model or version, input that does not fit: status and sentence."""
    code = grpc.StatusCode
    assert refused(stub, request(), metadata=()) == (
        code.UNAUTHENTICATED,
        "no key was sent; next: send 'Authorization: Bearer KEY'; an admin makes one: lockgate key create",
    )
    assert refused(stub, request(), metadata=(("authorization", "Bearer no"),))[0] is code.UNAUTHENTICATED
    assert refused(stub, pb.ModelInferRequest(model_name="other"))[0] is code.NOT_FOUND
    assert refused(stub, request(model_version="9"))[0] is code.NOT_FOUND
    assert refused(stub, request(model_version="x"))[0] is code.NOT_FOUND
    short = request()
    del short.inputs[2:]
    assert refused(stub, short) == (
        code.INVALID_ARGUMENT,
        "the input 'c' is missing; next: send 'c' with every row",
    )
    twice = request()
    twice.inputs.append(twice.inputs[0])
    assert "sent twice" in refused(stub, twice)[1]
    other = request()
    other.inputs[0].datatype = "INT64"
    assert "not of its type INT64" in refused(stub, other)[1]
    other.inputs[0].datatype = "FP16"
    assert "only raw_input_contents" in refused(stub, other)[1]
    narrow = request()
    narrow.inputs[0].shape[:] = [7]
    assert "do not fill its shape [7]" in refused(stub, narrow)[1]
    both = request(raw_input_contents=[b"", b"", b""])
    assert "beside raw_input_contents" in refused(stub, both)[1]
    assert "one item for each input" in refused(stub, request(raw_input_contents=[b""]))[1]
    wanted = request()
    wanted.outputs.add(name="q")
    assert refused(stub, wanted) == (code.INVALID_ARGUMENT, "there is no output 'q'")
    large = request()
    large.inputs[0].contents.bytes_contents.append(b"x" * 17_000_000)
    assert refused(stub, large)[0] is code.RESOURCE_EXHAUSTED


def test_bytes_that_are_no_message_are_refused(speaking: Speaking) -> None:
    """A client that speaks another language on this port hears so."""
    with grpc.insecure_channel(f"127.0.0.1:{speaking[1]}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"\xff\xff\xff", metadata=METADATA)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert "not a ModelInferRequest" in caught.value.details()
        health = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert health(b"") == b"\x08\x01"
        unknown = channel.unary_unary("/other.Service/Call")
        with pytest.raises(grpc.RpcError) as caught:
            unknown(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_what_is_not_offered_says_what_is(speaking: Speaking) -> None:
    """The repository calls, statistics and streams of other servers."""
    _, port = speaking
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        for call in (
            client.get_model_repository_index,
            lambda: client.load_model("churn"),
            client.get_inference_statistics,
        ):
            with pytest.raises(
                InferenceServerException, match=r"not offered.*ModelInfer.*lockgate release"
            ) as caught:
                call()
            assert caught.value.status() == "StatusCode.UNIMPLEMENTED"
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        streaming = stubs.GRPCInferenceServiceStub(channel).ModelStreamInfer(iter([request()]))
        with pytest.raises(grpc.RpcError) as caught:
            next(streaming)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_key_without_a_grant_may_not(world: World) -> None:
    """PERMISSION_DENIED, for predictions and for metadata."""
    port = with_grpc(world)
    world.route(world.package())
    world.allow("other")
    world.worker()
    with triton.InferenceServerClient(f"127.0.0.1:{port}") as client:
        for call in (
            lambda: client.infer("churn", tensors(), headers=HEADERS),
            lambda: client.get_model_metadata("churn", headers=HEADERS),
        ):
            with pytest.raises(InferenceServerException, match="may not call model 'churn'") as caught:
                call()
            assert caught.value.status() == "StatusCode.PERMISSION_DENIED"


SLOW = (
    "import time\nimport numpy as np\n\ndef predict(columns):\n    time.sleep({seconds})\n    n = len(columns['a'])\n"
    "    return {{'prediction': np.zeros(n, dtype='int64'), 'probability': np.zeros(n, dtype='float32')}}\n"
)


def test_the_clients_deadline_is_kept(world: World) -> None:
    """The client hears DEADLINE_EXCEEDED, and the record holds the time-out: nobody computes for who has left."""
    port = with_grpc(world)
    world.route(world.package(code=SLOW.format(seconds=20)), deadline_ms=60_000.0)
    world.worker()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        code, _ = refused(stub, request(), timeout=1.0)
        asked = request(parameters={"timeout": pb.InferParameter(int64_param=300_000)})
        timed, sentence = refused(stub, asked)
    assert code is timed is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (
        "churn/1 did not answer in time" in sentence or "still starting" in sentence
    )  # not the client's own words
    wait_for(lambda: len(world.records()) == 2)
    assert [record.status for record in world.records()] == [504, 504]


@pytest.mark.parametrize("calls", [5, 1_000_000])
def test_two_workers_share_the_port_and_a_stopping_one_fails_nobody(world: World, calls: int) -> None:
    """Calls that had begun are answered, new ones go to the sibling, by new connections and kept ones; all are on record."""
    port = with_grpc(world)
    world.route(world.package(code=SLOW.format(seconds=0.05)))
    first = world.worker("gateway-0")
    world.worker("gateway-1", "--port-claimed")
    answered, failures, stop = [], [], threading.Event()

    def caller() -> None:
        while not stop.is_set():
            with grpc.insecure_channel(
                f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]
            ) as channel:
                stub = stubs.GRPCInferenceServiceStub(channel)
                for _ in range(calls):
                    if stop.is_set():
                        return
                    try:
                        answered.append(stub.ModelInfer(request(), metadata=METADATA, timeout=60).id)
                    except grpc.RpcError as error:
                        failures.append(f"{error.code()}: {error.details()}")

    callers = [threading.Thread(target=caller) for _ in range(4)]
    for thread in callers:
        thread.start()
    wait_for(lambda: len(answered) >= 20, 60)
    assert first.stop() == 0, first.words
    seen = len(answered)
    wait_for(lambda: len(answered) >= seen + 20, 60)
    stop.set()
    for thread in callers:
        thread.join(60)
    assert failures == []
    assert set(answered) <= {record.id for record in world.records()}
