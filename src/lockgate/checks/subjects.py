"""Subjects (patients, machines) that stand on both sides of a split, and whether knowing the subject is knowing the answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.values import subject_names
from lockgate.stats.intervals import Interval, wilson

_CONSTANT = 0.8  # of what chance leaves open
_FEWEST = 20  # rows of known subjects; with fewer nothing is said of their labels


@dataclass(frozen=True)
class Subjects:
    """`share` of the test rows belong to a subject that training has too; `told` is how often the label that the subject has
    there (of numbers: its mean) is right here, `chance` how often it would be by chance. NaN where labels are not known."""

    share: Interval
    told: float
    chance: float

    @property
    def constant(self) -> bool:
        """Whether a subject's label hardly changes, so that recognising the subject is knowing the answer."""
        return self.told - self.chance >= _CONSTANT * (1 - self.chance)


def known_subjects(
    train: pl.DataFrame, test: pl.DataFrame, group: str, before: np.ndarray | None, after: np.ndarray | None
) -> Subjects | None:
    """Subjects of both tables; `before` and `after` are the labels of the two. None where a table lacks the column.

    `told` of numbers is R squared of the subject's mean against chance 0.
    """
    if group not in train.columns or group not in test.columns:
        return None
    known = _names(train[group]).drop_nulls().unique()
    shared = _names(test[group]).is_in(known.implode()).fill_null(False)
    share = wilson(int(shared.sum()), test.height)
    if before is None or after is None:
        return Subjects(share, float("nan"), float("nan"))
    told, chance = _told(train[group], before, test[group], after)
    return Subjects(share, told, chance)


def _names(subjects: pl.Series) -> pl.Series:
    """Subjects as text, whatever their type."""
    if subjects.dtype.is_nested() or subjects.dtype in (pl.Binary, pl.Object):
        return pl.Series(subjects.name, subject_names(subjects).tolist(), dtype=pl.String)
    return (subjects.to_physical() if subjects.dtype.is_temporal() else subjects).cast(pl.String)


def _told(one: pl.Series, before: np.ndarray, two: pl.Series, after: np.ndarray) -> tuple[float, float]:
    numbers = before.dtype.kind == "f"
    kind: type[pl.DataType] = pl.Float64 if numbers else pl.String
    seen = _labelled(one, before, kind)
    middle = pl.col("label").mean() if numbers else pl.col("label").mode().sort().first()
    both = _labelled(two, after, kind).join(seen.group_by("subject").agg(middle.alias("told")), on="subject")
    if both.height < _FEWEST:
        return float("nan"), float("nan")
    if not numbers:
        shares = dict(seen["label"].value_counts(normalize=True).iter_rows())
        here = dict(both["label"].value_counts(normalize=True).iter_rows())
        chance = sum(share * shares.get(label, 0.0) for label, share in here.items())
        return float((both["told"] == both["label"]).mean() or 0.0), float(chance)  # type: ignore[arg-type]
    label, told = both["label"].to_numpy(), both["told"].to_numpy()
    spread = float(((label - label.mean()) ** 2).sum())
    return (1 - float(((label - told) ** 2).sum()) / spread if spread else float("nan")), 0.0


def _labelled(subjects: pl.Series, labels: np.ndarray, kind: type[pl.DataType]) -> pl.DataFrame:
    made = pl.DataFrame({"subject": _names(subjects), "label": pl.Series(labels.tolist(), dtype=kind)})
    made = made.drop_nulls()
    return made.filter(pl.col("label").is_finite()) if kind is pl.Float64 else made
