"""CatBoost's own binary files (`.cbm`: numbers in FlatBuffers, no code), numbers and categories."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import tables
from .columns import Columns

CLASSIFYING = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")


class CatboostModel:
    """A CatBoost model: the logistic and soft-max losses classify, the rest regress."""

    framework = "catboost"

    def __init__(self, fitted: Any, inputs: list[dict[str, Any]]) -> None:
        self.fitted, self.fields = fitted, inputs
        self._names = [field["name"] for field in inputs]
        self._pandas = tables.pandas_or_none()
        self.loss = str(fitted.get_all_params().get("loss_function", ""))
        self.categorical = [int(place) for place in fitted.get_cat_feature_indices()]
        texts = [*fitted.get_text_feature_indices(), *fitted.get_embedding_feature_indices()]
        if texts:
            raise ValueError("this CatBoost model takes texts or embeddings, which no request can hold")

    def answer(self, columns: Columns) -> Columns:
        """`prediction`, and `probability` for classifiers in the order of `classes()`."""
        table = self._table(tables.ordered(columns, self._names))
        if self.task() != "classification":
            exponent = self.loss.partition(":")[0] in ("Poisson", "Tweedie")
            kind = "Exponent" if exponent else "RawFormulaVal"
            return {
                "prediction": np.asarray(self.fitted.predict(table, prediction_type=kind, thread_count=1))
            }
        probability = np.asarray(self.fitted.predict(table, prediction_type="Probability", thread_count=1))
        classes = np.asarray(self.fitted.classes_)
        chosen = classes[probability.argmax(axis=1)]
        text, whole = chosen.dtype.kind in "OUS", chosen.dtype.kind in "iub"
        chosen = chosen.astype(object if text else np.int64 if whole else np.float64)
        return {"prediction": chosen, "probability": probability}

    def version(self) -> str | None:
        """CatBoost's version."""
        import catboost

        return str(catboost.__version__)

    def task(self) -> str:
        """By loss."""
        return "classification" if self.loss.partition(":")[0] in CLASSIFYING else "regression"

    def classes(self) -> list[Any] | None:
        """The classes that the file holds."""
        return np.asarray(self.fitted.classes_).tolist() if self.task() == "classification" else None

    def feature_names(self) -> list[str] | None:
        """The names, unless they are CatBoost's own `0`, `1`."""
        names = [str(name) for name in self.fitted.feature_names_]
        return None if names == [str(place) for place in range(len(names))] else names

    def feature_count(self) -> int | None:
        """How many columns."""
        return len(self.fitted.feature_names_)

    def parameters(self) -> dict[str, str]:
        """The training parameters that the file holds."""
        return {name: str(value)[:200] for name, value in self.fitted.get_all_params().items()}

    def _table(self, columns: Columns) -> Any:
        if not self.categorical:
            return tables.matrix(columns)
        if self._pandas is None:
            raise ImportError("a CatBoost model of categories is given frames: its environment needs pandas")
        frame = tables.frame(self._pandas, columns, self.feature_names())
        for place in self.categorical:
            values = frame.iloc[:, place]
            # CatBoost takes whole numbers and text for categories, and a missing one as the text that pandas makes of it
            frame[frame.columns[place]] = values.astype(np.int64) if values.dtype.kind == "f" and not values.isna().any() \
                else values.astype(str)  # fmt: skip
        return frame


def load(hello: dict[str, Any], path: str) -> CatboostModel:
    """Read a `.cbm` file."""
    import catboost

    return CatboostModel(catboost.CatBoost().load_model(path), hello.get("inputs", []))
