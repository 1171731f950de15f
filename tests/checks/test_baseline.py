"""Baselines: kept by content, read back whole, refused when a byte differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.checks.baseline import ANSWER, baseline_of, load_baseline, store_baseline, without_values
from lockgate.checks.evidence import Evidence, Split
from lockgate.errors import SealBroken
from lockgate.stats.sketch import NumberSketch, WordSketch
from lockgate.stats.veil import LEAST_PEOPLE


def test_a_baseline_is_kept_and_read_back(blobs: Blobs, loans: Evidence):
    """Sketches of inputs and answers of the judged rows, and what checks kept; the same twice has one name."""
    made = baseline_of(loans, "sha256:ab", {"importance": {"car_value": np.float64(0.5)}})
    assert made is not None
    assert (made.split, made.rows) == ("test", 5_000)
    assert set(made.columns) == set(loans.inputs)
    assert isinstance(made.columns["car_value"], NumberSketch)
    assert isinstance(made.columns["salary_range"], WordSketch)
    assert made.columns["salary_range"].rows == 5_000
    assert set(made.answers) == {"decision", "score"}
    name = store_baseline(blobs, made)
    assert store_baseline(blobs, made) == name
    back = load_baseline(blobs, name)
    assert back.columns == made.columns
    assert back.kept == {"importance": {"car_value": 0.5}}


def test_a_changed_baseline_is_refused(blobs: Blobs, loans: Evidence):
    """Bytes under another name than their digest's are not believed."""
    made = baseline_of(loans, "sha256:ab", {})
    assert made is not None
    blobs.put("baselines/0000.json", blobs.get(store_baseline(blobs, made)))
    with pytest.raises(SealBroken, match="not what was kept"):
        load_baseline(blobs, "baselines/0000.json")


def test_without_values_nobody_can_be_read_off_it(loans: Evidence):
    """Of personal columns coarse ranges and hashed groups are left, of columns that name rows nothing; others are as before."""
    frame = loans.frames[Split.TEST].with_columns(holder=pl.Series(range(5_000)).cast(pl.String))
    keyed = dataclasses.replace(
        loans, frames={Split.TEST: frame}, inputs=(*loans.inputs, "holder"), key="holder"
    )
    made = baseline_of(keyed, "sha256:ab", {})
    assert made is not None
    assert "holder" not in made.columns
    bare = without_values(made, {"salary_range", "car_value", "elsewhere"}, b"secret")
    assert bare.veiled == ("car_value", "salary_range")
    assert set(bare.columns) == set(made.columns)
    words, numbers = bare.columns["salary_range"], bare.columns["car_value"]
    assert isinstance(words, WordSketch)
    assert isinstance(numbers, NumberSketch)
    assert not set(words.values) & set(frame["salary_range"].unique())
    assert (words.rows, words.missing) == (
        made.columns["salary_range"].rows,
        made.columns["salary_range"].missing,
    )
    assert (numbers.low, numbers.high, numbers.total, numbers.squares) == (None, None, 0.0, 0.0)
    assert numbers.rows == 5_000
    assert min(numbers.counts) >= LEAST_PEOPLE
    assert bare.columns["loan_length"] == made.columns["loan_length"]
    assert bare.pairs is not None
    assert made.pairs is not None
    assert set(made.pairs.names) - set(bare.pairs.names) == {"car_value"}
    assert without_values(bare, {"salary_range", "car_value"}, b"secret") == bare


def test_without_a_table_there_is_none(loans: Evidence):
    """No table, no baseline; without answers there are none in it."""
    assert baseline_of(dataclasses.replace(loans, frames={}), "sha256:ab", {}) is None
    bare = baseline_of(dataclasses.replace(loans, answers={}), "sha256:ab", {})
    assert bare is not None
    assert bare.answers == {}
    assert loans.judged_split() is Split.TEST


def test_a_baseline_holds_what_production_is_held_against(loans: Evidence):
    """How numbers go together, with the answer; the labels; how much inputs matter; what differs by nature."""
    parts = {"importance_shift": {"shuffled": {"car_value": [0.5, 0.7], "loan_length": [0.1, 0.3]}}}
    made = baseline_of(loans, "sha256:ab", parts)
    assert made is not None
    assert made.matter == pytest.approx({"car_value": 0.6, "loan_length": 0.2})
    assert made.pairs is not None
    assert {"car_value", "loan_length", ANSWER} <= set(made.pairs.names)
    assert made.pairs.rows == made.rows
    assert made.labels is not None
    assert made.labels.rows == made.rows
    frame = loans.frames[Split.TEST].with_row_index("number")
    keyed = dataclasses.replace(
        loans, frames={Split.TEST: frame}, inputs=(*loans.inputs, "number"), answers={}
    )
    numbered = baseline_of(keyed, "sha256:ab", {"feature_shift": {"matter": {"car_value": 1.0}}})
    assert numbered is not None
    assert numbered.left_out["number"] == "an identifier"
    assert numbered.pairs is not None
    assert not {"number", ANSWER} & set(numbered.pairs.names)
    assert numbered.matter == {"car_value": 1.0}
