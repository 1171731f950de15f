"""What anybody may ask a gateway over gRPC, by gRPC's own clients: its health, and what it can be asked (reflection)."""

from __future__ import annotations

import threading
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from tests.clients.conftest import with_grpc
from tests.gateway.conftest import KEY, World
from tritonclient.grpc import service_pb2

from lockgate.gateway.grpc.health import HEALTH
from lockgate.gateway.grpc.protofile import classes_of
from lockgate.gateway.grpc.reflection import ALPHA, FILES, answer

SERVICE = "inference.GRPCInferenceService"
STATE = health_pb2.HealthCheckResponse
Speaking = tuple[World, int]


@pytest.fixture
def channel(speaking: Speaking) -> Any:
    """A connection without a key."""
    with grpc.insecure_channel(f"127.0.0.1:{speaking[1]}") as made:
        yield made


def test_definitions_are_the_public_ones() -> None:
    """Every name, number, type and method as in the classes that gRPC's own packages were generated with."""
    for ours, public in ((HEALTH, health_pb2), (ALPHA, reflection_pb2)):
        file = classes_of(ours)[next(iter(ours.messages))].DESCRIPTOR.file
        assert sorted(file.services_by_name) == sorted(public.DESCRIPTOR.services_by_name)
        for name, service in file.services_by_name.items():
            wanted = {one.name: one for one in public.DESCRIPTOR.services_by_name[name].methods}
            for method in service.methods:
                asked = wanted[method.name]
                assert (method.input_type.full_name, method.output_type.full_name) == (
                    asked.input_type.full_name, asked.output_type.full_name,
                )  # fmt: skip
                assert (method.client_streaming, method.server_streaming) == (
                    asked.client_streaming, asked.server_streaming,
                )  # fmt: skip
        for name, message in file.message_types_by_name.items():
            assert fields(message) == fields(public.DESCRIPTOR.message_types_by_name[name]), name


def fields(message: Any) -> dict[str, Any]:
    """All that travels of a message."""
    return {
        field.name: (
            field.number, field.type, field.is_repeated, field.message_type and field.message_type.full_name,
            field.containing_oneof and field.containing_oneof.name,
            field.enum_type and [(value.name, value.number) for value in field.enum_type.values],
        )
        for field in message.fields
    }  # fmt: skip


def test_health_of_the_whole_and_of_a_service(channel: Any) -> None:
    """SERVING for both names; another service is not found; bytes of another language are refused."""
    stub = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == STATE.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="inference.Other"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert SERVICE in caught.value.details()
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary("/grpc.health.v1.Health/Check")(b"\xff\xff")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    watched = stub.Watch(health_pb2.HealthCheckRequest(service="inference.Other"))
    assert next(watched).status == STATE.SERVICE_UNKNOWN
    watched.cancel()


def test_a_watcher_hears_of_each_change_and_of_the_end(world: World) -> None:
    """Not serving while the plan's model is not there, serving when it is, not serving once the worker stops, then the end."""
    port = with_grpc(world)
    world.route("sha256:" + "0" * 64)
    worker = world.worker()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        watched = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=200)
        assert next(watched).status == STATE.NOT_SERVING
        world.route(world.package())
        assert next(watched).status == STATE.SERVING
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        done = threading.Event()
        asks_nothing = (None for _ in range(1) if done.wait() and False)
        held_open = stub.ServerReflectionInfo(
            asks_nothing, timeout=200
        )  # it must not hold up the worker's end
        assert worker.stop() == 0, worker.words
        assert [one.status for one in watched] == [STATE.NOT_SERVING]
        assert list(held_open) == []
        done.set()


def test_reflection_is_enough_to_call(channel: Any) -> None:
    """gRPC's own client reads the definitions from the server, builds the messages from them, and a prediction comes back."""
    told = ProtoReflectionDescriptorDatabase(channel)
    assert sorted(told.get_services()) == [
        "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", SERVICE,
    ]  # fmt: skip
    pool = DescriptorPool(told)
    method = pool.FindServiceByName(SERVICE).FindMethodByName("ModelInfer")
    request = GetMessageClass(method.input_type)(model_name="churn")
    for name, value in zip("abc", (1.0, 2.0, 3.0), strict=True):
        tensor = request.inputs.add(name=name, datatype="FP32", shape=[1])
        tensor.contents.fp32_contents.append(value)
    call = channel.unary_unary(
        f"/{SERVICE}/{method.name}",
        request_serializer=type(request).SerializeToString,
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    assert call(request, metadata=(("x-api-key", KEY),)).outputs[0].contents.int64_contents[0] == 1
    known = {one.name for one in service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods}
    assert {one.name for one in pool.FindServiceByName(SERVICE).methods} <= known


def test_both_versions_answer_and_say_what_is_not_there(channel: Any) -> None:
    """v1 and v1alpha; a name that nobody knows, an extension, nothing at all and bytes that are no request: errors."""
    request = reflection_pb2.ServerReflectionRequest
    for file in FILES[2:]:
        stream = channel.stream_stream(f"/{file.full('ServerReflection')}/ServerReflectionInfo")
        asked = [request(list_services="*"), request(file_containing_symbol="no.Such"), request(file_by_filename="no.proto"),
                 request(all_extension_numbers_of_type="no.Such"), request()]  # fmt: skip
        answers = [
            reflection_pb2.ServerReflectionResponse.FromString(body)
            for body in stream(iter([*(one.SerializeToString() for one in asked), b"\xff\xff"]))
        ]
        assert len(answers[0].list_services_response.service) == 4
        assert [one.error_response.error_code for one in answers[1:]] == [5, 5, 5, 3, 3]
        assert "'no.Such'" in answers[1].error_response.error_message
        assert answers[1].original_request == asked[1]


def test_symbols_of_every_kind_are_found() -> None:
    """A service, a method, a message, a nested one, an enum: each by the file that defines it."""
    request, response = reflection_pb2.ServerReflectionRequest, reflection_pb2.ServerReflectionResponse
    for symbol in (SERVICE, f"{SERVICE}.ModelInfer", "inference.InferParameter", "inference.ModelInferRequest.InferInputTensor",
                   "grpc.health.v1.HealthCheckResponse.ServingStatus"):  # fmt: skip
        body = answer(request(file_containing_symbol=symbol).SerializeToString())
        assert response.FromString(body).file_descriptor_response.file_descriptor_proto, symbol
    none = answer(request(all_extension_numbers_of_type="inference.InferParameter").SerializeToString())
    assert (
        response.FromString(none).all_extension_numbers_response.base_type_name == "inference.InferParameter"
    )
