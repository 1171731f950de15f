"""How numbers go together, before and after."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.stats.pairs import Pairs, correlations, count_pairs, merged_pairs, scores_in, turned
from lockgate.stats.sketch import sketch_numbers

ROWS = 4_000


def _table(draw: np.random.Generator, rows: int = ROWS) -> dict[str, np.ndarray]:
    """Four columns: b follows a, d follows c on another scale, nothing else goes together."""
    a, c = draw.normal(size=rows), draw.exponential(size=rows)
    return {
        "a": a,
        "b": 0.8 * a + 0.6 * draw.normal(size=rows),
        "c": c,
        "d": 1_000 * (c + 0.3 * draw.normal(size=rows)),
    }


def _pairs(table: dict[str, np.ndarray], reference: dict[str, np.ndarray]) -> Pairs:
    return count_pairs({name: scores_in(table[name], sketch_numbers(reference[name])) for name in reference})


def test_correlations_are_those_of_normal_scores() -> None:
    """Against numpy, on values that are normal to begin with."""
    table = _table(np.random.default_rng(0))
    found = correlations(_pairs(table, table))
    assert found[0, 1] == pytest.approx(np.corrcoef(table["a"], table["b"])[0, 1], abs=0.02)
    assert np.diag(found) == pytest.approx(1.0)
    assert abs(found[0, 2]) < 0.05


def test_a_column_without_values_goes_with_nothing() -> None:
    """Neither an error nor a warning for an input that the validation did not know: its scores are those of the middle."""
    nothing = np.full(ROWS, np.nan)
    for values in (nothing, np.arange(ROWS, dtype=float)):
        assert not np.nan_to_num(scores_in(values, sketch_numbers(nothing))).any()


def test_pieces_add_up_to_the_whole() -> None:
    """In any cut, and nothing adds up to nothing."""
    table = _table(np.random.default_rng(1))
    parts = [
        _pairs({name: values[start : start + 1_000] for name, values in table.items()}, table)
        for start in range(0, ROWS, 1_000)
    ]
    whole, added = _pairs(table, table), merged_pairs(parts)
    assert added is not None
    assert added.rows == whole.rows
    assert added.products == pytest.approx(whole.products)
    assert merged_pairs([]) is None


def test_what_goes_together_otherwise_is_found_and_nothing_else() -> None:
    """b no longer follows a; c and d are as before."""
    draw = np.random.default_rng(2)
    before, after = _table(draw), _table(draw)
    after["b"] = draw.normal(size=ROWS)
    found = turned(_pairs(before, before), _pairs(after, before))
    assert [(each.one, each.other, each.places) for each in found] == [("a", "b", False)]
    assert found[0].before > 0.7
    assert abs(found[0].after) < 0.1


def test_columns_that_changed_places_are_named_although_each_looks_as_before() -> None:
    """a and x have the same distribution, so only what they go with can tell."""
    draw = np.random.default_rng(3)
    before, after = ({**_table(draw), "x": draw.normal(size=ROWS)} for _ in range(2))
    after["a"], after["x"] = after["x"], after["a"]
    found = turned(_pairs(before, before), _pairs(after, before))
    assert found[0].places
    assert {found[0].one, found[0].other} == {"a", "x"}


def test_columns_left_out_are_not_spoken_of() -> None:
    """A column that moved is somebody else's word."""
    draw = np.random.default_rng(4)
    before, after = _table(draw), _table(draw)
    after["b"] = draw.normal(size=ROWS)
    assert turned(_pairs(before, before), _pairs(after, before), but=["b"]) == []


def test_nothing_turned_in_rows_that_are_alike() -> None:
    """300 comparisons of small samples of the same kind, correlated and skewed: no more alarms than asked for."""
    draw = np.random.default_rng(5)
    before = _table(draw, 500)
    reference = _pairs(before, before)
    alarms = sum(bool(turned(reference, _pairs(_table(draw, 300), before))) for _ in range(300))
    assert alarms <= 9


def test_other_columns_and_too_few_rows_are_not_compared() -> None:
    """Nothing can be said of them."""
    table = _table(np.random.default_rng(6))
    whole = _pairs(table, table)
    few = _pairs({name: values[:20] for name, values in table.items()}, table)
    assert turned(whole, few) == []
    assert turned(whole, count_pairs({"a": np.zeros(100)})) == []
