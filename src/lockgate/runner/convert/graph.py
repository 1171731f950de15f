"""An ONNX graph while it is being written: nodes, constants, inputs, outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import protobuf
from .protobuf import DOUBLE, INT64, STRING

OPSETS = {"": 21, "ai.onnx.ml": 5}
IR_VERSION = 10
ML = "ai.onnx.ml"
# How a missing text comes into these graphs: nobody's category (a letter that Unicode leaves to private use).
MISSING_TEXT = "\uf8ff"
MISSING_NOTE = "lockgate.missing_text"
KINDS = {"f": DOUBLE, "i": INT64, "u": INT64, "b": INT64, "O": STRING, "U": STRING}


class Graph:
    """Nodes in the order in which they are to run; names of what they make are given out here."""

    def __init__(self, inputs: dict[str, tuple[int, int]]) -> None:
        """`inputs`: name -> (element type, width)."""
        self.inputs = inputs
        self._nodes: list[tuple[str, list[str], list[str], str, list[bytes]]] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._tensors: list[bytes] = []
        self._made: dict[Any, str] = {}
        self._count = 0
        self.strict: dict[str, int] = {}  # codes -> how many are known: others must raise, used or not
        self.checked: set[str] = set()

    def node(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Add a node with one output and return its name. The same node on the same inputs is made once."""
        said = [protobuf.attribute(name, value) for name, value in sorted(attributes.items())]
        key = (operator, inputs, domain, tuple(said))
        if key not in self._made:
            self._made[key] = self._name()
            self._nodes.append((operator, list(inputs), [self._made[key]], domain, said))
        return self._made[key]

    def constant(self, values: Any) -> str:
        """The name of an initializer with these values; equal ones are stored once."""
        array = np.asarray(values)
        if array.dtype.kind in "OU":
            array = array.astype(object)
            raw = "\0".join(f"{len(text)}:{text}" for text in map(str, array.ravel().tolist())).encode()
        else:
            raw = array.tobytes()
        key = (array.dtype.str, array.shape, raw)
        if key not in self._constants:
            self._constants[key] = self._name()
            self._tensors.append(protobuf.tensor(array, self._constants[key]))
        return self._constants[key]

    def finish(self, outputs: dict[str, tuple[str, int, int | None]]) -> bytes:
        """The file. `outputs`: name in the file -> (name here, element type, width or None for one axis)."""
        for name, (made, _, _) in outputs.items():
            self._nodes.append(("Identity", [made], [name], "", []))
        body = b"".join(protobuf.part(1, protobuf.node(op, ins, outs, domain, said))
                        for op, ins, outs, domain, said in self._nodes)  # fmt: skip
        body += protobuf.part(2, "model") + b"".join(protobuf.part(5, one) for one in self._tensors)
        for name, (kind, width) in self.inputs.items():
            body += protobuf.part(11, protobuf.value(name, kind, width))
        for name, (_, kind, columns) in outputs.items():
            body += protobuf.part(12, protobuf.value(name, kind, columns))
        return protobuf.model(body, OPSETS, IR_VERSION, {MISSING_NOTE: MISSING_TEXT})

    def _name(self) -> str:
        self._count += 1
        while f"#{self._count}" in self.inputs:
            self._count += 1
        return f"#{self._count}"
