"""An MLmodel folder through mlflow.pyfunc, when the model's environment has mlflow."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from . import tables
from .columns import Columns
from .columns import missing as columns_missing
from .function import outputs


class Flavor:
    """Any MLflow model, called with a pandas frame as MLflow itself does."""

    framework = "mlflow"

    def __init__(self, model: Any, version: str, inputs: list[dict[str, Any]]) -> None:
        self.model, self._version = model, version
        self._names = [field["name"] for field in inputs]
        self._pandas = tables.pandas_or_none()
        self._whole = _optional_whole(model)
        self._params = _params(model)

    def answer(self, columns: Columns) -> Columns:
        """What the model's predict returns, as columns. Rows that were sent with different params are asked apart."""
        names = [name for name in self._names if name in columns or name not in self._params]
        given = tables.ordered(columns, names)
        settings = {name: given.pop(name) for name in self._params if name in given}
        if not settings:
            return self._ask(given, None)
        return _apart(given, _rows_by_params(settings, self._params), self._ask)

    def _ask(self, given: Columns, params: dict[str, Any] | None) -> Columns:
        rows = len(next(iter(given.values()))) if given else 0
        given = {name: self._as_declared(name, array) for name, array in given.items()}
        given = {name: array for name, array in given.items() if array is not None}
        arrays = list(given.values())
        lone = len(arrays) == 1 and arrays[0].ndim > 1
        table = arrays[0] if lone or self._pandas is None else tables.frame(self._pandas, given)
        return outputs(
            self.model.predict(table) if not params else self.model.predict(table, params=params), rows
        )

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


def _params(model: Any) -> dict[str, str]:
    """The params that the model was logged with, and the names of their types."""
    schema = model.metadata.get_params_schema() if hasattr(model.metadata, "get_params_schema") else None
    return {one.name: one.dtype.name for one in schema.params if not one.shape} if schema is not None else {}


def _rows_by_params(settings: Columns, types: dict[str, str]) -> list[tuple[dict[str, Any], np.ndarray]]:
    """The params there are among the rows, each with the places of its rows. What is missing keeps the model's default."""
    found: dict[tuple[Any, ...], list[int]] = {}
    for place, values in enumerate(zip(*(column.tolist() for column in settings.values()))):
        found.setdefault(tuple(None if columns_missing(one) else one for one in values), []).append(place)
    return [
        (
            {name: _CASTS[types[name]](one) for name, one in zip(settings, values) if one is not None},
            np.array(places),
        )
        for values, places in found.items()
    ]


def _apart(
    given: Columns,
    groups: list[tuple[dict[str, Any], np.ndarray]],
    ask: Callable[[Columns, dict[str, Any]], Columns],
) -> Columns:
    """The answers of the groups, put back into the rows' order."""
    if len(groups) == 1:
        return ask(given, groups[0][0])
    answers = [
        ask({name: array[places] for name, array in given.items()}, params) for params, places in groups
    ]
    order = np.argsort(np.concatenate([places for _, places in groups]))
    return {name: np.concatenate([answer[name] for answer in answers])[order] for name in answers[0]}


_CASTS: dict[str, Callable[[Any], Any]] = {
    "integer": int, "long": int, "float": float, "double": float, "boolean": bool, "string": str,
}  # fmt: skip


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
