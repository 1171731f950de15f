"""A compiled model: an ONNX graph in onnxruntime inside this process, with one thread and no foreign code.

A graph that takes all its numbers as one matrix has a shorter way besides (`matrix.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lockgate.errors import InvalidInput, PredictionFailed, Unavailable
from lockgate.inference.executor import ExecutorKind, ExecutorStatus
from lockgate.inference.matrix import Matrix, first_line, matrix_of
from lockgate.late import late
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

if TYPE_CHECKING:
    import onnxruntime
else:
    onnxruntime = late("onnxruntime")

GRAPH_TYPES: dict[str, type | np.dtype] = {
    "tensor(bool)": np.dtype(np.bool_), "tensor(uint8)": np.dtype(np.uint8), "tensor(int8)": np.dtype(np.int8),
    "tensor(int16)": np.dtype(np.int16), "tensor(int32)": np.dtype(np.int32), "tensor(int64)": np.dtype(np.int64),
    "tensor(float16)": np.dtype(np.float16), "tensor(float)": np.dtype(np.float32),
    "tensor(double)": np.dtype(np.float64), "tensor(string)": np.dtype(np.object_),
    "tensor(uint16)": np.dtype(np.uint16), "tensor(uint32)": np.dtype(np.uint32), "tensor(uint64)": np.dtype(np.uint64),
}  # fmt: skip
MISSING_TEXT = "nan"  # how skl2onnx writes a missing category
MISSING_NOTE = "lockgate.missing_text"  # our own graphs say theirs, which no request holds by chance
QUIET = 4  # errors are raised; written as well they would fill the log with what strangers send
Feed = Callable[[Columns], dict[str, np.ndarray]]


class Graph:
    """An ONNX graph that answers as a signature says. Raises Unavailable when it does not load or does not fit."""

    def __init__(self, graph: Path | bytes, signature: Signature) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = QUIET
        source = str(graph) if isinstance(graph, Path) else graph
        try:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime's own classes derive from Exception alone
            raise Unavailable("the ONNX graph cannot be loaded", got=first_line(error)) from error
        self._feed = feeder(session, signature)
        names = {output.name for output in session.get_outputs()}
        absent = [field.name for field in signature.outputs if field.name not in names]
        if absent:
            raise Unavailable(
                "the ONNX graph does not fit the signature", got=f"no output {', '.join(absent)}"
            )
        self._outputs = [(field.name, _caster(field)) for field in signature.outputs]
        self._names = [field.name for field in signature.outputs]
        self._run = session.run
        self.matrix = matrix_of(session, signature, GRAPH_TYPES)

    def answer(self, columns: Columns) -> Columns:
        """Answer n rows."""
        try:
            answers = self._run(self._names, self._feed(columns))
        except KeyError as error:
            raise InvalidInput(f"the input {error} is missing") from error
        except Exception as error:  # onnxruntime's own classes derive from Exception alone
            raise PredictionFailed("the model raised", got=first_line(error)) from error
        return {name: cast(answer) for (name, cast), answer in zip(self._outputs, answers, strict=True)}


class CompiledModel:
    """An executor over one ONNX graph of a sealed package."""

    kind = ExecutorKind.COMPILED
    lanes = 1  # it computes in the caller's thread

    def __init__(self, graph: Path, digest: str, manifest: Manifest) -> None:
        self._digest, self._manifest = digest, manifest
        self._graph = Graph(graph, manifest.signature)

    @property
    def digest(self) -> str:
        """The sealed package's name."""
        return self._digest

    @property
    def matrix(self) -> Matrix | None:
        """The short way for rows of numbers, if the graph has one."""
        return self._graph.matrix

    @property
    def manifest(self) -> Manifest:
        """What was sealed."""
        return self._manifest

    def predict(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:  # noqa: ARG002
        """Answer n rows. A graph cannot be interrupted, so the deadline is for the caller to watch."""
        return self._graph.answer(columns)

    async def predict_async(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:  # noqa: ARG002
        """The same, at once."""
        return self._graph.answer(columns)

    def status(self) -> ExecutorStatus:
        """Nothing runs apart."""
        return ExecutorStatus(self.kind, confinement=("a data format: no code of the model runs",))

    def close(self) -> None:
        """The graph goes with the last reference."""


def feeder(session: onnxruntime.InferenceSession, signature: Signature) -> Feed:
    """How columns become the graph's inputs: side by side in one tensor, or one input a column.

    Raises Unavailable when the graph takes inputs that the signature does not have.
    """
    inputs = session.get_inputs()
    fields = {field.name: field for field in signature.inputs}
    if len(inputs) == 1 and (inputs[0].name not in fields or len(fields) > 1):
        _check_width(inputs[0], signature)
        return _tensor_feed(inputs[0].name, _dtype(inputs[0]), list(fields), len(inputs[0].shape or []))
    absent = [one.name for one in inputs if one.name not in fields]
    if absent:
        raise Unavailable(
            "the ONNX graph does not fit the signature",
            got=f"the graph takes {', '.join(absent[:20])}",
            allowed=", ".join(list(fields)[:20]),
        )
    missing = session.get_modelmeta().custom_metadata_map.get(MISSING_NOTE, MISSING_TEXT)
    plan = [(one.name, _dtype(one), len(one.shape or [])) for one in inputs]

    def feed(columns: Columns) -> dict[str, np.ndarray]:
        return {name: _shaped(_cast(columns[name], dtype, missing), wanted) for name, dtype, wanted in plan}

    return feed


def _check_width(one: onnxruntime.NodeArg, signature: Signature) -> None:
    wanted = (one.shape or [])[1:]
    lone = signature.inputs[0].shape if len(signature.inputs) == 1 else ()
    got = lone[0] if lone else len(signature.inputs)
    if len(wanted) == 1 and isinstance(wanted[0], int) and got not in (-1, wanted[0]):
        raise Unavailable(
            "the ONNX graph does not fit the signature", got=f"{got} columns", allowed=f"{wanted[0]} columns"
        )


def _tensor_feed(name: str, dtype: np.dtype, fields: list[str], wanted: int) -> Feed:
    if len(fields) == 1:
        only = fields[0]
        return lambda columns: {name: _shaped(_cast(columns[only], dtype), wanted)}

    def feed(columns: Columns) -> dict[str, np.ndarray]:
        first = columns[fields[0]]
        table = np.empty((len(first), len(fields)), dtype=dtype)
        for place, field in enumerate(fields):
            table[:, place] = _cast(columns[field], dtype) if dtype.kind == "O" else columns[field]
        return {name: table}

    return feed


def _dtype(one: onnxruntime.NodeArg) -> np.dtype:
    found = GRAPH_TYPES.get(one.type)
    if found is None:
        raise Unavailable(f"the graph's input '{one.name}' is a {one.type}, which no request can hold")
    return np.dtype(found)


def _cast(array: np.ndarray, dtype: np.dtype, missing_text: str = MISSING_TEXT) -> np.ndarray:
    if dtype.kind == "O":
        missing = np.array([value is None for value in array.ravel()], dtype=bool).reshape(array.shape)
        if missing.any():
            array = array.copy()
            array[missing] = missing_text
        return array
    return array if array.dtype == dtype else array.astype(dtype)


def _shaped(array: np.ndarray, wanted: int) -> np.ndarray:
    return array.reshape(-1, 1) if wanted == 2 and array.ndim == 1 else array


def _caster(field: Field) -> Callable[[np.ndarray], np.ndarray]:
    """An output as the signature says: its type, and without the extra axis that graphs give to scalars."""
    dtype = np.dtype(NUMPY_TYPES[field.datatype])
    scalar = field.shape == ()

    def cast(array: np.ndarray) -> np.ndarray:
        if scalar and array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if field.datatype is DataType.BYTES or array.dtype == dtype:
            return array
        return array.astype(dtype)

    return cast
