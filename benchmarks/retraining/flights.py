"""Flights (T4): a year of departures. Months differ, and a model that is trained on some of them is not wrong about the next."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from benchmarks.retraining.stage import Case

MINUTE_US = 60_000_000
INPUTS = ("hour", "minute", "weekday", "distance", "carrier", "origin", "dest")
CODE = '''
"""Which flights come in late: from the table of a year to a classifier that knows what is known before departure."""

import numpy as np
import pandas as pd
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.preprocessing import OrdinalEncoder

NUMBERS = ["hour", "minute", "weekday", "distance"]
WORDS = ["carrier", "origin", "dest"]


def flights(raw: pl.DataFrame) -> pl.DataFrame:
    """In the order of time."""
    return raw.sort("day", maintain_order=True)


def train(flights: pl.DataFrame) -> pl.DataFrame:
    """The first four fifths."""
    return flights.head(int(flights.height * 0.8))


def test(flights: pl.DataFrame) -> pl.DataFrame:
    """The last fifth."""
    return flights.tail(flights.height - int(flights.height * 0.8))


def encoder(train: pl.DataFrame) -> OrdinalEncoder:
    """The place of each word."""
    made = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return made.fit(train.select(WORDS).to_pandas())


def model(train: pl.DataFrame, encoder: OrdinalEncoder, seed: int) -> dict:
    """Boosted trees, with the places of words."""
    fitted = HistGradientBoostingClassifier(max_iter=60, random_state=seed)
    fitted.fit(_matrix(encoder, train.to_pandas()), train["late"].to_numpy())
    return {"trees": fitted, "encoder": encoder}


def predict(model: dict, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """What callers are answered."""
    score = model["trees"].predict_proba(_matrix(model["encoder"], rows))[:, 1]
    return {"prediction": (score > 0.5).astype(np.int64), "probability": score}


def _matrix(encoder: OrdinalEncoder, rows: pd.DataFrame) -> np.ndarray:
    return np.hstack([rows[NUMBERS].to_numpy(dtype=float), encoder.transform(rows[WORDS])])
'''


def year(folder: Path, *, every: int = 10) -> pl.DataFrame:
    """Every so many flights of the year, in the order of time, with `at_us`."""
    frame = pl.read_csv(folder / "flights.csv", null_values=["NA"]).drop_nulls("arr_delay")
    date = pl.datetime("year", "month", "day", time_unit="us")
    minutes = pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100
    return (
        frame.with_columns(
            late=(pl.col("arr_delay") >= 15).cast(pl.Int64), day=date.dt.to_string("%Y-%m-%d"), weekday=date.dt.weekday(),
            at_us=date.dt.epoch("us") + minutes * MINUTE_US,
        ).sort("at_us").gather_every(every)
    )  # fmt: skip


def case(table: pl.DataFrame, **retrain: object) -> Case:
    """Trained on what is known before departure. `retrain`: of its settings."""
    return Case(
        model="flights", pipeline="flights.py", code=CODE, rows=table, given=("day", *INPUTS, "late"), target="late",
        settings={
            "target": "late", "task": "classification", "positive": 1, "time": "day", "goal": {"metric": "roc_auc"},
            "suites": {"low": ["leakage", "performance"]}, "retrain": {"rows": "log", **retrain},
        },
        parameters={},
    )  # fmt: skip
