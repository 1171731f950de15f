"""Part of feature shift: how many rows of strangers a column's rows are worth, where several are of one subject.

What is the same in all rows of a subject (a town, a size) is told once by each subject, however many rows it has.
Source: Kish (1965), Survey sampling, for the effective number of rows.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence
from lockgate.checks.judged import subjects_in
from lockgate.checks.values import numbers_of
from lockgate.stats.clusters import worth_of

_SUBJECTS = 2_000  # that are looked at: their shares of rows are those of all
_DECILES = np.linspace(0.1, 0.9, 9)
_WORDS = 5


def worth_in(evidence: Evidence, frame: pl.DataFrame, names: Iterable[str]) -> dict[str, float]:
    """Of each column the share, 0..1, of its rows that would tell as much if all were of strangers; empty where no subject
    has several rows."""
    subjects = subjects_in(evidence, frame)
    if subjects is None:
        return {}
    kept = evidence.random("worth of rows").permutation(int(subjects.max()) + 1)[:_SUBJECTS]
    rows = np.flatnonzero(np.isin(subjects, kept))
    some, numbers = frame[rows], np.unique(subjects[rows], return_inverse=True)[1]
    return {name: _worth(some[name], numbers) for name in names if name in some.columns}


def _worth(series: pl.Series, subjects: np.ndarray) -> float:
    """The least share that any of the column's shares (below its deciles, of its commonest values, missing) is worth."""
    missing = series.is_null().to_numpy()
    hits = [missing] if missing.any() else []
    if series.dtype.is_numeric():
        values = numbers_of(series)
        there = values[np.isfinite(values)]
        hits += [values <= place for place in np.unique(np.quantile(there, _DECILES))] if there.size else []
    elif not series.dtype.is_nested():
        words = series.cast(pl.String)
        common = words.drop_nulls().value_counts(sort=True)[series.name].head(_WORDS).to_list()
        hits += [(words == word).fill_null(False).to_numpy() for word in common]
    told = [worth_of(hit, subjects) for hit in hits if 0 < hit.sum() < hit.size]
    return min(told, default=float(subjects.size)) / subjects.size
