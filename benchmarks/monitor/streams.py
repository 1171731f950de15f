"""The data sets that are played again, each with a model of its own trained on earlier rows."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from benchmarks.monitor.replay import Stream
from benchmarks.retraining import bikes as bicycles
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from lockgate.monitor.chunks import ChunkSize
from lockgate.registry.manifest import Task

MINUTE_US = 60_000_000
CAR = ("car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car",
       "size_of_downpayment", "driver_tenure")  # fmt: skip


def package(name: str) -> Path:
    """An installed package's folder; it is not imported. Raises ModuleNotFoundError."""
    found = importlib.util.find_spec(name)
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(f"the data package '{name}' is not installed", name=name)
    return Path(found.submodule_search_locations[0])


def car_loans(rows: int | None = None, start: int = 0) -> Stream:
    """T1: clean up to row 25,000 of production, then two columns and the score move."""
    folder = package("nannyml") / "datasets/data"
    past = pl.read_csv(folder / "synthetic_car_loan_reference.csv")
    after = pl.read_csv(folder / "synthetic_car_loan_analysis.csv")[start:][:rows]
    return Stream(
        "car loans (T1)", past[25_000:], after, times_of(after["timestamp"]), CAR, "repaid", Task.CLASSIFICATION,
        fitted(past[:25_000], CAR, "repaid", Task.CLASSIFICATION), positive="1",
    )  # fmt: skip


def used_cars(every: int = 1) -> Stream:
    """T2: inputs move from row 30,000 on, and the errors become smaller. `every`: only each so many-th row."""
    folder = package("nannyml") / "datasets/data"
    past = pl.read_csv(folder / "regression_synthetic_reference.csv")
    after = pl.read_csv(folder / "regression_synthetic_analysis.csv").gather_every(every)
    inputs = tuple(name for name in after.columns if name not in ("timestamp", "y_pred", "y_true", "id", ""))
    return Stream(
        "used cars (T2)", past[30_000:], after, times_of(after["timestamp"]), inputs, "y_true", Task.REGRESSION,
        fitted(past[:30_000].gather_every(every), inputs, "y_true", Task.REGRESSION),
    )  # fmt: skip


def bikes(quarters: range = range(3, 5)) -> Stream:
    """T3: hours of hire; what was learned and validated in the first half of 2011 is asked in later quarters of that year."""
    table = bicycles.hours()
    train, valid = (bicycles.quarter(table, 2011, number) for number in (1, 2))
    after = pl.concat([bicycles.quarter(table, 2011, number) for number in quarters])
    return Stream(
        "bicycles (T3)", valid, after, after["at_us"].to_numpy(), bicycles.INPUTS, "cnt", Task.REGRESSION,
        fitted(train, bicycles.INPUTS, "cnt", Task.REGRESSION),
    )  # fmt: skip


def flights(folder: Path, every: int = 1, months: range = range(4, 13)) -> Stream:
    """T4: a year of flights; trained on January and February, validated on March, seasons after that. `every`: only each so
    many-th flight."""
    frame = pl.read_parquet(folder / "flights.parquet").drop_nulls("arr_delay").gather_every(every)
    frame = frame.with_columns(
        late=(pl.col("arr_delay") >= 15).cast(pl.Int64),
        day_us=pl.datetime("year", "month", "day", time_unit="us").dt.epoch("us"),
    ).with_columns(
        at_us=pl.col("day_us")
        + (pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100) * MINUTE_US
    )
    frame = frame.with_columns(weekday=pl.from_epoch("day_us", time_unit="us").dt.weekday()).sort("at_us")
    inputs = ("hour", "minute", "weekday", "distance", "carrier", "origin", "dest")
    train, valid, after = (frame.filter(pl.col("month").is_in(each)) for each in ([1, 2], [3], months))
    return Stream(
        "flights (T4)", valid, after, after["at_us"].to_numpy(), inputs, "late", Task.CLASSIFICATION,
        fitted(train, inputs, "late", Task.CLASSIFICATION), positive="1",
    )  # fmt: skip


def churn(folder: Path, seed: int, *, chunks: int = 10) -> Stream:
    """T8: the control. Rows in no order, shuffled; half is the validation, the rest comes in chunks."""
    frame = pl.read_parquet(folder / "churn.parquet")
    frame = frame.sample(fraction=1.0, shuffle=True, seed=seed)
    inputs = tuple(name for name in frame.columns if name not in ("churn", "rownames", ""))
    half = frame.height // 2
    rows = math.ceil((frame.height - half) / chunks)
    after = frame[half:]
    return Stream(
        "churn (T8)", frame[:half], after, np.arange(after.height, dtype=np.int64) * MINUTE_US + 1_700_000_000_000_000, inputs,
        "churn", Task.CLASSIFICATION, fitted(frame[:half], inputs, "churn", Task.CLASSIFICATION), positive="Yes",
        size=ChunkSize(rows=rows - 60, span_us=0),
    )  # fmt: skip


def fitted(
    train: pl.DataFrame, inputs: tuple[str, ...], target: str, task: Task
) -> Callable[[pl.DataFrame], np.ndarray]:
    """Gradient boosting on earlier rows; text is the place of its category there."""
    places = {
        name: {value: float(n) for n, value in enumerate(train[name].drop_nulls().unique().sort())}
        for name in inputs if train[name].dtype == pl.String
    }  # fmt: skip

    def matrix(frame: pl.DataFrame) -> np.ndarray:
        columns = [
            frame[name].replace_strict(places[name], default=None, return_dtype=pl.Float64) if name in places
            else frame[name].cast(pl.Float64)
            for name in inputs
        ]  # fmt: skip
        return np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])

    kind = HistGradientBoostingClassifier if task is Task.CLASSIFICATION else HistGradientBoostingRegressor
    with threadpool_limits(1):
        model = kind(max_iter=60, random_state=0).fit(matrix(train), train[target].to_numpy())

    def ask(frame: pl.DataFrame) -> np.ndarray:
        with threadpool_limits(1):
            if task is Task.CLASSIFICATION:
                return np.asarray(model.predict_proba(matrix(frame))[:, 1], dtype=float)
            return np.asarray(model.predict(matrix(frame)), dtype=float)

    return ask


def times_of(series: pl.Series) -> np.ndarray:
    """Written times as microseconds (n,)."""
    times = series.cast(pl.String).str.slice(0, 19).str.to_datetime(strict=False, time_unit="us")
    return np.asarray(times.dt.epoch("us").to_numpy())
