"""Infer requests and answers of the gRPC form: tensors as typed lists or as raw bytes, the same rows as over HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.gateway.grpc.messages import messages
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.protocols.tensors import (
    BF16,
    binary_of,
    from_binary,
    output_type,
    require_known,
    shaped,
    texts_of,
)
from lockgate.gateway.protocols.wishes import Wishes, refuse_elsewhere, wishes_of
from lockgate.gateway.sent import Sent
from lockgate.registry.signature import DataType

CONTENT_TYPE = "application/grpc"
CONTENTS: dict[str, str] = {
    DataType.BOOL: "bool_contents", DataType.INT8: "int_contents", DataType.INT16: "int_contents",
    DataType.INT32: "int_contents", DataType.INT64: "int64_contents", DataType.UINT8: "uint_contents",
    DataType.UINT16: "uint_contents", DataType.UINT32: "uint_contents", DataType.UINT64: "uint64_contents",
    DataType.FP32: "fp32_contents", DataType.FP64: "fp64_contents", DataType.BYTES: "bytes_contents",
}  # fmt: skip
_WIDE = {
    "bool_contents": np.bool_, "int_contents": np.int32, "int64_contents": np.int64, "uint_contents": np.uint32,
    "uint64_contents": np.uint64, "fp32_contents": np.float32, "fp64_contents": np.float64,
}  # fmt: skip
RAW_ONLY = (DataType.FP16, BF16)


def read(request: Any) -> tuple[Sent, Writer]:
    """What a ModelInferRequest holds, and how to write the answer. Raises InvalidInput."""
    raw = request.raw_input_contents
    if raw and len(raw) != len(request.inputs):
        raise InvalidInput(
            "raw_input_contents must hold one item for each input", got=len(raw), allowed=len(request.inputs)
        )
    columns: dict[str, Any] = {}
    for place, tensor in enumerate(request.inputs):
        if tensor.name in columns:
            raise InvalidInput(f"the input '{tensor.name[:80]}' was sent twice")
        refuse_elsewhere(f"the input '{tensor.name[:80]}'", values_of(tensor.parameters))
        columns[tensor.name] = _from_raw(tensor, raw[place]) if raw else _from_contents(tensor)
    wishes = wishes_of(
        values_of(request.parameters), [(one.name, values_of(one.parameters)) for one in request.outputs]
    )
    sent = Sent(columns=columns, key=wishes.key, inference_id=request.id or None, timeout_s=wishes.timeout_s)
    return sent, Writer(request.id, wishes, raw=bool(raw) or wishes.binary)


def values_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """InferParameters as plain values; one that says nothing is None."""
    found = {}
    for name, parameter in parameters.items():
        which = parameter.WhichOneof("parameter_choice")
        found[name] = None if which is None else getattr(parameter, which)
    return found


class Writer:
    """Writes ModelInferResponse: raw bytes to who sent raw bytes (or wants them), typed lists to the others."""

    def __init__(self, inference_id: str, wishes: Wishes, *, raw: bool) -> None:
        self._id, self._wishes, self._raw = inference_id, wishes, raw

    def __call__(self, answered: Answered) -> Body:
        """The message's bytes. Raises InvalidInput when an output was asked for that the version does not give."""
        made = messages().ModelInferResponse(
            model_name=answered.model,
            model_version=str(answered.version),
            id=self._id or answered.request_id,
        )
        chosen = list(self._wishes.choose(answered.columns))
        # the protocol allows one form for all outputs; some types have no list of their own
        raw = self._raw or any(asked or output_type(array) in RAW_ONLY for _, array, asked in chosen)
        for name, array, _ in chosen:
            kind = output_type(array)
            tensor = made.outputs.add(name=name, datatype=kind, shape=array.shape)
            if raw:
                made.raw_output_contents.append(binary_of(array))
            else:
                _fill(getattr(tensor.contents, CONTENTS[kind]), kind, array)
        return Body(CONTENT_TYPE, made.SerializeToString())


def _fill(field: Any, kind: DataType, array: np.ndarray) -> None:
    flat = array.ravel().tolist()
    if kind is DataType.BYTES:
        flat = [b"" if cell is None else str(cell).encode() for cell in flat]
    field.extend(flat)


def _from_raw(tensor: Any, data: bytes) -> np.ndarray:
    if tensor.HasField("contents"):
        raise InvalidInput(
            f"the input '{tensor.name[:80]}' has contents beside raw_input_contents", fix="send one"
        )
    return from_binary(tensor.name, tensor.datatype, list(tensor.shape), memoryview(data))


def _from_contents(tensor: Any) -> np.ndarray:
    """A tensor out of the list of its type. Raises InvalidInput."""
    name, kind, shape = tensor.name, tensor.datatype, list(tensor.shape)
    require_known(name, kind)
    field = CONTENTS.get(kind)
    if field is None:
        raise InvalidInput(
            f"the input '{name[:80]}' has a type that only raw_input_contents can hold", got=kind
        )
    values = getattr(tensor.contents, field)
    others = [one.name for one, _ in tensor.contents.ListFields() if one.name != field]
    if others:
        raise InvalidInput(
            f"the contents of input '{name[:80]}' are not of its type {kind}",
            got=", ".join(others),
            allowed=field,
        )
    array = texts_of(name, values) if kind == DataType.BYTES else np.array(values, dtype=_WIDE[field])
    return shaped(name, array, shape)
