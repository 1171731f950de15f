"""An MLmodel folder through mlflow.pyfunc, when the model's environment has mlflow."""

from __future__ import annotations

from typing import Any

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

    def answer(self, columns: Columns) -> Columns:
        """What the model's predict returns, as columns."""
        given = tables.ordered(columns, self._names)
        rows = len(next(iter(given.values()))) if given else 0
        arrays = list(given.values())
        lone = len(arrays) == 1 and arrays[0].ndim > 1
        table = arrays[0] if lone or self._pandas is None else tables.frame(self._pandas, given)
        return outputs(self.model.predict(table), rows)

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
