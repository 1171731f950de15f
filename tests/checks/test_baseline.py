"""Baselines: kept by content, read back whole, refused when a byte differs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.checks.baseline import baseline_of, load_baseline, store_baseline
from lockgate.checks.evidence import Evidence, Split
from lockgate.errors import SealBroken
from lockgate.stats.sketch import NumberSketch, WordSketch


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


def test_without_a_table_there_is_none(loans: Evidence):
    """No table, no baseline; without answers there are none in it."""
    assert baseline_of(dataclasses.replace(loans, frames={}), "sha256:ab", {}) is None
    bare = baseline_of(dataclasses.replace(loans, answers={}), "sha256:ab", {})
    assert bare is not None
    assert bare.answers == {}
    assert loans.judged_split() is Split.TEST
