"""What holds over HTTP holds over gRPC: canaries, fall-back, limits of keys, TLS, traces, ids, what the access log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tests.clients.conftest import with_grpc
from tests.gateway.conftest import KEY, World, quiet_port, wait_for
from tests.gateway.test_tls import Authority
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs

from lockgate.access import Access, Caller, key_hash
from lockgate.traffic import Role

METADATA = (("x-api-key", KEY),)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(a: float = 1.0) -> Any:
    """One row."""
    made = pb.ModelInferRequest(model_name="churn")
    for name, value in zip("abc", (a, 2.0, 3.0), strict=True):
        made.inputs.add(name=name, datatype="FP32", shape=[1])
        made.raw_input_contents.append(np.float32([value]).tobytes())
    return made


def test_a_failing_canary_is_answered_for_by_live(world: World) -> None:
    """The caller gets live's answer, the record holds both facts; another request is the canary's own."""
    port = with_grpc(world)
    world.route(world.package(), world.package("raises", bias=0.5), 1.0)
    world.worker()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        sound, told = stub.ModelInfer.with_call(request(), metadata=METADATA)
        failed, stood_in = stub.ModelInfer.with_call(request(7.0), metadata=METADATA)
    assert (sound.model_version, dict(told.trailing_metadata())["x-lockgate-arm"]) == ("2", "canary")
    assert (failed.model_version, dict(stood_in.trailing_metadata())["x-lockgate-arm"]) == ("1", "live")
    record = world.records()[-1]
    assert record.failed is not None
    assert (record.role, record.assigned, record.failed.reason) == (Role.LIVE, Role.CANARY, "error")


def test_a_keys_limit_holds_and_ids_are_looked_at(world: World) -> None:
    """RESOURCE_EXHAUSTED says when to come back; an endless id is refused; access log and record name the call."""
    port = with_grpc(world, "access_log: true")
    world.route(world.package())
    world.access.publish(
        Access(
            callers={
                key_hash(KEY): Caller("tester", ("*",)),
                key_hash("few"): Caller("hasty", ("*",), number=7, rate_per_s=0.001, burst=1),
            }
        )
    )
    world.worker()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        hasty = (("authorization", "Bearer few"), ("traceparent", TRACE))
        stub.ModelInfer(request(), metadata=hasty)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request(), metadata=hasty)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert int(dict(caught.value.trailing_metadata())["retry-after"]) > 0
        with pytest.raises(grpc.RpcError) as caught:
            stub.ModelInfer(request(), metadata=(*METADATA, ("x-request-id", "x" * 2_000)))
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert world.records()[0].trace == TRACE.split("-")[1]
    path = world.home.run / "access-gateway-0.jsonl"

    def lines() -> list[dict[str, Any]]:
        text = path.read_text() if path.exists() else ""
        return [line for line in map(json.loads, text.splitlines()) if "inference" in line["route"]]

    wait_for(lambda: len(lines()) == 3)
    first, second, _ = lines()
    assert (first["method"], first["route"], first["status"], first["caller"], first["arm"]) == (
        "POST",
        "/inference.GRPCInferenceService/ModelInfer",
        200,
        "hasty",
        "live",
    )
    assert second["status"] == 429


def test_tls_holds_for_grpc_too(world: World, tmp_path: Path) -> None:
    """The same certificate; who does not trust it, or speaks in the clear, gets no connection."""
    authority, stranger = Authority(tmp_path, "own"), Authority(tmp_path, "stranger")
    certificate, key = authority.issue("gateway")
    port = with_grpc(world, f"tls: {{certificate: {certificate}, key: {key}}}")
    world.route(world.package())
    world.worker(listening=False)

    def answered(trusted: Path | None) -> bool:
        address = f"127.0.0.1:{port}"
        trusting = None if trusted is None else grpc.ssl_channel_credentials(trusted.read_bytes())
        made = grpc.insecure_channel(address) if trusting is None else grpc.secure_channel(address, trusting)
        with made as channel:
            try:
                answer = stubs.GRPCInferenceServiceStub(channel).ModelInfer(
                    request(), metadata=METADATA, timeout=20
                )
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # noqa: PT017  the only other outcome there is
                return False
        return bool(answer.model_version == "1")

    wait_for(lambda: answered(authority.certificate), 60)
    assert not answered(stranger.certificate)
    assert not answered(None)


def test_a_port_in_use_is_named(world: World) -> None:
    """The worker ends and says which setting to change."""
    port = with_grpc(world)
    world.route(world.package())
    world.worker()
    (world.home.root / "config.yaml").write_text(f"gateway: {{grpc_port: {port}}}\n")
    world.port = quiet_port()
    other = world.worker("gateway-1", listening=False)
    assert other.process.wait(60) != 0
    assert f"port {port} is in use" in other.words
    assert "grpc_port" in other.words
