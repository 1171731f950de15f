"""An MLmodel folder through mlflow.pyfunc, when the model's environment has mlflow."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import tables
from .columns import Columns
from .function import outputs


class Flavor:
    """Any MLflow model, called with a pandas frame as MLflow itself does."""

    framework = "mlflow"

    def __init__(self, model: Any, version: str, inputs: list[dict[str, Any]]) -> None:
        self.model, self._version = model, version
        self._names = [field["name"] for field in inputs]
        self._pandas = tables.pandas_or_none()
        self._whole = _optional_whole(model)

    def answer(self, columns: Columns) -> Columns:
        """What the model's predict returns, as columns."""
        given = tables.ordered(columns, self._names)
        rows = len(next(iter(given.values()))) if given else 0
        given = {name: self._as_declared(name, array) for name, array in given.items()}
        given = {name: array for name, array in given.items() if array is not None}
        arrays = list(given.values())
        lone = len(arrays) == 1 and arrays[0].ndim > 1
        table = arrays[0] if lone or self._pandas is None else tables.frame(self._pandas, given)
        return outputs(self.model.predict(table), rows)

    def _as_declared(self, name: str, array: Any) -> Any:
        """Optional whole numbers, which come as floats so that they can be missing; None when all of them are.

        MLflow takes whole numbers only as such, and an optional column that is not there.
        """
        if name not in self._whole or array.dtype.kind != "f":
            return array
        missing = np.isnan(array)
        return None if missing.all() else array if missing.any() else array.astype(self._whole[name])

    def version(self) -> str | None:
        """MLflow's version."""
        return self._version

    def task(self) -> str:
        """Not known to MLflow."""
        return "other"

    def classes(self) -> list[Any] | None:
        """Not known to MLflow."""
        return None

    def feature_names(self) -> list[str] | None:
        """From the model's MLflow signature."""
        schema = self.model.metadata.get_input_schema()
        return (
            [str(name) for name in schema.input_names()]
            if schema is not None and schema.has_input_names()
            else None
        )

    def feature_count(self) -> int | None:
        """As many as there are names."""
        names = self.feature_names()
        return len(names) if names is not None else None

    def parameters(self) -> dict[str, str]:
        """The flavors that the folder holds."""
        return {"flavors": ", ".join(sorted(self.model.metadata.flavors))}


def _optional_whole(model: Any) -> dict[str, Any]:
    """Columns of whole numbers that MLflow's schema does not require, with their types."""
    schema = model.metadata.get_input_schema()
    if schema is None or not schema.has_input_names() or schema.is_tensor_spec():
        return {}
    kinds = {one.name: one.type for one in schema.inputs if not one.required}
    named = {name: getattr(kind, "name", "") for name, kind in kinds.items()}
    return {name: kinds[name].to_numpy() for name, kind in named.items() if kind in ("integer", "long")}


def load(hello: dict[str, Any], path: str) -> Flavor:
    """Open the folder. Raises ImportError when mlflow is not there."""
    try:
        import mlflow
        import mlflow.pyfunc
    except ImportError as error:
        raise ImportError(
            "this MLflow flavor is opened by mlflow itself: its environment needs mlflow"
        ) from error
    return Flavor(mlflow.pyfunc.load_model(path), mlflow.__version__, hello.get("inputs", []))
