"""Which loader opens which model: by framework and the file's ending, from one table."""

from __future__ import annotations

import os
from typing import Any, Callable, Protocol

from . import (
    booster_catboost,
    booster_lightgbm,
    booster_xgboost,
    estimator,
    flavor,
    function,
    graph,
    keras_model,
    torch_export,
    torch_module,
    transformers_text,
)
from .columns import Columns


class Model(Protocol):
    """A loaded model: answers columns, and can say what it is."""

    framework: str

    def answer(self, columns: Columns) -> Columns:
        """n rows in, `prediction` (and `probability`) of n rows out."""
        ...

    def version(self) -> str | None:
        """The version of the library that runs the model."""
        ...

    def task(self) -> str:
        """`classification`, `regression` or `other`."""
        ...

    def classes(self) -> list[Any] | None:
        """Classes in the order of the probabilities."""
        ...

    def feature_names(self) -> list[str] | None:
        """The columns it was trained on, when it remembers them."""
        ...

    def feature_count(self) -> int | None:
        """How many columns it was trained on, when it remembers."""
        ...

    def parameters(self) -> dict[str, str]:
        """Its settings as text."""
        ...


Loader = Callable[[dict[str, Any], str], Any]
LOADERS: dict[str, Loader] = {
    "sklearn": estimator.load,
    "xgboost": estimator.load,
    "lightgbm": estimator.load,
    "catboost": booster_catboost.load,
    "torch": torch_module.load,
    "keras": keras_model.load,
    "transformers": transformers_text.load,
    "onnx": graph.load,
    "python": function.load,
    "mlflow": flavor.load,
}
OWN_FILES: dict[str, Loader] = {
    ".json": booster_xgboost.load,
    ".ubj": booster_xgboost.load,
    ".txt": booster_lightgbm.load,
    ".pt2": torch_export.load,
}


def load(hello: dict[str, Any]) -> Model:
    """The model that HELLO names. Raises whatever the model's library raises."""
    framework = hello.get("framework", "")
    if framework not in LOADERS:
        raise ValueError(
            f"this runner knows no framework '{framework}'; it knows {', '.join(sorted(LOADERS))}"
        )
    path = os.path.join(hello["folder"], hello.get("model_path") or "")
    ending = os.path.splitext(path)[1].lower()
    loader = (
        OWN_FILES.get(ending, LOADERS[framework])
        if framework in ("xgboost", "lightgbm", "torch")
        and not hello.get("entry")  # weights, whatever their name
        else LOADERS[framework]
    )
    model: Model = loader(hello, path)
    return model
