"""Profiles of tables."""

from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.profile import Profile, profile


def test_numbers_text_and_missing_values():
    """Ranges, histogram, most frequent values and missing counts are those of the data."""
    frame = pl.DataFrame(
        {
            "x": [*range(99), None],
            "t": ["a"] * 60 + ["b"] * 39 + [None],
            "at": [dt.date(2024, 1, 1)] * 100,
            "v": [[1.0, 2.0]] * 100,
            "ok": [True] * 100,
            "bad": [float("nan")] * 50 + [float("inf")] * 50,
        }
    )
    found = profile(frame)
    x, t = found.column("x"), found.column("t")
    assert (found.rows, x.missing, x.distinct, t.missing) == (100, 1, 99, 1)
    assert (x.numbers.quantiles[0], x.numbers.quantiles[4], x.numbers.quantiles[-1]) == (0, 49, 98)
    assert sum(x.numbers.counts) == 99
    assert t.top == (("a", 60), ("b", 39))
    assert found.column("bad").missing == 50
    assert found.column("bad").numbers is None
    assert found.column("nothing") is None


def test_a_profile_is_json():
    """It can be kept as JSON and read back equal."""
    found = profile(pl.DataFrame({"x": np.random.default_rng(0).normal(size=50), "t": ["u", "v"] * 25}))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found
