"""ONNX files, for describing them in a confined process; serving runs them inside the gateway."""

from __future__ import annotations

from typing import Any

import numpy as np

from .columns import Columns

TYPES = {
    "tensor(bool)": "BOOL", "tensor(uint8)": "UINT8", "tensor(int8)": "INT8", "tensor(int16)": "INT16",
    "tensor(int32)": "INT32", "tensor(int64)": "INT64", "tensor(float16)": "FP16", "tensor(float)": "FP32",
    "tensor(double)": "FP64", "tensor(string)": "BYTES", "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32", "tensor(uint64)": "UINT64",
}  # fmt: skip
LABELS = ("output_label", "label", "prediction", "variable")
PROBABILITIES = ("output_probability", "probabilities", "probability")


class Graph:
    """An ONNX graph in onnxruntime."""

    framework = "onnx"

    def __init__(self, session: Any, runtime_version: str) -> None:
        self.session, self._version = session, runtime_version

    def answer(self, columns: Columns) -> Columns:
        """The graph's outputs by name, n rows each."""
        feeds = {one.name: _fed(columns[one.name], one) for one in self.session.get_inputs()}
        names = [one.name for one in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, feeds)))

    def version(self) -> str | None:
        """onnxruntime's version."""
        return self._version

    def task(self) -> str:
        """A label and probabilities classify; a lone tensor of numbers is taken for regression."""
        names = {one.name for one in self.session.get_outputs()}
        if names & set(PROBABILITIES) and names & set(LABELS):
            return "classification"
        return "regression" if len(names) == 1 else "other"

    def classes(self) -> list[Any] | None:
        """A graph does not tell its classes apart from its answers."""
        return None

    def feature_names(self) -> list[str] | None:
        """Names of the inputs."""
        return [one.name for one in self.session.get_inputs()]

    def feature_count(self) -> int | None:
        """How many inputs."""
        return len(self.session.get_inputs())

    def parameters(self) -> dict[str, str]:
        """What the graph says about itself."""
        meta = self.session.get_modelmeta()
        given = {"producer": meta.producer_name, "graph": meta.graph_name, "description": meta.description}
        return {**{name: value for name, value in given.items() if value}, **meta.custom_metadata_map}

    def inputs(self) -> list[dict[str, Any]]:
        """The graph's inputs as fields. Raises ValueError for kinds that no signature can hold."""
        return [_field(one) for one in self.session.get_inputs()]


def load(_hello: dict[str, Any], path: str) -> Graph:
    """Open the graph with one thread, quietly."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    for one in session.get_outputs():
        if one.type not in TYPES:
            raise ValueError(
                f"the graph's output '{one.name}' is a {one.type}: export it as a tensor (zipmap=False)"
            )
    return Graph(session, onnxruntime.__version__)


def _field(one: Any) -> dict[str, Any]:
    if one.type not in TYPES:
        raise ValueError(f"the graph's input '{one.name}' is a {one.type}, which no request can hold")
    shape = [size if isinstance(size, int) and size > 0 else -1 for size in (one.shape or [])[1:]]
    return {"name": one.name, "datatype": TYPES[one.type], "shape": [] if shape == [1] else shape}


def _fed(array: np.ndarray, one: Any) -> np.ndarray:
    wanted = len(one.shape or []) or array.ndim
    return array.reshape(-1, 1) if wanted == 2 and array.ndim == 1 else array
