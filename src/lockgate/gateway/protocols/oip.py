"""Open Inference Protocol v2 over REST: infer requests and answers as JSON or with the binary tensor extension.

The page `docs/api-prediction.md` shows requests and answers. Whether a tensor came as JSON or as raw little-endian bytes
makes no difference to the version that answers.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np

from lockgate.errors import InvalidInput
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.protocols.malformed import UNREADABLE, unreadable
from lockgate.gateway.protocols.tensors import binary_of, from_binary, output_type, require_known, shaped
from lockgate.gateway.protocols.wishes import NONE, Wishes, refuse_elsewhere, wishes_of
from lockgate.gateway.sent import Sent

HEADER_LENGTH = "inference-header-content-length"
_JSON = "application/json"


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | None = None


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[_Output] | None = None


_DECODER = msgspec.json.Decoder(_Request)
FORM = 'send an infer request: {"inputs": [{"name": ..., "shape": [...], "datatype": ..., "data": [...]}]}'


def read(body: bytes, header_length: str | None) -> tuple[Sent, Callable[[Answered], Body]]:
    """What was sent, and how to write the answer that was asked for. Raises InvalidInput."""
    head, tail = _split(body, header_length)
    try:
        request = _DECODER.decode(head)
    except UNREADABLE as error:
        what = "the body is not an infer request of the Open Inference Protocol v2"
        raise unreadable(what, head, error, FORM) from error
    wishes = wishes_of(
        request.parameters or {}, [(o.name, o.parameters or {}) for o in request.outputs or ()]
    )
    sent = Sent(
        columns=_columns(request.inputs, tail),
        key=wishes.key,
        inference_id=request.id or None,
        timeout_s=wishes.timeout_s,
    )
    return sent, _Writer(request.id, wishes).write


def _columns(inputs: list[_Input], tail: memoryview) -> dict[str, Any]:
    """Each tensor's values, from JSON or out of the bytes that follow it."""
    columns: dict[str, Any] = {}
    position = 0
    for tensor in inputs:
        if tensor.name in columns:
            raise InvalidInput(f"the input '{tensor.name}' was sent twice")
        size = None
        if tensor.parameters:
            refuse_elsewhere(f"the input '{tensor.name}'", tensor.parameters)
            size = tensor.parameters.get("binary_data_size")
        if size is None:
            columns[tensor.name] = _from_json(tensor)
            continue
        if type(size) is not int or size < 0 or position + size > len(tail):
            raise InvalidInput(
                f"the binary data of input '{tensor.name}' is not all there",
                got=size,
                allowed=f"at most {len(tail) - position} bytes are left",
            )
        if tensor.data is not None:
            raise InvalidInput(
                f"the input '{tensor.name}' has both data and binary_data_size", fix="send one"
            )
        data = tail[position : position + size]
        columns[tensor.name] = from_binary(tensor.name, tensor.datatype, tensor.shape, data)
        position += size
    if position != len(tail):
        raise InvalidInput(
            f"{len(tail) - position} bytes follow the last tensor",
            fix="binary_data_size of each input must say how many bytes are its own",
        )
    return columns


def _split(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    if header_length is None:
        return body, memoryview(b"")
    digits = header_length.isascii() and header_length.isdigit() and len(header_length) < 16
    if not digits or int(header_length) > len(body):
        raise InvalidInput(
            "the header Inference-Header-Content-Length does not fit the body",
            got=header_length[:80],
            allowed=f"0 to {len(body)}",
        )
    if int(header_length) == 0:
        raise InvalidInput(
            "a body of raw bytes alone is not read",
            fix="send a JSON head that describes the tensors, and its length in Inference-Header-Content-Length",
        )
    return body[: int(header_length)], memoryview(body)[int(header_length) :]


def _from_json(tensor: _Input) -> Any:
    """The tensor's values in its shape. A flat list of one dimension stays a list: its type is checked later."""
    require_known(tensor.name, tensor.datatype)
    if tensor.data is None:
        raise InvalidInput(f"the input '{tensor.name}' has no data")
    shape = tensor.shape
    if len(shape) == 1:
        if len(tensor.data) != shape[0]:
            raise _misfit(tensor, len(tensor.data))
        return tensor.data
    flat = _flat(tensor.data)
    if flat is not None:
        return shaped(tensor.name, flat, shape)
    try:
        values = np.array(tensor.data, dtype=object if tensor.datatype == "BYTES" else None)
    except ValueError as error:
        raise InvalidInput(f"the data of input '{tensor.name}' are not rows of equal length") from error
    return shaped(tensor.name, values, shape)


def _flat(data: list[Any]) -> np.ndarray | None:
    """Numbers that begin with a fraction, as numpy would make them of the list, but sooner; None: it must."""
    if not data or type(data[0]) is not float:
        return None
    try:
        return np.frombuffer(array("d", data))
    except (TypeError, OverflowError):  # texts, nulls, rows, numbers too large for a double
        return None


def _misfit(tensor: _Input, got: int) -> InvalidInput:
    return InvalidInput(
        f"the data of input '{tensor.name}' do not fill its shape {tensor.shape}", got=f"{got} values"
    )


def write(answered: Answered) -> Body:
    """Every output as JSON, for who sent no request of the protocol to say otherwise."""
    return _Writer(None, NONE).write(answered)


class _Writer:
    """Writes the outputs that were asked for, each as JSON or binary."""

    def __init__(self, inference_id: str | None, wishes: Wishes) -> None:
        self._id, self._wishes = inference_id, wishes

    def write(self, answered: Answered) -> Body:
        """The body. Raises InvalidInput when an output was asked for that the version does not give."""
        outputs, binary = [], []
        for name, values, raw in self._wishes.choose(answered.columns):
            described: dict[str, Any] = {
                "name": name,
                "datatype": output_type(values),
                "shape": list(values.shape),
            }
            if raw:
                binary.append(binary_of(values))
                described["parameters"] = {"binary_data_size": len(binary[-1])}
            else:
                described["data"] = values.ravel().tolist()
            outputs.append(described)
        head = msgspec.json.encode(
            {
                "model_name": answered.model,
                "model_version": str(answered.version),
                "id": self._id or answered.request_id,
                "outputs": outputs,
            }
        )
        if not binary:
            return Body(_JSON, head)
        extra = ((HEADER_LENGTH, str(len(head))),)
        return Body("application/octet-stream", b"".join([head, *binary]), extra)
