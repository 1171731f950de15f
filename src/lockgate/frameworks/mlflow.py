"""MLflow folders whose flavor lockgate does not read itself: opened by mlflow.pyfunc in the model's own environment."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

# flavors whose files lockgate opens without mlflow, by their name in MLmodel
OWN_FLAVORS = {
    "sklearn": Framework.SKLEARN,
    "xgboost": Framework.XGBOOST,
    "lightgbm": Framework.LIGHTGBM,
    "onnx": Framework.ONNX,
}

HANDLER = Handler(
    framework=Framework.MLFLOW, title="MLflow", distributions=("mlflow", "numpy", "pandas"), extra="mlflow"
)
