"""Slices of tables."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.datasets.slices import slices_of
from lockgate.errors import InvalidInput


def test_categories_ranges_and_missing():
    """Text gives a slice a value, numbers give ranges, missing values have their own."""
    frame = pl.DataFrame({"city": ["Graz", "Graz", "Linz", None] * 25, "age": list(range(100))})
    found = slices_of(frame, ["city", "age"])
    assert [(part.name, part.rows) for part in found] == [
        ("city = Graz", 50),
        ("city = Linz", 25),
        ("city = missing", 25),
        ("age = 0 to 24.75", 25),
        ("age = 24.75 to 49.5", 25),
        ("age = 49.5 to 74.25", 25),
        ("age = 74.25 to 99", 25),
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.one_of(st.none(), st.floats(width=32)), min_size=1, max_size=60))
def test_every_finite_or_missing_row_lies_in_exactly_one_slice(values):
    """Ranges meet without gap or overlap."""
    series = pl.Series("x", values, dtype=pl.Float64)
    count = np.sum([part.mask for part in slices_of(series.to_frame(), ["x"])], axis=0)
    inside = np.array([value is None or not np.isinf(value) for value in values])
    assert (np.broadcast_to(count, inside.shape)[inside] == 1).all()


def test_small_slices_many_categories_and_times():
    """Small ones are left out, the long tail is one slice, times are ranges too."""
    frame = pl.DataFrame(
        {
            "c": [str(n % 30) for n in range(300)],
            "at": [dt.datetime(2024, 1, 1) + dt.timedelta(hours=n) for n in range(300)],
        }
    )
    parts = slices_of(frame, ["c"])
    assert (len(parts), parts[-1].label, parts[-1].rows) == (21, "other", 100)
    assert [part.label for part in slices_of(frame, ["c"], min_rows=50)] == ["other"]
    assert slices_of(frame, ["at"])[0].label.startswith("2024-01-01 00:00:00 to")


def test_columns_that_cannot_be_sliced():
    """An unknown column and a column of lists are refused by name."""
    with pytest.raises(InvalidInput, match="'z'"):
        slices_of(pl.DataFrame({"a": [1]}), ["z"])
    with pytest.raises(InvalidInput, match="'v'"):
        slices_of(pl.DataFrame({"v": [[1]]}), ["v"])
