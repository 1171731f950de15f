"""PyTorch: TorchScript archives, and weights (a state_dict in a `.pt` file or safetensors) for a class that was submitted.

Weights are read with `weights_only=True`. A module is given one tensor: float32, or int64 when every column is whole. It
answers a tensor (`prediction`; probabilities when its class or module says `classes`) or a dict of tensors by name.
"""

from __future__ import annotations

import importlib
import json
import os
import struct
import zipfile
from typing import Any

import numpy as np

from . import function, tables
from .columns import Columns

SCRIPT_MARK = "constants.pkl"  # only TorchScript archives have it
KINDS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


class TorchModule:
    """A module in evaluation mode, on one CPU thread."""

    framework = "torch"

    def __init__(self, module: Any, owner: Any, inputs: list[dict[str, Any]]) -> None:
        self.module, self.owner, self.fields = module, owner, inputs

    def answer(self, columns: Columns) -> Columns:
        """`prediction`, and `probability` for classifiers; what a dict holds, by name."""
        import torch

        with torch.inference_mode():
            made = self.called(columns)
        if isinstance(made, dict):
            return {str(name): _array(value) for name, value in made.items()}
        classes = self.classes()
        if classes is None:
            return {"prediction": _array(made)}
        probability = made.numpy()
        names = np.array(classes, dtype=object if isinstance(classes[0], str) else None)
        return {"prediction": names[probability.argmax(axis=1)], "probability": probability}

    def called(self, columns: Columns) -> Any:
        """What the module makes of n rows: one tensor for all columns."""
        import torch

        given = tables.ordered(columns, [field["name"] for field in self.fields])
        return self.module(torch.from_numpy(np.ascontiguousarray(stacked(given))))

    def version(self) -> str | None:
        """PyTorch's version, without the build."""
        import torch

        return str(torch.__version__).partition("+")[0]

    def task(self) -> str:
        """What the class or module says; else it depends on `classes`."""
        said = getattr(self.owner, "task", None)
        return str(said) if isinstance(said, str) else "classification" if self.classes() else "other"

    def classes(self) -> list[Any] | None:
        """What the class or module says."""
        found = getattr(self.owner, "classes", None)
        return list(found) if isinstance(found, (list, tuple)) and len(found) > 1 else None

    def feature_names(self) -> list[str] | None:
        """What the class or module says."""
        found = getattr(self.owner, "feature_names", None)
        return [str(name) for name in found] if isinstance(found, (list, tuple)) else None

    def feature_count(self) -> int | None:
        """The width of the first weights, when they are a matrix."""
        first = next(iter(self.module.parameters()), None)
        return int(first.shape[1]) if first is not None and first.ndim == 2 else None

    def parameters(self) -> dict[str, str]:
        """How many numbers were learned."""
        return {"parameters": str(sum(one.numel() for one in self.module.parameters()))}


def stacked(columns: Columns) -> np.ndarray:
    """One array: a lone column as it is, several side by side; float32, or int64 when all are whole."""
    arrays = list(columns.values())
    if any(array.dtype.kind in "OUS" for array in arrays):
        raise TypeError("a PyTorch module takes numbers: encode text before")
    table = arrays[0] if len(arrays) == 1 and arrays[0].ndim > 1 else np.column_stack(arrays)
    return table.astype(np.int64 if table.dtype.kind in "iu" else np.float32)


def _array(tensor: Any) -> np.ndarray:
    array: np.ndarray = tensor.numpy()
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def load(hello: dict[str, Any], path: str) -> TorchModule | function.Function:
    """Open the archive, or make the class and give it its weights. Raises ValueError without a class for weights."""
    import torch

    torch.set_num_threads(1)
    if not path.endswith(".safetensors") and _is_script(path):
        module = torch.jit.load(path, map_location="cpu")
        return TorchModule(module.eval(), module, hello.get("inputs", []))
    module_name, _, name = str(hello.get("entry") or "").partition(":")
    if not name:
        raise ValueError(
            "these are weights alone: name the class that they belong to, --entry module:Class --code module.py"
        )
    code = importlib.import_module(module_name)
    found = getattr(code, name)
    if not (isinstance(found, type) and issubclass(found, torch.nn.Module)):
        return function.load(hello, os.path.dirname(path))  # a callable that opens its tensors itself
    module = found()
    state = (
        safetensors(path)
        if path.endswith(".safetensors")
        else torch.load(path, map_location="cpu", weights_only=True)
    )
    module.load_state_dict(state)
    owner = module if hasattr(module, "classes") or hasattr(module, "task") else code
    return TorchModule(module.eval(), owner, hello.get("inputs", []))


def _is_script(path: str) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.rpartition("/")[2] == SCRIPT_MARK for name in archive.namelist())


def safetensors(path: str) -> dict[str, Any]:
    """The tensors of a safetensors file: the length of a JSON header (u64), the header, the numbers. Raises ValueError."""
    import torch

    with open(path, "rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header, body = json.loads(file.read(size)), file.read()
    made = {}
    for name, said in header.items():
        if name == "__metadata__":
            continue
        first, last = said["data_offsets"]
        raw = bytearray(body[first:last])
        if said["dtype"] == "BF16":
            made[name] = torch.frombuffer(raw, dtype=torch.bfloat16).reshape(said["shape"])
            continue
        array = np.frombuffer(raw, dtype=KINDS[said["dtype"]]).reshape(said["shape"])
        made[name] = torch.from_numpy(array.copy())
    return made
