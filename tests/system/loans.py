"""Car loans (T1: nannyml's synthetic car loans), and models of them as people write them."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"]
WORDS = ["salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"]
FEATURES = [*NUMBERS, *WORDS]
# months; some branch sends days one day, and a strict model takes that for an error
LONGEST_MONTHS = 120
STRICT = f'''"""A step of a pipeline that refuses what it was not made for, and has no ONNX form."""

from sklearn.base import BaseEstimator, TransformerMixin


class Strict(BaseEstimator, TransformerMixin):
    """Lets rows through as they are, as long as the loans are counted in months."""

    def fit(self, rows, answers=None):
        self.fitted_ = True
        return self

    def transform(self, rows):
        if (rows["loan_length"] > {LONGEST_MONTHS}).any():
            raise ValueError("a loan of more than ten years: is loan_length given in days?")
        return rows
'''


@dataclass(frozen=True)
class Loans:
    """A folder with tables and fitted models, and the rows that callers ask about."""

    folder: Path
    rows: pd.DataFrame  # FEATURES and `id`, in time order, after the test rows

    @property
    def data(self) -> dict[str, Path]:
        """The tables that go with a submission."""
        return {"train": self.folder / "train.parquet", "test": self.folder / "test.csv"}

    def path(self, name: str) -> str:
        """A model file: first, second, blunt (hardly worse on the test rows; decides one loan in 40 differently), strict."""
        return str(self.folder / f"{name}.joblib")

    def model(self, name: str) -> Pipeline:
        """The fitted scikit-learn pipeline itself."""
        return joblib.load(self.path(name))

    def row(self, number: int) -> dict[str, Any]:
        """One caller's row as plain values."""
        found: dict[str, Any] = self.rows.iloc[number % len(self.rows)][FEATURES].to_dict()
        return found


def infer(row: dict[str, Any], key: str | None = None, name: str | None = None) -> dict[str, Any]:
    """An Open Inference request of one row."""
    inputs = [
        {"name": field, "shape": [1], "datatype": "BYTES" if field in WORDS else "FP64", "data": [value]}
        for field, value in row.items()
    ]
    asked: dict[str, Any] = {"inputs": inputs}
    if name is not None:
        asked["id"] = name
    if key is not None:
        asked["parameters"] = {"key": key}
    return asked


def make_loans(folder: Path) -> Loans:
    """Tables and fitted models in a folder."""
    rows = _read().iloc[:9_000]
    train, test, later = rows.iloc[:3_000], rows.iloc[3_000:4_000], rows.iloc[4_000:]
    known = [*FEATURES, "repaid"]
    train[known].to_parquet(folder / "train.parquet", index=False)
    test[known].to_csv(folder / "test.csv", index=False)
    (folder / "strict_steps.py").write_text(STRICT)
    sys.path.insert(0, str(folder))
    try:
        strict = importlib.import_module("strict_steps").Strict()
    finally:
        sys.path.remove(str(folder))
    pipelines = {
        "first": _pipeline(1.0),
        "second": _pipeline(0.5),
        "blunt": _pipeline(0.005),
        "strict": make_pipeline(strict, *[step for _, step in _pipeline(0.5).steps]),
    }
    for name, pipeline in pipelines.items():
        joblib.dump(pipeline.fit(train[FEATURES], train["repaid"]), folder / f"{name}.joblib")
    return Loans(folder, later.reset_index(drop=True))


def _pipeline(strength: float) -> Pipeline:
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), NUMBERS), ("words", OneHotEncoder(handle_unknown="ignore"), WORDS)]
    )
    return make_pipeline(columns, LogisticRegression(C=strength, max_iter=500))


def _read() -> pd.DataFrame:
    place = Path(next(iter(importlib.util.find_spec("nannyml").submodule_search_locations)))  # type: ignore[union-attr]
    rows = pd.read_csv(place / "datasets/data/synthetic_car_loan_reference.csv")
    rows["repaid"] = rows["repaid"].astype(int)
    rows["repaid_loan_on_prev_car"] = rows["repaid_loan_on_prev_car"].astype(str)
    return rows
