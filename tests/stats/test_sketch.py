"""Sketches add up: pieces counted apart are the whole counted at once."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.stats.sketch import (
    NumberSketch,
    Sketch,
    count_numbers,
    count_words,
    merged,
    sketch_numbers,
    sketch_words,
)

NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True, width=16), max_size=60)


@settings(max_examples=100, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_numbers_add_up(reference, one, two):
    """Two pieces over a reference's edges give the counts, ends, missing and infinite values of both together."""
    edges = sketch_numbers(np.array(reference, dtype=float), bins=8).edges
    parts = [np.array(part, dtype=float) for part in (one, two)]
    whole = count_numbers(np.concatenate(parts), edges)
    made = merged(*(count_numbers(part, edges) for part in parts))
    assert isinstance(made, NumberSketch)
    assert (made.counts, made.missing, made.infinite) == (whole.counts, whole.missing, whole.infinite)
    assert (made.low, made.high) == (whole.low, whole.high)
    assert made.total == pytest.approx(whole.total, rel=1e-9, abs=1e-6)
    assert made.rows + made.missing + made.infinite == len(one) + len(two)


def test_edges_lie_at_quantiles():
    """A reference fills its own bins alike; a value on an edge counts above it; repeated values make one edge."""
    values = np.random.default_rng(0).normal(size=6_400)
    counts = np.array(sketch_numbers(values).counts)
    assert counts.sum() == 6_400
    assert np.abs(counts - 100).max() <= 1
    assert count_numbers(np.array([1.0, 2.0, 2.0, 3.0]), (2.0,)).counts == (1, 3)
    constant = sketch_numbers(np.array([5.0] * 100))
    assert constant.counts == (0, 100, 0)
    assert count_numbers(np.array([4.0, 5.0, 5.1]), constant.edges).counts == (1, 1, 1)
    assert sketch_numbers(np.array([np.nan])).counts == (0,)


def test_words_add_up():
    """The frequent ones have names, the others a count; a name that the reference lacks is another."""
    known = sketch_words([("a", 5), ("b", 9), ("c", 1)], missing=2, top=2)
    assert (known.values, known.counts, known.other, known.rows) == (("b", "a"), (9, 5), 1, 15)
    piece = count_words([("a", 1), ("new", 4)], 0, known.values)
    assert (piece.counts, piece.other) == ((0, 1), 4)
    both = merged(known, piece)
    assert (both.counts, both.other, both.missing) == ((9, 6), 5, 2)


def test_what_cannot_be_added_is_refused():
    """Other edges, other names, numbers and words."""
    numbers, words = count_numbers(np.zeros(2), (0.5,)), sketch_words([("a", 1)], 0)
    for one, two in (
        (numbers, count_numbers(np.zeros(2), (0.7,))),
        (numbers, words),
        (words, sketch_words([("b", 1)], 0)),
    ):
        with pytest.raises(ValueError, match="cannot be added up"):
            merged(one, two)
    back = msgspec.json.decode(msgspec.json.encode([numbers, words]), type=list[Sketch])
    assert back == [numbers, words]
