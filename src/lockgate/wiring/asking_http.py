"""An executor over HTTP: the same columns sent as an infer request of the Open Inference Protocol, in JSON or binary."""

from __future__ import annotations

import struct
from typing import Any

import httpx
import msgspec
import numpy as np

from lockgate.errors import PredictionFailed, Unavailable
from lockgate.inference.executor import ExecutorKind, ExecutorStatus
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field
from lockgate.wiring.served import headers_of, plain, refuse_answer

CHUNK_ROWS = 512
TIMEOUT_S = 120.0


class HttpModel:
    """Asks `url`/v2/models/`model`/infer. `binary`: tensors as raw bytes after the head, as far as they can be (text with
    missing values cannot). Answers come as JSON. Raises PredictionFailed and Unavailable as executors do."""

    lanes = 1
    kind = ExecutorKind.ISOLATED

    def __init__(
        self, url: str, model: str, manifest: Manifest, digest: str, *, key: str | None = None, binary: bool = False
    ) -> None:  # fmt: skip
        self.manifest, self.digest, self._binary = manifest, digest, binary
        self._path = f"/v2/models/{model}/infer"
        self._client = httpx.Client(base_url=url, headers=headers_of(key), timeout=TIMEOUT_S)

    def predict(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answers of n rows, asked in chunks. `deadline_s` bounds each chunk."""
        rows = len(next(iter(columns.values()))) if columns else 0
        parts = [
            self._chunk(
                {name: array[start : start + CHUNK_ROWS] for name, array in columns.items()}, deadline_s
            )
            for start in range(0, max(rows, 1), CHUNK_ROWS)
        ]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    async def predict_async(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Not offered: it is asked by checks, which wait."""
        raise Unavailable(
            "a served model is asked by checks, which wait", got=f"{len(columns)} columns, {deadline_s}"
        )

    def status(self) -> ExecutorStatus:
        """Nothing is known of the other side."""
        return ExecutorStatus(ExecutorKind.ISOLATED)

    def close(self) -> None:
        """Let go of connections."""
        self._client.close()

    def _chunk(self, columns: Columns, deadline_s: float | None) -> Columns:
        body, headers = self._request(columns)
        try:
            answer = self._client.post(
                self._path, content=body, headers=headers, timeout=deadline_s or TIMEOUT_S
            )
        except httpx.TransportError as error:
            raise Unavailable(
                "the served model does not answer", got=str(error) or type(error).__name__
            ) from error
        refuse_answer(answer)
        try:
            outputs = {each["name"]: each["data"] for each in msgspec.json.decode(answer.content)["outputs"]}
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise PredictionFailed("the answer is no infer answer", got=answer.text[:200]) from error
        return {
            field.name: _array(field, outputs)
            for field in self.manifest.signature.outputs
            if field.name in outputs
        }

    def _request(self, columns: Columns) -> tuple[bytes, dict[str, str]]:
        tensors, tail = [], bytearray()
        for field in self.manifest.signature.inputs:
            if field.name not in columns:
                continue
            array = columns[field.name]
            tensor: dict[str, Any] = {
                "name": field.name,
                "shape": list(array.shape),
                "datatype": field.datatype,
            }
            raw = _raw(field, array) if self._binary else None
            if raw is None:
                tensor["data"] = plain(array)
            else:
                tensor["parameters"] = {"binary_data_size": len(raw)}
                tail += raw
            tensors.append(tensor)
        head = msgspec.json.encode({"inputs": tensors})
        if not self._binary:
            return head, {"content-type": "application/json"}
        size = {"inference-header-content-length": str(len(head))}
        return head + bytes(tail), {"content-type": "application/octet-stream", **size}


def _raw(field: Field, array: np.ndarray) -> bytes | None:
    """A tensor's little-endian bytes; None where it cannot be said in bytes."""
    if field.datatype is not DataType.BYTES:
        return np.ascontiguousarray(
            array, dtype=np.dtype(NUMPY_TYPES[field.datatype]).newbyteorder("<")
        ).tobytes()
    values = array.reshape(-1).tolist()
    if any(value is None for value in values):
        return None
    words = [str(value).encode() for value in values]
    return b"".join(struct.pack("<I", len(word)) + word for word in words)


def _array(field: Field, outputs: dict[str, list[Any]]) -> np.ndarray:
    """One output as its signature's type. Raises PredictionFailed for values that are none."""
    given = [
        float("nan") if value is None and field.datatype.startswith("FP") else value
        for value in outputs[field.name]
    ]
    try:
        return np.array(given, dtype=NUMPY_TYPES[field.datatype]).reshape(-1, *field.shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise PredictionFailed(
            f"the output '{field.name}' is not what its signature says", got=str(error)
        ) from error
