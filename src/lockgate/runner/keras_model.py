"""Keras models from `.keras` files, by Keras's own reader in safe mode, without what they were compiled with.

One input of numbers takes all columns side by side; several are given by their names; text goes to layers that look it up.
A last layer of softmax or sigmoid classifies: classes are 0, 1, ... unless the file says others (`lockgate.json`, `classes`).
"""

from __future__ import annotations

import importlib.util
import json
import os
import zipfile
from typing import Any

import numpy as np

from . import tables
from .columns import Columns

OURS = "lockgate.json"
BACKENDS = ("tensorflow", "torch", "jax")
KINDS = {
    "float16": "FP16", "float32": "FP32", "float64": "FP64", "bool": "BOOL", "uint8": "UINT8", "int8": "INT8", "int16": "INT16",
    "int32": "INT32", "int64": "INT64", "string": "BYTES",
}  # fmt: skip


class KerasModel:
    """A model in inference mode."""

    framework = "keras"

    def __init__(self, model: Any, version: str, inputs: list[dict[str, Any]], said: dict[str, Any]) -> None:
        self.model, self._version, self.fields, self._said = model, version, inputs, said
        self.names = [one.name for one in model.inputs]
        self.kinds = [str(one.dtype) for one in model.inputs]
        self.owner = self  # says its inputs whole, where they are no plain table
        self.inputs = [] if self.is_table() else [_field(one) for one in model.inputs]

    def is_table(self) -> bool:
        """Whether it takes rows of numbers side by side."""
        return len(self.names) == 1 and len(self.model.inputs[0].shape) == 2 and self.kinds[0] != "string"

    def answer(self, columns: Columns) -> Columns:
        """`prediction`, and `probability` for classifiers; several outputs by their names."""
        given = tables.ordered(columns, [field["name"] for field in self.fields])
        made = self.model(self.fed(given), training=False)
        if isinstance(made, dict):
            return {str(name): _array(value) for name, value in made.items()}
        if isinstance(made, (list, tuple)):
            return {str(name): _array(value) for name, value in zip(self.model.output_names, made)}
        classes = self.classes()
        if classes is None:
            return {"prediction": _array(made)}
        probability = np.asarray(made, dtype=np.float32)
        if probability.shape[1] == 1:
            probability = np.hstack([1.0 - probability, probability])
        names = np.array(classes, dtype=object if isinstance(classes[0], str) else None)
        return {"prediction": names[probability.argmax(axis=1)], "probability": probability}

    def fed(self, columns: Columns) -> Any:
        """n rows as the model's own call takes them."""
        if len(self.names) == 1:
            return self._tensor(_beside(list(columns.values())), 0)
        absent = [name for name in self.names if name not in columns]
        if absent:
            raise KeyError(f"the model's inputs are {', '.join(self.names)}; there is no {', '.join(absent)}")
        made = [self._tensor(columns[name], place) for place, name in enumerate(self.names)]
        by_name = isinstance(getattr(self.model, "_inputs_struct", None), dict)
        return dict(zip(self.names, made)) if by_name else made

    def _tensor(self, array: np.ndarray, place: int) -> Any:
        from keras import ops

        if self.kinds[place] == "string":
            import tensorflow  # only its backend knows text

            texts = np.array(["" if value is None else str(value) for value in array.ravel()], dtype=object)
            return tensorflow.constant(texts.reshape(len(array), -1))
        table = array.reshape(-1, 1) if array.ndim == 1 else array
        return ops.convert_to_tensor(np.ascontiguousarray(table), dtype=self.kinds[place])

    def version(self) -> str | None:
        """Keras's version."""
        return self._version

    def task(self) -> str:
        """By the last layer: softmax and sigmoid classify, one number of anything else is a regression."""
        if self.classes():
            return "classification"
        outputs = self.model.outputs
        return "regression" if len(outputs) == 1 and tuple(outputs[0].shape[1:]) in ((), (1,)) else "other"

    def classes(self) -> list[Any] | None:
        """What the file says, else as many whole numbers as there are answers."""
        outputs = self.model.outputs
        kind = _last_activation(self.model) if len(outputs) == 1 and len(outputs[0].shape) == 2 else None
        count = outputs[0].shape[1] if kind else 0
        if kind not in ("softmax", "sigmoid") or (kind == "sigmoid" and count != 1):
            return None
        said, wanted = self._said.get("classes"), max(2, count)
        return list(said) if isinstance(said, list) and len(said) == wanted else list(range(wanted))

    def feature_names(self) -> list[str] | None:
        """The names of its inputs, where each is a column."""
        columns = all(len(one.shape) == 2 and one.shape[1] == 1 for one in self.model.inputs)
        return list(self.names) if columns and len(self.names) > 1 else None

    def feature_count(self) -> int | None:
        """The width of its one input of numbers."""
        return self.model.inputs[0].shape[1] if self.is_table() else None

    def parameters(self) -> dict[str, str]:
        """How many numbers were learned."""
        return {"parameters": str(self.model.count_params()), "layers": str(len(self.model.layers))}


def _beside(arrays: list[np.ndarray]) -> np.ndarray:
    return arrays[0] if len(arrays) == 1 else np.column_stack(arrays)


def _array(tensor: Any) -> np.ndarray:
    array = np.asarray(tensor)
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _field(one: Any) -> dict[str, Any]:
    shape = [-1 if size is None else int(size) for size in one.shape[1:]]
    kind = KINDS.get(str(one.dtype), "FP32")
    return {"name": one.name, "datatype": kind, "shape": [] if shape == [1] else shape}


def _last_activation(model: Any) -> str | None:
    """The name of the activation that makes the output."""
    history = getattr(model.outputs[0], "_keras_history", None)
    layer = getattr(history, "operation", None) or model.layers[-1]
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    if type(layer).__name__ == "Softmax":
        return "softmax"
    return getattr(getattr(layer, "activation", None), "__name__", None)


def load(hello: dict[str, Any], path: str) -> KerasModel:
    """Open the file. Raises ImportError when Keras or a backend of it is not there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    backend = next((name for name in BACKENDS if importlib.util.find_spec(name) is not None), None)
    if backend is None:
        raise ImportError("a Keras model needs keras and TensorFlow (or another backend of Keras)")
    os.environ.setdefault("KERAS_BACKEND", backend)
    try:
        import keras
    except ImportError as error:
        raise ImportError("a Keras model needs keras and TensorFlow (or another backend of Keras)") from error
    with zipfile.ZipFile(path) as archive:
        said = json.loads(archive.read(OURS)) if OURS in archive.namelist() else {}
    model = keras.saving.load_model(path, compile=False, safe_mode=True)
    return KerasModel(
        model, str(keras.__version__), hello.get("inputs", []), said if isinstance(said, dict) else {}
    )
