"""A Python callable with its module: `module:function`, or `module:Class` with a predict method.

A parameter annotated DataFrame receives a pandas frame, any other a dict of arrays. A class is made once, with the
folder of the model's files (a pathlib.Path) when its constructor takes an argument.
"""

from __future__ import annotations

import importlib
import inspect
import os
from pathlib import Path
from typing import Any, Callable

import numpy as np

from . import tables
from .columns import Columns


class Function:
    """A callable that answers n rows."""

    framework = "python"

    def __init__(self, owner: Any, call: Callable[..., Any], inputs: list[dict[str, Any]]) -> None:
        self.owner, self._call = owner, call
        self._names = [field["name"] for field in inputs]
        self._pandas = tables.pandas_or_none() if _wants_frame(call) else None
        if _wants_frame(call) and self._pandas is None:
            raise ImportError("the callable takes a DataFrame: its environment needs pandas")

    def answer(self, columns: Columns) -> Columns:
        """What the callable returns: an array is `prediction`, a dict or a frame are outputs by name."""
        given = tables.ordered(columns, self._names)
        rows = len(next(iter(given.values()))) if given else 0
        table: Any = tables.frame(self._pandas, given) if self._pandas is not None else dict(given)
        return outputs(self._call(table), rows)

    def version(self) -> str | None:
        """A callable's version is its code's digest, which the package holds."""
        return None

    def task(self) -> str:
        """The module may say `task`; else numbers regress and the describer looks at the answers."""
        return str(getattr(self.owner, "task", "other"))

    def classes(self) -> list[Any] | None:
        """The module or class may say `classes`."""
        classes = getattr(self.owner, "classes", None)
        return list(classes) if classes is not None else None

    def feature_names(self) -> list[str] | None:
        """The module or class may say `feature_names`."""
        names = getattr(self.owner, "feature_names", None)
        return [str(name) for name in names] if names is not None else None

    def feature_count(self) -> int | None:
        """As many as there are names."""
        names = self.feature_names()
        return len(names) if names is not None else None

    def parameters(self) -> dict[str, str]:
        """The module or class may say `parameters`."""
        return {
            str(name): str(value)[:200] for name, value in dict(getattr(self.owner, "parameters", {})).items()
        }


def load(hello: dict[str, Any], path: str) -> Function:
    """Import the module and find the callable. Raises ValueError when `entry` is not `module:name`."""
    module_name, _, name = str(hello.get("entry") or "").partition(":")
    if not module_name or not name:
        raise ValueError(f"entry must be 'module:function' or 'module:Class', found {hello.get('entry')!r}")
    module = importlib.import_module(module_name)
    found: Any = getattr(module, name)
    if isinstance(found, type):
        maker: Any = found
        folder = Path(path) if os.path.isdir(path) else Path(hello["folder"])
        takes = [
            p for p in inspect.signature(maker).parameters.values() if p.default is inspect.Parameter.empty
        ]
        made = maker(folder) if takes else maker()
        return Function(made, made.predict, hello.get("inputs", []))
    return Function(module, found, hello.get("inputs", []))


def outputs(returned: Any, rows: int) -> Columns:
    """Whatever a callable returned, as columns. Raises TypeError when it is nothing of that kind."""
    if hasattr(returned, "columns") and hasattr(returned, "to_dict"):
        returned = {str(name): returned[name] for name in returned.columns}
    if isinstance(returned, dict):
        return {str(name): _column(value, rows) for name, value in returned.items()}
    if returned is None:
        raise TypeError(
            "the callable returned None: it must return an array, a dict of arrays or a DataFrame"
        )
    return {"prediction": _column(returned, rows)}


def _column(value: Any, rows: int) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        return array.astype(object)
    if array.ndim == 0:
        raise TypeError(f"the callable returned one value for {rows} rows: it must return one a row")
    return array.astype(np.int64) if array.dtype.kind in "iu" and array.dtype.itemsize > 4 else array


def _wants_frame(call: Callable[..., Any]) -> bool:
    parameters = list(inspect.signature(call).parameters.values())
    annotation = parameters[0].annotation if parameters else inspect.Parameter.empty
    return str(getattr(annotation, "__name__", annotation)).rpartition(".")[2].strip("'\"") == "DataFrame"
