"""Models with scikit-learn's interface, from pickle, joblib or skops: scikit-learn itself, XGBClassifier, LGBMRegressor, ..."""

from __future__ import annotations

import importlib
import pickle  # the file was scanned before it was sealed, and this process is confined
from typing import Any

import numpy as np

from . import booster_lightgbm, booster_xgboost, nameless, tables
from .columns import Block, Columns, columns_of
from .wire import LABEL

# predict() of these is exactly "the class with the largest probability", so one call gives both
ARGMAX = frozenset(
    [
        "LogisticRegression",
        "LogisticRegressionCV",
        "RandomForestClassifier",
        "ExtraTreesClassifier",
        "DecisionTreeClassifier",
        "ExtraTreeClassifier",
        "GradientBoostingClassifier",
        "HistGradientBoostingClassifier",
        "MLPClassifier",
        "GaussianNB",
        "MultinomialNB",
        "BernoulliNB",
        "ComplementNB",
        "LinearDiscriminantAnalysis",
        "CalibratedClassifierCV",
        "XGBClassifier",
        "LGBMClassifier",
    ]
)
LIBRARIES = frozenset(["sklearn", "xgboost", "lightgbm"])  # their estimators remember the names of columns
PARAMETER_LETTERS = 200
_FROZEN = frozenset(["FrozenEstimator"])


class Estimator:
    """One fitted estimator or pipeline."""

    def __init__(self, fitted: Any, framework: str, inputs: list[dict[str, Any]]) -> None:
        if not hasattr(fitted, "predict"):
            raise TypeError(
                f"the file holds a {type(fitted).__name__}, which has no predict(): submit the fitted model "
                "or pipeline itself"
            )
        self.framework, self.fitted = framework, fitted
        self._names = [field["name"] for field in inputs]
        own_step = _module_root(steps_of(fitted)[-1]) not in LIBRARIES
        remembered = any(hasattr(step, "feature_names_in_") for step in steps_of(fitted))
        named = remembered or (own_step and bool(inputs) and not any(field["shape"] for field in inputs))
        self._pandas = tables.pandas_or_none() if named else None
        self._undecided = self._pandas is not None and not remembered
        self._text_only = (
            len(inputs) == 1 and inputs[0]["datatype"] == "BYTES" and self.feature_count() is None
        )
        self._nameless: bool | None = None  # whether names may be left out: not known before the first batch
        last = _last_step(fitted)
        self._probability = hasattr(fitted, "predict_proba")
        self._argmax = type(last).__name__ in ARGMAX
        self._learned = booster_xgboost.learned_by(last)
        self._categories = booster_lightgbm.categories_of(last)
        self._category_columns = booster_lightgbm.categorical_columns(last)

    def answer(self, columns: Columns) -> Columns:
        """`prediction` (n,) or (n, k), and `probability` (n, classes) when the model gives one."""
        wanted = tables.ordered(columns, self._names)
        if not self._undecided:
            return self._answered(self._table(wanted))
        try:  # a step of their own that keeps no names was written for frames or for matrices: what answers tells
            answers = self._answered(self._table(wanted))
        except Exception as refusal:  # noqa: BLE001 - it is raised again when the other way fails too
            try:
                answers = self._answered(tables.matrix(wanted))
            except Exception:  # noqa: BLE001
                raise refusal from None
            self._pandas = None
        self._undecided = False
        return answers

    def answer_block(self, block: Block) -> Columns | None:
        """The same for all columns in one block of numbers, as they lie; None where the model needs them by name."""
        if block.data.ndim != 2 or block.data.dtype.kind not in "fiub" or list(block.names) != self._names:
            return None
        if self._pandas is None:
            return self._answered(block.data.T)
        if self._categories or self._learned:
            return None  # numbers that stand for categories are no numbers: rows can answer alike by chance
        if self._nameless is None:
            named = self.answer(columns_of([block]))
            self._nameless = nameless.computes_without_names(self.fitted) and self._alike(named, block)
            return named
        return self._answered(block.data.T) if self._nameless else None

    def _alike(self, named: Columns, block: Block) -> bool:
        try:
            return nameless.same(named, self._answered(block.data.T))
        except Exception:  # noqa: BLE001  it wants the names: the answer is there already
            return False

    def _answered(self, table: Any) -> Columns:
        if self._probability:
            probability = self.fitted.predict_proba(table)
            if isinstance(probability, np.ndarray) and probability.ndim == 2:
                chosen = self._chosen(table, probability)
                return {"prediction": _plain(chosen), "probability": probability}
        return {"prediction": _plain(np.asarray(self.fitted.predict(table)))}

    def learn(self, columns: Columns) -> None:
        """Fit an untrained copy of the estimator, with its settings, to n rows; it answers from now on.

        The column LABEL holds numbers: places in `classes`, or what a regression is to answer. A search is not searched
        again: what it had chosen is fitted. Chance is seeded, so the same rows give the same model where it asks numpy's.
        """
        from sklearn.base import clone

        labels = np.asarray(columns.pop(LABEL))
        given = getattr(self.fitted, "best_estimator_", self.fitted)
        if frozen := sorted(_FROZEN & {type(part).__name__ for part in _parts_of(given)}):
            raise TypeError(f"a part of this model is frozen ({frozen[0]}) and keeps what it learned")
        classes = getattr(self.fitted, "classes_", None)
        truth = labels if classes is None else np.asarray(classes)[labels.astype(np.int64)]
        fresh, wanted = clone(given), tables.ordered(columns, self._names)
        np.random.seed(0)
        try:
            fresh.fit(self._table(wanted), truth)
        except Exception:
            if not self._undecided:
                raise
            self._pandas, self._undecided = None, False
            fresh.fit(self._table(wanted), truth)
        self.fitted, self._nameless = fresh, None

    def version(self) -> str | None:
        """The version of the library that made the last step."""
        root = _module_root(_last_step(self.fitted))
        version = getattr(importlib.import_module(root), "__version__", None)
        return str(version) if version else None

    def task(self) -> str:
        """As scikit-learn itself tells classifiers from regressors; it refuses to say it of a class that is none of its own."""
        if not (hasattr(self.fitted, "__sklearn_tags__") or hasattr(self.fitted, "_estimator_type")):
            return "classification" if self.classes() else "other"
        from sklearn.base import is_classifier, is_regressor

        return (
            "classification"
            if is_classifier(self.fitted)
            else "regression"
            if is_regressor(self.fitted)
            else "other"
        )

    def classes(self) -> list[Any] | None:
        """`classes_` as plain values; None for regressors and for several outputs."""
        classes = getattr(self.fitted, "classes_", None)
        return classes.tolist() if isinstance(classes, np.ndarray) and classes.ndim == 1 else None

    def feature_names(self) -> list[str] | None:
        """`feature_names_in_`; also of the first step of a pipeline."""
        names = getattr(self.fitted, "feature_names_in_", None)
        return [str(name) for name in names] if names is not None else None

    def feature_count(self) -> int | None:
        """`n_features_in_`."""
        count = getattr(self.fitted, "n_features_in_", None)
        return int(count) if count is not None else None

    def parameters(self) -> dict[str, str]:
        """`get_params()` without nested estimators, as text."""
        given = self.fitted.get_params(deep=True) if hasattr(self.fitted, "get_params") else {}
        simple = (str, int, float, bool, type(None), tuple, list, dict)
        return {
            name: str(value)[:PARAMETER_LETTERS]
            for name, value in given.items()
            if isinstance(value, simple) and not _holds_estimators(value)
        }

    def _table(self, columns: Columns) -> Any:
        if self._text_only:
            return next(iter(columns.values()))
        if self._pandas is None:
            return tables.matrix(columns)
        categories: dict[str, list[Any]] | None = None
        if self._categories:
            categories = booster_lightgbm.match(self._categories, self._category_columns, list(columns))
        elif self._learned:
            columns = booster_xgboost.apart(columns, self.feature_names())
            categories = booster_xgboost.categories_for(columns, self._learned)
        return tables.frame(self._pandas, columns, self.feature_names(), categories)

    def _chosen(self, table: Any, probability: np.ndarray) -> np.ndarray:
        classes = getattr(self.fitted, "classes_", None)
        if self._argmax and isinstance(classes, np.ndarray) and not np.isnan(probability).any():
            return np.asarray(classes[probability.argmax(axis=1)])
        return np.asarray(self.fitted.predict(table))


def load(hello: dict[str, Any], path: str) -> Estimator:
    """Read the file with skops, joblib or pickle."""
    return Estimator(_read(path), hello["framework"], hello.get("inputs", []))


def _read(path: str) -> Any:
    if path.endswith(".skops"):
        from skops import io

        return io.load(path, trusted=io.get_untrusted_types(file=path))
    try:
        import joblib
    except ImportError:
        with open(path, "rb") as file:
            return pickle.load(file)  # noqa: S301
    return joblib.load(path)


def _last_step(fitted: Any) -> Any:
    while True:
        steps = getattr(fitted, "steps", None)
        inner = getattr(fitted, "best_estimator_", None)
        if isinstance(steps, list) and steps:
            fitted = steps[-1][1]
        elif inner is not None:
            fitted = inner
        else:
            return fitted


def steps_of(fitted: Any) -> list[Any]:
    """A model and, of a pipeline, the steps inside it; last comes what takes the rows first."""
    inner = getattr(fitted, "best_estimator_", None)
    steps = getattr(fitted, "steps", None)
    if inner is not None:
        return [fitted, *steps_of(inner)]
    if not isinstance(steps, list) or not steps:
        return [fitted]
    later = [step for _, step in steps[1:] if not isinstance(step, str)]
    return [fitted, *later, *steps_of(steps[0][1])]


def _parts_of(model: Any) -> list[Any]:
    """A model and every estimator among its settings, however deep."""
    settings = model.get_params(deep=True) if hasattr(model, "get_params") else {}
    return [model, *(value for value in settings.values() if hasattr(value, "fit"))]


def _module_root(thing: Any) -> str:
    return type(thing).__module__.split(".")[0]


def _holds_estimators(value: Any) -> bool:
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return any(
        hasattr(item, "get_params") or (isinstance(item, tuple) and _holds_estimators(item))
        for item in inside
    )


def _plain(array: np.ndarray) -> np.ndarray:
    """Types that cross the socket: text as objects, whole numbers as int64 (the width differs by platform)."""
    if array.dtype.kind in "US":
        return array.astype(object)
    return array.astype(np.int64) if array.dtype.kind in "iu" else array
