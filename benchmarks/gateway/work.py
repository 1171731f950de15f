"""The work that every server does: two models over thirty numbers, and requests of one row or of a hundred."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from skl2onnx import to_onnx
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES = 30
LOGISTIC, FOREST = "logistic", "forest"
TREES = 100


@dataclass(frozen=True)
class Model:
    """A trained model, saved as `path` for the peers and as the ONNX graph `graph`. `rows`: `n x 30`, to try it on."""

    name: str
    estimator: Any
    path: Path
    graph: Path
    rows: np.ndarray


def train(name: str, folder: Path, seed: int = 0) -> Model:
    """A scaler with a logistic regression, or a forest of a hundred trees."""
    source = np.random.default_rng(seed)
    rows = source.normal(size=(5_000, FEATURES)).astype(np.float32)
    labels = (rows @ source.normal(size=FEATURES) + source.normal(size=len(rows)) > 0).astype(int)
    forest = RandomForestClassifier(TREES, random_state=seed, n_jobs=1)
    estimator = forest if name == FOREST else make_pipeline(StandardScaler(), LogisticRegression())
    estimator.fit(rows, labels)
    path = folder / f"{name}-{seed}.joblib"
    joblib.dump(estimator, path)
    graph = path.with_suffix(".onnx")
    options, opsets = {"zipmap": False}, {"": 21, "ai.onnx.ml": 3}
    made = to_onnx(estimator, rows[:1], options=options, target_opset=opsets)
    graph.write_bytes(made.SerializeToString())
    return Model(name, estimator, path, graph, rows[:8])


def question(rows: int) -> list[list[float]]:
    """The rows of a request, four digits after the point, as people send them."""
    return np.random.default_rng(2).normal(size=(rows, FEATURES)).round(4).tolist()
