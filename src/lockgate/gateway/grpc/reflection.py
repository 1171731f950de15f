"""Server reflection, v1 and v1alpha: tools such as grpcurl ask the gateway itself what it can be asked.

What is told is public: the definitions of the protocols that this server speaks, no model and no version. So no key is needed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from lockgate.gateway.grpc.health import HEALTH
from lockgate.gateway.grpc.messages import INFERENCE
from lockgate.gateway.grpc.protofile import ProtoFile, classes_of, pool
from lockgate.late import late

if TYPE_CHECKING:
    import grpc
else:
    grpc = late("grpc")

_CHOICE = "message_request"
_ANSWER = "message_response"
_MESSAGES = {
    "ExtensionRequest": "containing_type string, extension_number int32",
    "ServerReflectionRequest": f"host string, file_by_filename string 3 {_CHOICE}, "
    f"file_containing_symbol string 4 {_CHOICE}, file_containing_extension ExtensionRequest 5 {_CHOICE}, "
    f"all_extension_numbers_of_type string 6 {_CHOICE}, list_services string 7 {_CHOICE}",
    "FileDescriptorResponse": "file_descriptor_proto *bytes",
    "ExtensionNumberResponse": "base_type_name string, extension_number *int32",
    "ServiceResponse": "name string",
    "ListServiceResponse": "service *ServiceResponse",
    "ErrorResponse": "error_code int32, error_message string",
    "ServerReflectionResponse": "valid_host string, original_request ServerReflectionRequest, "
    f"file_descriptor_response FileDescriptorResponse 4 {_ANSWER}, "
    f"all_extension_numbers_response ExtensionNumberResponse 5 {_ANSWER}, "
    f"list_services_response ListServiceResponse 6 {_ANSWER}, error_response ErrorResponse 7 {_ANSWER}",
}
_SERVICES = {"ServerReflection": "ServerReflectionInfo *ServerReflectionRequest *ServerReflectionResponse"}
REFLECTION, ALPHA = (
    ProtoFile(
        f"grpc/reflection/{version}/reflection.proto", f"grpc.reflection.{version}", _MESSAGES, _SERVICES
    )
    for version in ("v1", "v1alpha")
)
FILES = (INFERENCE, HEALTH, REFLECTION, ALPHA)
PATHS = tuple(f"/{file.full('ServerReflection')}/ServerReflectionInfo" for file in (REFLECTION, ALPHA))
IDLE_S = 30.0  # a stream that asks nothing for so long is ended
LOOK_S = 0.2
MOST_STREAMS = 8  # open at once in one worker: each may send a message as large as any, without a key
NOT_FOUND, INVALID = 5, 3  # numbers of the statuses


class Reflection:
    """Answers both versions, whose messages differ in their package alone. `stopping`: whether the worker is about to end."""

    def __init__(self, stopping: Callable[[], bool]) -> None:
        self._stopping, self._open = stopping, 0

    async def stream(self, _requests: Any, context: Any) -> AsyncIterator[bytes]:
        """One answer to each request, until the caller is done, asks nothing, or the worker stops."""
        if self._open >= MOST_STREAMS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST_STREAMS} others ask already")
        self._open += 1
        try:
            while (body := await self._next(context)) is not None:
                yield answer(body)
        finally:
            self._open -= 1

    async def _next(self, context: Any) -> bytes | None:
        """The next request; None when there is none any more, or nobody should wait for it."""
        reading = asyncio.ensure_future(context.read())
        for _ in range(round(IDLE_S / LOOK_S)):
            done, _ = await asyncio.wait([reading], timeout=LOOK_S)
            if done:
                body = reading.result()
                return (
                    body if isinstance(body, bytes) else None
                )  # the transport's mark of the end is no message
            if self._stopping():
                break
        reading.cancel()
        return None


def answer(body: bytes) -> bytes:
    """The bytes of the answer to one request; what cannot be found or read is an error inside the answer."""
    classes = classes_of(REFLECTION)
    for file in FILES:
        classes_of(file)  # into the pool
    response = classes["ServerReflectionResponse"]()
    try:
        request = classes["ServerReflectionRequest"].FromString(body)
    except Exception:  # noqa: BLE001  protobuf's own class is not known before it is imported
        _error(response, INVALID, "the bytes are not a ServerReflectionRequest")
        return bytes(response.SerializeToString())
    response.valid_host = request.host
    response.original_request.CopyFrom(request)
    _fill(response, request, request.WhichOneof(_CHOICE))
    return bytes(response.SerializeToString())


def _fill(response: Any, request: Any, asked: str | None) -> None:
    match asked:
        case "list_services":
            names = sorted(file.full(name) for file in FILES for name in file.services)
            for name in names:
                response.list_services_response.service.add(name=name)
        case "file_by_filename" | "file_containing_symbol":
            wanted = getattr(request, asked)
            file = _file(wanted, by_name=asked == "file_by_filename")
            if file is None:
                _error(response, NOT_FOUND, f"there is no '{wanted[:80]}' here")
            else:
                response.file_descriptor_response.file_descriptor_proto.append(file.serialized_pb)
        case "all_extension_numbers_of_type" if _file(request.all_extension_numbers_of_type, by_name=False):
            response.all_extension_numbers_response.base_type_name = request.all_extension_numbers_of_type
        case "all_extension_numbers_of_type" | "file_containing_extension":
            _error(response, NOT_FOUND, "there are no extensions here")
        case _:
            _error(response, INVALID, "nothing was asked")


def _file(wanted: str, *, by_name: bool) -> Any:
    """The file of that name, or that defines the symbol; None when there is none."""
    found = pool()
    for name in dict.fromkeys([wanted, wanted.rpartition(".")[0]]):  # a method is its service's
        try:
            return found.FindFileByName(wanted) if by_name else found.FindFileContainingSymbol(name)
        except KeyError:
            continue
    return None


def _error(response: Any, code: int, sentence: str) -> None:
    response.error_response.error_code = code
    response.error_response.error_message = sentence
