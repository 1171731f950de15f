"""scikit-learn: estimators and pipelines in pickle, joblib or skops files."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

HANDLER = Handler(
    framework=Framework.SKLEARN,
    title="scikit-learn",
    distributions=("scikit-learn", "numpy", "scipy", "joblib", "threadpoolctl"),
    roots=("sklearn",),
    file_names=("model.pkl", "model.joblib", "model.skops"),
    compiles=True,
)
