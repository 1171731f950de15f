"""The least that can answer: granian, msgspec and onnxruntime. No checks, no log, no keys, no batches.

python bare_onnx.py GRAPH PORT
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec
import numpy as np
import onnxruntime
import uvloop
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server


class Tensor(msgspec.Struct):
    """One tensor of an infer request."""

    shape: list[int]
    data: list[float]


class Question(msgspec.Struct):
    """An infer request of one tensor."""

    inputs: list[Tensor]


class App:
    """Decodes, computes, encodes."""

    def __init__(self, graph: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._name = self._session.get_inputs()[0].name
        self._decoder, self._encoder = msgspec.json.Decoder(Question), msgspec.json.Encoder()

    async def __rsgi__(self, _scope: Any, protocol: Any) -> None:
        """Answer one request."""
        tensor = self._decoder.decode(await protocol()).inputs[0]
        rows = np.array(tensor.data, dtype=np.float32).reshape(tensor.shape)
        labels, probabilities = self._session.run(None, {self._name: rows})
        body = self._encoder.encode({"label": labels.tolist(), "probabilities": probabilities.tolist()})
        protocol.response_bytes(200, [("content-type", "application/json")], body)


if __name__ == "__main__":
    server = Server(
        App(sys.argv[1]),
        port=int(sys.argv[2]),
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        log_enabled=False,
    )
    uvloop.run(server.serve())
