"""Part of the quality check: what the test table holds that the training table never showed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.listing import few
from lockgate.checks.quality.text import CATEGORY_SHARE
from lockgate.checks.spelling import plain
from lockgate.checks.values import numbers_of
from lockgate.datasets.columns import CATEGORY_LIMIT
from lockgate.stats.intervals import wilson

_SHOWN = 5
_BY_CHANCE = 0.01  # over all columns


def new_types(check: str, train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str]) -> list[Finding]:
    """One failure for columns whose values in the test table cannot be read as what they are in the training table."""
    rows: list[tuple[str, str, str, str, float]] = []
    for name in names:
        before, after = _kind(train[name]), _kind(test[name])
        lost = (
            _unreadable(test[name], before, after)
            if before != after and _filled(train[name], test[name])
            else 0
        )
        if lost:
            rows.append((name, before, after, str(test[name].drop_nulls()[0]), lost / test.height))
    if not rows:
        return []
    name, before, after, example, _ = rows[0]
    return [Finding(
        check=check, subject="new types", status=Status.FAIL,
        headline=f"{name} holds {before} in training and {after} in the test rows ({example})"
                 + (f", and so do {len(rows) - 1} more columns." if len(rows) > 1 else "."),
        advice="Read both tables with the same types; if the feed changed, the model cannot take it as it is now.",
        measure=Measure(name="columns of another type", value=float(len(rows))), threshold=Threshold(at_most=0.0),
        table=Table(columns=("column", "in training", "in test", "example", "share of rows"), rows=tuple(rows),
                    shares=("share of rows",)),
    )]  # fmt: skip


def _kind(series: pl.Series) -> str:
    if series.dtype == pl.Boolean:
        return "truth values"
    if series.dtype.is_numeric():
        return "numbers"
    if series.dtype.is_temporal():
        return "times"
    return "lists" if series.dtype.is_nested() else "text"


def _filled(*columns: pl.Series) -> bool:
    """Whether each holds anything: an empty column has whatever type its reader gave it."""
    return all(series.null_count() < len(series) for series in columns)


def _unreadable(series: pl.Series, before: str, after: str) -> int:
    """How many values cannot be read as what training holds: text of numbers is no loss, nor are days as text."""
    if {before, after} in (
        {"numbers", "truth values"},
        {"times", "text"},
        {"numbers", "text"},
    ) and after != "text":
        return 0
    if {before, after} == {"times", "text"}:
        return 0
    if after == "text" and before == "numbers":
        return int(series.cast(pl.Float64, strict=False).null_count() - series.null_count())
    return len(series) - series.null_count()


def unseen_categories(
    check: str, train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str], *, warn: float, fail: float
) -> list[Finding]:
    """Text values of the test table that training lacks, where they surely touch a share `warn` of rows."""
    rows: list[tuple[str, str, float]] = []
    for name in names:
        if train.schema[name] != pl.String or test[name].dtype != pl.String:
            continue
        known = train[name].drop_nulls().unique()
        own = len(known) > CATEGORY_SHARE * (train.height - train[name].null_count())
        if own or len(known) > CATEGORY_LIMIT or looks_like_identifier(train[name]):
            continue  # free text and identifiers are always new
        new = test[name].drop_nulls()
        new = new.filter(~new.is_in(known.implode()))
        if wilson(len(new), test.height).low >= warn:
            values = new.value_counts(sort=True)[name].head(_SHOWN).to_list()
            rows.append((name, _spelt(values, known.to_list()), len(new) / test.height))
    if not rows:
        return []
    rows.sort(key=lambda row: -row[2])
    name, values_of, share = rows[0]
    return [Finding(
        check=check, subject="unseen categories", status=Status.FAIL if share >= fail else Status.WARN,
        headline=f"{figure(share, 'share')} of test rows have a value in {name} that training never showed ({values_of}).",
        advice="Train on rows that hold these values, or say what the model shall do with them.",
        measure=Measure(name="test rows with unseen values", value=share, unit="share"), threshold=Threshold(at_most=warn),
        table=Table(columns=("column", "values", "share of rows"), shares=("share of rows",),
                    rows=tuple((name, said, round(share, 4)) for name, said, share in rows)),
    )]  # fmt: skip


def _spelt(values: list[str], known: list[str]) -> str:
    """The unseen values, each with the known one that it is but for spelling."""
    meant = {plain(value): value for value in known}
    return few(
        f"{value!r} for {meant[plain(value)]!r}" if plain(value) in meant else value for value in values
    )


def out_of_range(
    check: str, train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str], *, limit: float
) -> list[Finding]:
    """Numbers of the test table outside training's range, where they surely touch a share `limit`.

    Of n + m rows of one kind the k largest all fall among the m test rows with a chance of about (m / (n + m))^k (Wilks 1941,
    Determination of sample sizes for setting tolerance limits, Annals of Mathematical Statistics 12): few rows go beyond a
    small training table honestly.
    """
    share_of_test = test.height / max(train.height + test.height, 1)
    rows: list[tuple[str, float, float, float, float, float]] = []
    for name in names:
        if not train.schema[name].is_numeric() or looks_like_identifier(train[name]):
            continue
        known, new = numbers_of(train[name]), numbers_of(test[name])
        known = known[np.isfinite(known)]
        if not known.size:
            continue
        low, high = float(known.min()), float(known.max())
        below, above = int((new < low).sum()), int((new > high).sum())
        chance = 2 * len(names) * share_of_test ** max(below, above)
        if wilson(below + above, test.height).low >= limit and chance <= _BY_CHANCE:
            share = (below + above) / test.height
            rows.append((name, low, high, float(np.nanmin(new)), float(np.nanmax(new)), share))
    if not rows:
        return []
    rows.sort(key=lambda row: -row[5])
    name, low, high, _, _, share = rows[0]
    return [Finding(
        check=check, subject="out of range", status=Status.WARN,
        headline=f"{figure(share, 'share')} of test rows have {name} outside what training showed ({low:g} to {high:g}).",
        advice="See whether the unit changed or time moved on; train on rows that cover these values.",
        measure=Measure(name="test rows out of range", value=share, unit="share"), threshold=Threshold(at_most=limit),
        table=Table(columns=("column", "training from", "training to", "test from", "test to", "share of rows"),
                    shares=("share of rows",), rows=tuple((*row[:5], round(row[5], 4)) for row in rows)),
    )]  # fmt: skip
