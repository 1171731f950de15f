"""Pipelines of libraries of tables, as a model builder writes them: functions that are steps, and draw by chance.

Each has a step `own`: what the framework itself answers to the test rows, as `prediction` and `p0`, `p1` of the classes.
"""

from __future__ import annotations

TARGETS = {"classification": "y", "regression": "v"}
TABLES = """import numpy as np
import polars as pl

def train(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.head(300).select(*COLUMNS, "TARGET")

def test(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.tail(100).select(*COLUMNS, "TARGET")

def metrics(own: pl.DataFrame, test: pl.DataFrame) -> dict:
    METRIC

def _x(table):
    return table.select(COLUMNS).to_numpy().astype(np.float32)

def _y(table):
    return table["TARGET"].to_numpy()

def _own(prediction, probability=None) -> pl.DataFrame:
    made = {"prediction": np.asarray(prediction).ravel()}
    if probability is not None:
        made |= {"p0": np.asarray(probability)[:, 0], "p1": np.asarray(probability)[:, 1]}
    return pl.DataFrame(made)
"""
METRICS = {
    "classification": 'return {"accuracy": float((own["prediction"] == test["y"]).mean())}',
    "regression": 'return {"mean_error": float((own["prediction"] - test["v"]).abs().mean())}',
}


def pipeline(task: str, steps: str, columns: str = '["a", "b", "c", "d"]') -> str:
    """A whole pipeline: tables and metrics as ever, and the framework's own steps."""
    tables = TABLES.replace("METRIC", METRICS[task]).replace("TARGET", TARGETS[task])
    return f"COLUMNS = {columns}\n{tables}\n{steps}"


def estimator(imported: str, made: dict[str, str], seeded: bool) -> dict[str, dict[str, str]]:
    """Projects of a library with scikit-learn's interface. `made`: task -> the estimator before it is fitted."""
    given = "train, seed" if seeded else "train"
    return {task: {"flow.py": pipeline(task, f"""{imported}

def model({given}):
    return {one}.fit(_x(train), _y(train))

def own(model, test):
    x = _x(test)
    return _own(model.predict(x), {"model.predict_proba(x)" if task == "classification" else None})
""")} for task, one in made.items()}  # fmt: skip


SKLEARN = estimator(
    "from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor",
    {
        "classification": "RandomForestClassifier(20, n_jobs=1)",
        "regression": "RandomForestRegressor(20, n_jobs=1)",
    },
    seeded=False,
)
DRAWN = "n_estimators=20, subsample=0.7, n_jobs=1"
XGBOOST = estimator(
    "from xgboost import XGBClassifier, XGBRegressor",
    {
        "classification": f"XGBClassifier(max_depth=3, random_state=seed, {DRAWN})",
        "regression": f"XGBRegressor(max_depth=3, random_state=seed, {DRAWN})",
    },
    seeded=True,
)
LIGHTGBM = estimator(
    "from lightgbm import LGBMClassifier, LGBMRegressor",
    {
        "classification": f"LGBMClassifier(num_leaves=7, subsample_freq=1, random_state=seed, verbose=-1, {DRAWN})",
        "regression": f"LGBMRegressor(num_leaves=7, subsample_freq=1, random_state=seed, verbose=-1, {DRAWN})",
    },
    seeded=True,
)


def catboost(task: str) -> str:
    """CatBoost's own file; its estimators are no pickles that lockgate loads."""
    kind = {"classification": "CatBoostClassifier", "regression": "CatBoostRegressor"}[task]
    proba = "fitted.predict_proba(_x(test))" if task == "classification" else None
    return pipeline(task, f"""from pathlib import Path
from catboost import {kind}

def model(train, seed) -> Path:
    fitted = {kind}(iterations=20, depth=3, verbose=0, thread_count=1, allow_writing_files=False, random_seed=seed)
    fitted.fit(_x(train), _y(train)).save_model("model.cbm")
    return Path("model.cbm")

def own(model: Path, test):
    fitted = {kind}().load_model(str(model))
    return _own(fitted.predict(_x(test)), {proba})
""")  # fmt: skip


def onnx(task: str) -> str:
    """A graph that another library wrote; its own answers are onnxruntime's."""
    kind = {"classification": 'SGDClassifier(loss="log_loss")', "regression": "SGDRegressor()"}[task]
    options = ', options={"zipmap": False}' if task == "classification" else ""
    answers = (
        "label, probability = asked" if task == "classification" else "(label,), probability = asked, None"
    )
    return pipeline(task, f"""import onnxruntime
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import SGDClassifier, SGDRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

def model(train):
    fitted = make_pipeline(StandardScaler(), {kind}).fit(_x(train), _y(train))  # a scaler takes columns one by one
    return convert_sklearn(fitted, initial_types=[(name, FloatTensorType([None, 1])) for name in COLUMNS]{options})

def own(model, test):
    session = onnxruntime.InferenceSession(model.SerializeToString())
    asked = session.run(None, {{name: _x(test)[:, [place]] for place, name in enumerate(COLUMNS)}})
    {answers}
    return _own(label, probability)
""")  # fmt: skip


def python(task: str) -> str:
    """Any callable: what was learned is a table of numbers, and the pipeline's own predict() reads it."""
    answers = (
        'return {"prediction": (score > 0.5).astype(int), "probability": np.column_stack([1 - score, score])}'
        if task == "classification"
        else 'return {"prediction": score}'
    )
    score = "1 / (1 + np.exp(0.5 - line))" if task == "classification" else "line"
    own = 'made["prediction"], made.get("probability")'
    return pipeline(task, f"""import pandas as pd

def model(train):
    start = np.random.normal(scale=0.05, size=4)
    fitted = np.linalg.lstsq(_x(train).astype(float), _y(train) - _x(train) @ start, rcond=None)[0]
    return {{"weights": start + 0.9 * fitted}}

def predict(model, rows: pd.DataFrame):
    line = rows[COLUMNS].to_numpy(dtype=float) @ model["weights"]
    score = {score}
    {answers}

def own(model, test):
    made = predict(model, test.to_pandas())
    return _own({own})
""")  # fmt: skip
