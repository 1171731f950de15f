"""Part of the quality check: what the test table holds that the training table never showed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.values import numbers_of
from lockgate.datasets.columns import CATEGORY_LIMIT
from lockgate.stats.intervals import wilson

_SHOWN = 5


def unseen_categories(
    check: str, train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str], *, warn: float, fail: float
) -> list[Finding]:
    """Text values of the test table that training lacks, where they surely touch a share `warn` of rows."""
    rows = []
    for name in names:
        if train.schema[name] != pl.String or test[name].dtype != pl.String:
            continue
        known = train[name].drop_nulls().unique()
        if len(known) > CATEGORY_LIMIT or looks_like_identifier(train[name]):
            continue  # free text and identifiers are always new
        new = test[name].drop_nulls()
        new = new.filter(~new.is_in(known.implode()))
        share = len(new) / test.height
        if wilson(len(new), test.height).low >= warn:
            values = new.value_counts(sort=True)[name].head(_SHOWN).to_list()
            rows.append((name, ", ".join(values), share))
    if not rows:
        return []
    rows.sort(key=lambda row: -row[2])
    worst = rows[0]
    return [Finding(
        check=check, subject="unseen categories", status=Status.FAIL if worst[2] >= fail else Status.WARN,
        headline=f"{figure(worst[2], 'share')} of test rows have a value in {worst[0]} that training never showed ({worst[1]}).",
        advice="Train on rows that hold these values, or say what the model shall do with them.",
        measure=Measure(name="test rows with unseen values", value=worst[2], unit="share"), threshold=Threshold(at_most=warn),
        table=Table(columns=("column", "values", "share of rows"), shares=("share of rows",),
                    rows=tuple((name, said, round(share, 4))
                                                                          for name, said, share in rows)),
    )]  # fmt: skip


def out_of_range(
    check: str, train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str], *, limit: float
) -> list[Finding]:
    """Numbers of the test table outside training's range, where they surely touch a share `limit`."""
    rows = []
    for name in names:
        if not train.schema[name].is_numeric() or looks_like_identifier(train[name]):
            continue
        known, new = numbers_of(train[name]), numbers_of(test[name])
        known = known[np.isfinite(known)]
        if not known.size:
            continue
        outside = (new < known.min()) | (new > known.max())
        share = float(outside.mean())
        if wilson(int(outside.sum()), test.height).low >= limit:
            rows.append(
                (
                    name,
                    float(known.min()),
                    float(known.max()),
                    float(np.nanmin(new)),
                    float(np.nanmax(new)),
                    share,
                )
            )
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
                    shares=("share of rows",),
                    rows=tuple((*row[:5], round(row[5], 4)) for row in rows)),
    )]  # fmt: skip
