"""What every writer of a family of estimators gets: the graph, and the way back to the writers of what lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import numpy as np

from .graph import Graph


class CannotConvert(ValueError):
    """There is no graph for this model; the message says why."""


class NoWriter(CannotConvert):
    """None of our writers knows this estimator; another converter may."""


@dataclass(frozen=True)
class Answer:
    """What a predictor gives, by names of tensors.

    A regressor: `values` (n, k). A classifier: `place` (n,) int64, the place of the predicted class in `classes`, and
    `probability` (n, classes) unless it gives none; `decision` is what its decision_function gives, (n, 1) or (n, k).
    `squeezed`: predictions are (n,) and not (n, k).
    """

    values: str | None = None
    width: int = 1
    squeezed: bool = True
    place: str | None = None
    probability: str | None = None
    decision: str | None = None
    classes: np.ndarray | None = None


@dataclass(frozen=True)
class Writing:
    """One graph in the making. `transformers` and `predictors`: class name -> writer."""

    graph: Graph
    transformers: dict[str, Callable[[Any, Any, Any], Any]]
    predictors: dict[str, Callable[[Any, Any, Any], Answer]]
    names: tuple[str, ...] = ()

    def transform(self, fitted: Any, table: Any) -> Any:
        """The table (parts) after a fitted transformer. Raises NoWriter."""
        if fitted is None or (isinstance(fitted, str) and fitted == "passthrough"):
            return table
        return self.transformers[self._known(fitted, self.transformers)](fitted, table, self)

    def predict(self, fitted: Any, table: Any) -> Answer:
        """The answer of a fitted predictor to a table. Raises NoWriter."""
        return self.predictors[self._known(fitted, self.predictors)](fitted, table, self)

    def _known(self, fitted: Any, writers: dict[str, Any]) -> str:
        name, root = type(fitted).__name__, type(fitted).__module__.split(".")[0]
        if name not in writers or root not in ("sklearn", "xgboost", "lightgbm", "catboost"):
            raise NoWriter(f"its step {type(fitted).__module__}.{name} has no ONNX form")
        return name
