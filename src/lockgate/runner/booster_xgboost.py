"""XGBoost's own JSON and UBJ files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from . import tables
from .columns import Columns

CLASSIFYING = {"binary:logistic", "multi:softprob", "multi:softmax"}


class XgboostBooster:
    """An XGBoost Booster: the logistic and soft-max objectives classify, the rest regress."""

    framework = "xgboost"

    def __init__(self, booster: Any, inputs: list[dict[str, Any]]) -> None:
        self.fitted = booster
        self._names = [field["name"] for field in inputs]
        self._learner = json.loads(booster.save_config())["learner"]
        self.objective = str(self._learner["objective"]["name"])
        self._types = booster.feature_types
        self._pandas = tables.pandas_or_none()

    def answer(self, columns: Columns) -> Columns:
        """`prediction`, and `probability` for classifiers (classes 0 to k-1)."""
        import xgboost

        columns = tables.ordered(columns, self._names)
        best = self.fitted.attr("best_iteration")
        trees = (0, int(best) + 1) if best is not None else (0, 0)
        raw = self.fitted.predict(xgboost.DMatrix(**self._table(columns)), iteration_range=trees)
        if self.objective == "multi:softmax":
            return {"prediction": raw.astype(np.int64)}
        if self.task() != "classification":
            return {"prediction": raw}
        probability = np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw
        # XGBClassifier decides two classes by p > 0.5
        return {"prediction": probability.argmax(axis=1).astype(np.int64), "probability": probability}

    def version(self) -> str | None:
        """XGBoost's version."""
        import xgboost

        return str(xgboost.__version__)

    def task(self) -> str:
        """By objective."""
        return "classification" if self.objective in CLASSIFYING else "regression"

    def classes(self) -> list[Any] | None:
        """0 to k-1: a Booster does not know the names of its classes."""
        if self.task() != "classification":
            return None
        return list(range(max(2, int(self._learner["learner_model_param"]["num_class"]))))

    def feature_names(self) -> list[str] | None:
        """The names, when the file holds them."""
        return list(self.fitted.feature_names) if self.fitted.feature_names else None

    def feature_count(self) -> int | None:
        """How many columns."""
        return int(self.fitted.num_features())

    def parameters(self) -> dict[str, str]:
        """Objective and rounds; a Booster file keeps little else."""
        return {"objective": self.objective, "rounds": str(self.fitted.num_boosted_rounds())}

    def _table(self, columns: Columns) -> dict[str, Any]:
        names = self.feature_names()
        categorical = bool(self._types) and "c" in self._types
        if categorical and any(array.dtype.kind == "O" for array in columns.values()):
            if self._pandas is None:
                raise ImportError("this model was trained on pandas categories: its environment needs pandas")
            frame = tables.frame(self._pandas, columns, names)
            text = [name for name, array in columns.items() if array.dtype.kind == "O"]
            return {"data": frame.astype(dict.fromkeys(text, "category")), "enable_categorical": True}
        return {
            "data": tables.matrix(columns),
            "feature_names": names,
            "feature_types": self._types,
            "enable_categorical": categorical,
        }


def load(hello: dict[str, Any], path: str) -> XgboostBooster:
    """Read a JSON or UBJ model."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(path)
    booster.set_param({"nthread": 1})
    return XgboostBooster(booster, hello.get("inputs", []))


def splits_categories(model: Any) -> bool:
    """Whether an XGBClassifier or the like was trained on pandas categories."""
    if type(model).__module__.split(".")[0] != "xgboost" or not hasattr(model, "get_booster"):
        return False
    return "c" in (model.get_booster().feature_types or [])
