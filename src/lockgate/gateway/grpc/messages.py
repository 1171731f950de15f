"""The messages of the Open Inference Protocol's gRPC form, made from a table: no generated code, no compiler to install.

Numbers and names are those of the public definition (package `inference`, service `GRPCInferenceService`), which is what
travels. The messages live in a pool of their own, so a client's generated classes may be in the same process.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from lockgate.late import late

if TYPE_CHECKING:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
else:
    descriptor_pb2 = late("google.protobuf.descriptor_pb2")
    descriptor_pool = late("google.protobuf.descriptor_pool")
    message_factory = late("google.protobuf.message_factory")

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
ASKED = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

# message -> fields in the order of their numbers; `*` repeated, `{}` a map from text, a capital: another message
_TENSOR = "name string, datatype string, shape *int64"
_PARAMETERS = "parameters {}InferParameter"
MESSAGES: dict[str, str] = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "live bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "ready bool",
    "ModelReadyRequest": "name string, version string",
    "ModelReadyResponse": "ready bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "name string, version string, extensions *string",
    "ModelMetadataRequest": "name string, version string",
    "ModelMetadataResponse": "name string, versions *string, platform string, "
    "inputs *ModelMetadataResponse.TensorMetadata, outputs *ModelMetadataResponse.TensorMetadata",
    "ModelMetadataResponse.TensorMetadata": _TENSOR,
    "InferParameter": "bool_param bool, int64_param int64, string_param string, double_param double, "
    "uint64_param uint64",
    "InferTensorContents": "bool_contents *bool, int_contents *int32, int64_contents *int64, "
    "uint_contents *uint32, uint64_contents *uint64, fp32_contents *float, fp64_contents *double, "
    "bytes_contents *bytes",
    "ModelInferRequest": f"model_name string, model_version string, id string, {_PARAMETERS}, "
    "inputs *ModelInferRequest.InferInputTensor, outputs *ModelInferRequest.InferRequestedOutputTensor, "
    "raw_input_contents *bytes",
    "ModelInferRequest.InferInputTensor": f"{_TENSOR}, {_PARAMETERS}, contents InferTensorContents",
    "ModelInferRequest.InferRequestedOutputTensor": f"name string, {_PARAMETERS}",
    "ModelInferResponse": f"model_name string, model_version string, id string, {_PARAMETERS}, "
    "outputs *ModelInferResponse.InferOutputTensor, raw_output_contents *bytes",
    "ModelInferResponse.InferOutputTensor": f"{_TENSOR}, {_PARAMETERS}, contents InferTensorContents",
}
ONE_OF = {"InferParameter": "parameter_choice"}  # all fields of the message


@dataclass(frozen=True)
class Messages:
    """The classes that are used, by name."""

    classes: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.classes[name]
        except KeyError:
            raise AttributeError(name) from None


@cache
def messages() -> Messages:
    """All message classes. Raises ImportError without protobuf."""
    file = descriptor_pb2.FileDescriptorProto(
        name="lockgate/open_inference_grpc.proto", package=PACKAGE, syntax="proto3"
    )
    made: dict[str, Any] = {}
    for name, fields in MESSAGES.items():
        outer, _, own = name.rpartition(".")
        message = (made[outer].nested_type if outer else file.message_type).add(name=own)
        made[name] = message
        if name in ONE_OF:
            message.oneof_decl.add(name=ONE_OF[name])
        for number, field in enumerate(filter(None, fields.split(", ")), 1):
            _add(message, name, number, *field.split(" "))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return Messages(
        {
            name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))
            for name in MESSAGES
            if "." not in name
        }
    )


def _add(message: Any, owner: str, number: int, name: str, kind: str) -> None:
    """One field, as the table writes it."""
    field_type = descriptor_pb2.FieldDescriptorProto
    mapped, repeated = kind.startswith("{}"), kind.startswith(("*", "{}"))
    label = field_type.LABEL_REPEATED if repeated else field_type.LABEL_OPTIONAL
    kind = kind.lstrip("*{}")
    field = message.field.add(name=name, number=number, label=label)
    if owner in ONE_OF:
        field.oneof_index = 0
    if mapped:
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add(entry, "", 1, "key", "string")
        _add(entry, "", 2, "value", kind)
        kind = f"{owner}.{entry.name}"
    if kind[0].isupper():
        field.type, field.type_name = field_type.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    else:
        field.type = getattr(field_type, f"TYPE_{kind.upper()}")
