"""LightGBM's own text files, and the categories that its models learned from pandas columns."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from . import tables
from .columns import Columns

NAME_OF_UNNAMED = re.compile(r"Column_\d+")
CLASSIFYING = ("binary", "multiclass", "multiclassova", "cross_entropy")


class LightgbmBooster:
    """A LightGBM Booster: binary and multiclass objectives classify, the rest regress."""

    framework = "lightgbm"

    def __init__(self, booster: Any, inputs: list[dict[str, Any]]) -> None:
        self.fitted = booster
        self._names = [field["name"] for field in inputs]
        self._pandas = tables.pandas_or_none()
        self._categories = categories_of(booster)
        self._category_columns = categorical_columns(booster)

    def objective(self) -> str:
        """The objective's name without its settings: `binary`."""
        found = re.search(r"^objective=(\S+)", self.fitted.model_to_string(num_iteration=1), re.MULTILINE)
        return found.group(1) if found else "custom"

    def answer(self, columns: Columns) -> Columns:
        """`prediction`, and `probability` for classifiers (classes 0 to k-1)."""
        columns = tables.ordered(columns, self._names)
        table: Any = tables.matrix(columns) if not self._categories else self._frame(columns)
        raw = np.asarray(self.fitted.predict(table))
        if self.task() != "classification":
            return {"prediction": raw}
        probability = np.column_stack([1 - raw, raw]) if raw.ndim == 1 else raw
        # ties and 0.5 itself as LGBMClassifier decides them: the first of the largest
        return {"prediction": probability.argmax(axis=1).astype(np.int64), "probability": probability}

    def version(self) -> str | None:
        """LightGBM's version."""
        import lightgbm

        return str(lightgbm.__version__)

    def task(self) -> str:
        """By objective."""
        if not hasattr(self, "_task"):
            self._task = "classification" if self.objective() in CLASSIFYING[:3] else "regression"
        return self._task

    def classes(self) -> list[Any] | None:
        """0 to k-1: a Booster does not know the names of its classes."""
        count = self.fitted.num_model_per_iteration()
        return list(range(max(2, count))) if self.task() == "classification" else None

    def feature_names(self) -> list[str] | None:
        """The names, unless they are LightGBM's own `Column_0`."""
        names = self.fitted.feature_name()
        return None if all(NAME_OF_UNNAMED.fullmatch(name) for name in names) else list(names)

    def feature_count(self) -> int | None:
        """How many columns."""
        return int(self.fitted.num_feature())

    def parameters(self) -> dict[str, str]:
        """The training parameters that the file holds."""
        return {name: str(value)[:200] for name, value in self.fitted.params.items()}

    def _frame(self, columns: Columns) -> Any:
        if self._pandas is None:
            raise ImportError("this model was trained on pandas categories: its environment needs pandas")
        categories = match(self._categories, self._category_columns, list(columns))
        return tables.frame(self._pandas, columns, self.feature_names(), categories)


def load(hello: dict[str, Any], path: str) -> LightgbmBooster:
    """Read a text model."""
    import lightgbm

    return LightgbmBooster(lightgbm.Booster(model_file=path), hello.get("inputs", []))


def categories_of(model: Any) -> list[list[Any]]:
    """The categories of each pandas category column that a LightGBM model was trained on, in the columns' order."""
    booster = _booster(model)
    return list(booster.pandas_categorical or []) if booster is not None else []


def categorical_columns(model: Any) -> list[int]:
    """Places of the columns that LightGBM split by category. Their range is written `0:1:2`, others' `[0:9]`."""
    booster = _booster(model)
    if booster is None:
        return []
    line = re.search(r"^feature_infos=(.*)$", booster.model_to_string(num_iteration=1), re.MULTILINE)
    infos = line.group(1).split() if line else []
    return [place for place, info in enumerate(infos) if ":" in info and not info.startswith("[")]


def match(categories: list[list[Any]], places: list[int], names: list[str]) -> dict[str, list[Any]]:
    """Which column has which categories. Raises ValueError when the file does not tell."""
    if len(places) != len(categories):
        raise ValueError(
            f"the model was trained on {len(categories)} pandas categories, {len(places)} of them are used: "
            "which columns they are cannot be told; train it on codes, or within a pipeline"
        )
    return {names[place]: found for place, found in zip(places, categories)}


def _booster(model: Any) -> Any:
    if type(model).__module__.split(".")[0] != "lightgbm":
        return None
    return model if hasattr(model, "pandas_categorical") else getattr(model, "_Booster", None)
