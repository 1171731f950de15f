"""What a check may look at: tables, labels, the answers of the version and of the live version on the same rows.

Evidence is gathered once (each table is predicted once per version) and never changed; checks read it and compute.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
import polars as pl

from lockgate.config import Goal
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task


class Split(StrEnum):
    """Which part of the data a table is."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, eq=False)
class Answers:
    """A version's answers over n rows.

    `decisions`: class names as text, or floats in regression. `scores`: shape (n,), the probability of the positive
    class where there is one. `probabilities`: shape (n, classes), rows sum to 1; None where the model gives none.
    """

    decisions: np.ndarray
    scores: np.ndarray | None = None
    probabilities: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> Answers:
        """The answers of some rows (indices or truth values)."""
        return Answers(
            self.decisions[rows],
            None if self.scores is None else self.scores[rows],
            None if self.probabilities is None else self.probabilities[rows],
        )


@dataclass(frozen=True, eq=False)
class Evidence:
    """Everything about one version that checks look at. What is absent is empty or None.

    Answers on training rows may be of a sample of them. `failures` says why answers are lacking, by split or `live`.
    `inputs` are the tables' columns that the model takes; `classes` the class names in the order of the probability
    columns; `known_at` says for a column which time column tells when it was known.
    """

    task: Task
    inputs: tuple[str, ...]
    frames: Mapping[Split, pl.DataFrame]
    answers: Mapping[Split, Answers] = field(default_factory=dict)
    live: Mapping[Split, Answers] = field(default_factory=dict)
    live_name: str | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None
    time: str | None = None
    key: str | None = None
    classes: tuple[str, ...] | None = None
    positive: str | None = None
    protected: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    known_at: Mapping[str, str] = field(default_factory=dict)
    goal: Goal = field(default_factory=Goal)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def classifies(self) -> bool:
        """Whether the answers are classes."""
        return self.task is Task.CLASSIFICATION

    def judged_split(self) -> Split | None:
        """The table that answers are judged on: test, else validation; never the training data."""
        return next((split for split in (Split.TEST, Split.VALIDATION) if split in self.frames), None)

    def seen_split(self) -> Split | None:
        """The table that columns are looked at in: training data, else whatever is there."""
        return next((split for split in Split if split in self.frames), None)

    def truth(self, split: Split) -> np.ndarray | None:
        """The labels of a table, shape (n,): class names as text (None: missing) or floats (NaN: missing)."""
        frame = self.frames.get(split)
        if frame is None or self.target is None or self.target not in frame.columns:
            return None
        if self.classifies:
            return class_names(frame[self.target])
        return numbers_of(frame[self.target])


def class_names(values: pl.Series | np.ndarray) -> np.ndarray:
    """Classes as text, so that labels and answers compare whatever their types: 1, 1.0 and true are `1`.

    >>> class_names(np.array([1.0, 0.0])).tolist(), class_names(np.array([True])).tolist()
    (['1', '0'], ['1'])
    """
    series = values if isinstance(values, pl.Series) else pl.Series(values.tolist(), strict=False)
    if series.dtype == pl.Boolean:
        series = series.cast(pl.Int64)
    if series.dtype.is_float():
        series = series.fill_nan(None)
        if series.drop_nulls().cast(pl.Int64, strict=False).cast(pl.Float64).equals(series.drop_nulls()):
            series = series.cast(pl.Int64, strict=False)
    names = np.empty(len(series), dtype=object)
    names[:] = series.cast(pl.String).to_list()
    return names


def numbers_of(series: pl.Series) -> np.ndarray:
    """A column as floats of shape (n,), NaN where it is missing or no number."""
    if series.dtype.is_nested():
        return np.full(len(series), np.nan)
    return series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def times_of(series: pl.Series) -> np.ndarray:
    """A time column as seconds (floats, NaN where missing): dates, times, ISO text, or numbers as they are."""
    if series.dtype == pl.String:
        parsed = _parsed(series)
        if parsed is None:
            raise InvalidInput(f"column '{series.name}' holds no times that can be read",
                               got=repr(series.drop_nulls()[0]), allowed="2024-01-31 or 2024-01-31T12:00:00")  # fmt: skip
        series = parsed
    if series.dtype == pl.Date:
        series = series.cast(pl.Datetime("us"))
    if isinstance(series.dtype, pl.Datetime):
        return numbers_of(series.dt.cast_time_unit("us").to_physical()) / 1e6
    return numbers_of(series)


def _parsed(series: pl.Series) -> pl.Series | None:
    """Text as times, missing where one cannot be read; None when none can."""
    try:
        parsed = series.str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
    except pl.exceptions.ComputeError:  # polars found no format that fits
        return None
    return None if parsed.null_count() == len(series) > series.null_count() else parsed
