"""From the hire table to a regressor that serves its own feature code: `features` is what trains and what answers."""

from typing import Annotated

import numpy as np
import pandas as pd
import polars as pl
from lightgbm import LGBMRegressor

INPUTS = ["season", "hr", "holiday", "weekday", "workingday", "weathersit", "temp", "hum", "windspeed"]
SEASONS = ["spring", "summer", "fall", "winter"]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEATHER = ["Clear", "Mist", "Light Rain", "Heavy Rain"]


def hours(raw: pl.DataFrame) -> Annotated[pl.DataFrame, "complete: cnt, hr, temp", "not empty"]:
    """Rows in the order of time, without the two columns that add up to the answer."""
    return raw.sort("dteday", maintain_order=True).select("dteday", *INPUTS, "cnt")


def train(hours: pl.DataFrame, test_share: float) -> pl.DataFrame:
    """The first rows; no day is on both sides."""
    return hours.filter(pl.col("dteday") < _day(hours, test_share))


def test(hours: pl.DataFrame, test_share: float) -> pl.DataFrame:
    """The last rows."""
    return hours.filter(pl.col("dteday") >= _day(hours, test_share))


def model(train: pl.DataFrame, leaves: int, rounds: int, seed: int) -> LGBMRegressor:
    """Boosted trees."""
    fitted = LGBMRegressor(
        num_leaves=leaves, n_estimators=rounds, random_state=seed, deterministic=True, force_row_wise=True,
        n_jobs=1, verbose=-1,
    )  # fmt: skip
    return fitted.fit(features(train.to_pandas()), train["cnt"].to_numpy())


def metrics(model: LGBMRegressor, test: pl.DataFrame) -> dict[str, float]:
    """How far off it is, in bicycles."""
    answers = predict(model, test.to_pandas())["prediction"]
    return {"mae": float(np.abs(answers - test["cnt"].to_numpy()).mean())}


def predict(model: LGBMRegressor, rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """What callers are answered."""
    return {"prediction": model.predict(features(rows)).clip(min=0)}


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """Numbers from what callers send; every row by itself."""
    hour = [_hour(text) for text in rows["hr"]]
    return pd.DataFrame({
        "hour": hour, "sine": np.sin(np.array(hour) * np.pi / 12), "season": _place(rows["season"], SEASONS),
        "day": _place(rows["weekday"], DAYS), "weather": _place(rows["weathersit"], WEATHER),
        "holiday": (rows["holiday"] == "Yes").to_numpy(), "working": (rows["workingday"] == "Yes").to_numpy(),
        "temp": rows["temp"].to_numpy(), "hum": rows["hum"].to_numpy(), "wind": rows["windspeed"].to_numpy(),
    })  # fmt: skip


def _hour(text: str) -> int:
    """`6am` is 6, `12am` 0, `1pm` 13."""
    return int(text[:-2]) % 12 + (12 if text.endswith("pm") else 0)


def _place(words: pd.Series, known: list[str]) -> np.ndarray:
    """The place in a list; missing and unknown words are -1."""
    return np.array([known.index(word) if word in known else -1 for word in words])


def _day(hours: pl.DataFrame, share: float) -> str:
    return str(hours["dteday"][int(hours.height * (1 - share))])
