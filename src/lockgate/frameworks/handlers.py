"""The frameworks that lockgate knows, and how a file is told to be one of theirs."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.frameworks import (
    catboost,
    command,
    keras,
    lightgbm,
    mlflow,
    onnx,
    python,
    sklearn,
    torch,
    transformers,
    xgboost,
)
from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

_MODULES = (sklearn, xgboost, lightgbm, catboost, torch, keras, transformers, onnx, python, mlflow, command)
HANDLERS: dict[Framework, Handler] = {module.HANDLER.framework: module.HANDLER for module in _MODULES}


def by_head(head: bytes) -> Handler | None:
    """The framework whose own format these first bytes (64 are enough) begin; None for pickles, archives and others."""
    return next((handler for handler in HANDLERS.values() if handler.recognises(head)), None)


def by_globals(names: Iterable[str]) -> Handler | None:
    """The framework of a pickle by the dotted names it holds: a pipeline around a booster is scikit-learn's.

    >>> by_globals(["sklearn.pipeline.Pipeline", "xgboost.sklearn.XGBClassifier"]).title
    'scikit-learn'
    >>> by_globals(["xgboost.sklearn.XGBClassifier", "numpy.dtype"]).title
    'XGBoost'
    """
    # LGBMClassifier and XGBClassifier carry scikit-learn's LabelEncoder inside
    roots = {name.partition(".")[0] for name in names if not name.endswith(".LabelEncoder")}
    order = (Framework.SKLEARN, Framework.XGBOOST, Framework.LIGHTGBM)
    return next((HANDLERS[name] for name in order if roots & set(HANDLERS[name].roots)), None)
