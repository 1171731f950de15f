"""The messages of the Open Inference Protocol's gRPC form, as a table.

Numbers and names are those of the public definition (package `inference`, service `GRPCInferenceService`), which is what
travels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from lockgate.gateway.grpc.protofile import ProtoFile, classes_of

PACKAGE = "inference"
SERVICE = "inference.GRPCInferenceService"
ASKED = ("ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer")

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
    "InferParameter": ", ".join(
        f"{kind}_param {kind} {number} parameter_choice"
        for number, kind in enumerate(("bool", "int64", "string", "double", "uint64"), 1)
    ),
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
INFERENCE = ProtoFile(
    "open_inference_grpc.proto",
    PACKAGE,
    MESSAGES,
    {"GRPCInferenceService": ", ".join(f"{name} {name}Request {name}Response" for name in ASKED)},
)


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
    return Messages(classes_of(INFERENCE))
