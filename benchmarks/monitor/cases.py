"""The data sets that go through all of lockgate, each with a model trained on its earlier rows (`through_cases.py`)."""

from __future__ import annotations

import numpy as np
import polars as pl
from benchmarks.monitor.apart import data
from benchmarks.monitor.streams import CAR, MINUTE_US, package, times_of
from benchmarks.monitor.through import Case
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from lockgate.clock import DAY_US

USED = ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel", "transmission")
FLIGHT = ("month", "hour", "minute", "weekday", "distance", "carrier", "origin", "dest")
EVERY_FLIGHT = 10  # of those that come; of the validation every third
CHURN_EVERY_US = 12 * MINUTE_US  # its rows in a month: seven chunks of as many rows and days as one must have


def loans(start: int = 0, end: int = 50_000) -> Case:
    """T1: two columns and the score move at row 25,000, and from there on the model is right less often."""
    folder = package("nannyml") / "datasets/data"
    past = pl.read_csv(folder / "synthetic_car_loan_reference.csv")
    later = pl.read_csv(folder / "synthetic_car_loan_analysis.csv").join(
        pl.read_csv(folder / "synthetic_car_loan_analysis_target.csv"), on="id", maintain_order="left"
    )[start:end]
    model = fitted(past[:25_000], CAR, "repaid", HistGradientBoostingClassifier(max_iter=60, random_state=0))
    held = past[25_000:].select(*CAR, "repaid")
    return Case("loans", model, held, later, times_of(later["timestamp"]), "repaid", "classification")


def cars(start: int = 0, end: int = 60_000) -> Case:
    """T2: inputs move at row 30,000, and errors become smaller."""
    model = _cars_model(_cars_past()[:30_000])
    later = _cars_later()[start:end]
    held = _cars_past()[30_000:].select(*USED, "y_true")
    return Case("cars", model, held, later, times_of(later["timestamp"]), "y_true", "regression")


def cars_staged(start: int = 0, end: int = 60_000, *, dense: int = 20_000, rows: int = 4) -> tuple[Case, object]:  # fmt: skip
    """T2 for a release that goes the whole way: few rows a request from row `dense` on, labels a day late; and the newer model,
    which learned from half as many rows again."""
    past, later = _cars_past(), _cars_later()[start:end]
    case = Case(
        "cars", _cars_model(past[:30_000]), past[45_000:].select(*USED, "y_true"), later, times_of(later["timestamp"]),
        "y_true", "regression", delay_us=DAY_US, dense=(dense - start, rows),
    )  # fmt: skip
    return case, _cars_model(past[:45_000])


def flights(*, every: int = EVERY_FLIGHT, months: range = range(4, 13)) -> Case:
    """T4: a model that learned January and February, the month among its inputs, and was validated on March."""
    frame = pl.read_parquet(data() / "flights.parquet").drop_nulls("arr_delay")
    date = pl.datetime("year", "month", "day", time_unit="us")
    minutes = pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100
    frame = frame.with_columns(
        late=(pl.col("arr_delay") >= 15).cast(pl.Int64), day=date.dt.to_string("%Y-%m-%d"),
        weekday=date.dt.weekday().cast(pl.Int64), at_us=date.dt.epoch("us") + minutes * MINUTE_US,
    ).sort("at_us")  # fmt: skip
    given = (*FLIGHT, "day", "late")
    train = frame.filter(pl.col("month") <= 2).select(given)
    held = frame.filter(pl.col("month") == 3).gather_every(3).select(given)
    later = frame.filter(pl.col("month").is_in(list(months))).gather_every(every)
    model = fitted(train, FLIGHT, "late", HistGradientBoostingClassifier(max_iter=60, random_state=0))
    settings = {"time": "day", "positive": 1, "leave_out": ["day"], "retrain": {"when": ["drift", "performance"]}}  # fmt: skip
    return Case(
        "flights",
        model,
        held,
        later,
        later["at_us"].to_numpy(),
        "late",
        "classification",
        settings,
        train=train,
    )


def churn(seed: int) -> Case:
    """T8: the control, shuffled. A quarter to learn from, a quarter to be validated on, the other half comes."""
    frame = pl.read_parquet(data() / "churn.parquet").drop("rownames")
    frame = frame.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(
        pl.col(pl.Int64).exclude("churn").cast(pl.Float64)
    )
    quarter = frame.height // 4
    inputs = tuple(name for name in frame.columns if name != "churn")
    later = frame[2 * quarter :]
    at_us = np.arange(later.height, dtype=np.int64) * CHURN_EVERY_US + 1_700_006_400_000_000
    model = fitted(
        frame[:quarter], inputs, "churn", HistGradientBoostingClassifier(max_iter=60, random_state=0)
    )
    return Case("churn", model, frame[quarter : 2 * quarter], later, at_us, "churn", "classification",
                {"positive": "Yes"}, delay_us=3 * DAY_US)  # fmt: skip


def fitted(train: pl.DataFrame, inputs: tuple[str, ...], target: str, last: object) -> Pipeline:
    """A pipeline on earlier rows; text is the place of its category there."""
    words = [name for name in inputs if train[name].dtype == pl.String]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    first = make_column_transformer((encoder, words), remainder="passthrough")
    return make_pipeline(first, last).fit(train.select(inputs).to_pandas(), train[target].to_numpy())


def _cars_past() -> pl.DataFrame:
    return pl.read_csv(package("nannyml") / "datasets/data/regression_synthetic_reference.csv")


def _cars_later() -> pl.DataFrame:
    folder = package("nannyml") / "datasets/data"
    return pl.read_csv(folder / "regression_synthetic_analysis.csv").join(
        pl.read_csv(folder / "regression_synthetic_analysis_targets.csv"), on="id", maintain_order="left"
    )


def _cars_model(past: pl.DataFrame) -> Pipeline:
    return fitted(past, USED, "y_true", HistGradientBoostingRegressor(max_iter=60, random_state=0))
