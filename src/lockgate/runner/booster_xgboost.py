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
        self._learned = learned(booster)
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
        if any(array.dtype.kind == "O" for array in columns.values()) or any(self._learned.values()):
            if self._pandas is None:
                raise ImportError("this model was trained on pandas categories: its environment needs pandas")
            columns = apart(columns, names)
            frame = tables.frame(self._pandas, columns, names, categories_for(columns, self._learned))
            return {"data": frame, "enable_categorical": True}
        return {
            "data": tables.matrix(columns),
            "feature_names": names,
            "feature_types": self._types,
            "enable_categorical": bool(self._learned),
        }


def load(hello: dict[str, Any], path: str) -> XgboostBooster:
    """Read a JSON or UBJ model."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(path)
    booster.set_param({"nthread": 1})
    return XgboostBooster(booster, hello.get("inputs", []))


def learned(booster: Any) -> dict[str, list[Any]]:
    """Column -> the categories it was trained on, in the order of their codes; empty when the file does not tell.

    Since version 3.1 the file holds them (`cats`): text as bytes with offsets, numbers as they are.
    """
    types = booster.feature_types or []
    if "c" not in types:
        return {}
    boosted = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]
    model = boosted.get("gbtree", boosted).get("model", {})
    held = (model.get("cats") or {}).get("enc") or [{}] * len(types)
    names = booster.feature_names or [str(place) for place in range(len(types))]
    return {name: _known(one) for name, one, kind in zip(names, held, types) if kind == "c"}


def _known(held: dict[str, Any]) -> list[Any]:
    values = held.get("values") or []
    if "offsets" not in held:
        return list(values)
    raw, ends = bytes(value & 255 for value in values), held["offsets"]
    if max(raw, default=0) > 127:
        return []  # version 3.2 keeps as many bytes as there are letters: texts beyond ASCII are cut
    return [raw[start:end].decode() for start, end in zip(ends[:-1], ends[1:])]


def apart(columns: Columns, names: list[str] | None) -> Columns:
    """Columns under the model's own names; a lone vector (n, k) taken apart."""
    arrays = list(columns.values())
    if len(arrays) == 1 and arrays[0].ndim == 2:
        arrays = list(arrays[0].T)
    known = names or [str(place) for place in range(len(arrays))]
    return dict(zip(known, arrays))


def categories_for(columns: Columns, known: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """What each categorical column of some rows may hold: the known values, or when they are not known those that came.

    Raises ValueError for others. XGBoost refuses them, too, but not all: version 3.2 takes some longer texts for known ones.
    """
    made = {}
    for name, values in known.items():
        came = {value for value in columns[name].tolist() if value is not None and value == value}  # noqa: PLR0124
        if values and came - set(values):
            strange = str(min(came - set(values), key=str))
            raise ValueError(
                f"column '{name}' holds a category that XGBoost was not trained on: {strange[:100]}"
            )
        made[name] = values or sorted(came)
    return made


def learned_by(model: Any) -> dict[str, list[Any]]:
    """The same of an XGBClassifier or the like; nothing for other models."""
    if type(model).__module__.split(".")[0] != "xgboost" or not hasattr(model, "get_booster"):
        return {}
    return learned(model.get_booster())
