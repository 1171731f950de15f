"""The models of the story, as a data scientist would write them: ordinary scikit-learn, saved with joblib."""

from __future__ import annotations

from pathlib import Path

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from examples.demo.data import BIKE_FEATURES, LOAN_FEATURES

BIKE_WORDS = ["season", "holiday", "weekday", "workingday", "weathersit"]
LOAN_WORDS = ["salary_range", "repaid_loan_on_prev_car", "size_of_downpayment"]


def first_bike_model(rows: pd.DataFrame) -> Pipeline:
    """A linear model on weather and calendar: honest, plain, and it takes categories that it never saw."""
    return _bike(Ridge(alpha=1.0), "ignore", BIKE_FEATURES).fit(rows[BIKE_FEATURES], rows["cnt"])


def leaking_bike_model(rows: pd.DataFrame) -> Pipeline:
    """The same with two more columns that happen to add up to the answer."""
    features = [*BIKE_FEATURES, "casual", "registered"]
    return _bike(Ridge(alpha=1.0), "ignore", features).fit(rows[features], rows["cnt"])


def brittle_bike_model(rows: pd.DataFrame) -> Pipeline:
    """A forest, far better on paper. Its encoder keeps scikit-learn's default: an unknown category is an error."""
    return _bike(_forest(), "error", BIKE_FEATURES).fit(rows[BIKE_FEATURES], rows["cnt"])


def better_bike_model(rows: pd.DataFrame) -> Pipeline:
    """The forest again, with an encoder that takes unknown categories."""
    return _bike(_forest(), "ignore", BIKE_FEATURES).fit(rows[BIKE_FEATURES], rows["cnt"])


def loan_model(rows: pd.DataFrame) -> Pipeline:
    """Will the loan be repaid? A logistic regression."""
    numbers = [name for name in LOAN_FEATURES if name not in LOAN_WORDS]
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), numbers),
            ("words", OneHotEncoder(handle_unknown="ignore"), LOAN_WORDS),
        ]
    )
    return make_pipeline(columns, LogisticRegression(max_iter=500)).fit(rows[LOAN_FEATURES], rows["repaid"])


def save(model: Pipeline, path: Path) -> Path:
    """Write a model the usual way."""
    joblib.dump(model, path)
    return path


def _forest() -> RandomForestRegressor:
    return RandomForestRegressor(n_estimators=60, min_samples_leaf=3, random_state=7)


def _bike(regressor: Ridge | RandomForestRegressor, unknown: str, features: list[str]) -> Pipeline:
    numbers = [name for name in features if name not in BIKE_WORDS]
    words = OneHotEncoder(handle_unknown=unknown)
    columns = ColumnTransformer([("numbers", StandardScaler(), numbers), ("words", words, BIKE_WORDS)])
    return make_pipeline(columns, regressor)
