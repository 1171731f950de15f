"""What moved is named, what did not is not: sizes translate, chance raises no alarm, missing values count."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.stats.drift import Shift, as_deviations, moved, shift_of
from lockgate.stats.sketch import count_numbers, count_words, merged, sketch_numbers, sketch_words


def shift(before: np.ndarray, after: np.ndarray) -> Shift:
    """Of two arrays of numbers."""
    reference = sketch_numbers(before)
    return shift_of(reference, count_numbers(after, reference.edges))


@pytest.mark.parametrize("size", [0.1, 0.25, 1.0])
def test_sizes_are_in_standard_deviations(size):
    """Normals moved by a known number of deviations: the interval covers it, up or down, whatever the unit."""
    draw = np.random.default_rng(1)
    before, after = draw.normal(size=(2, 40_000))
    for unit in (1.0, -1e6):
        found = shift(before * unit, (after + size) * unit)
        assert (
            found.low - 0.01 <= size <= found.high + 0.04 * size
        )  # the largest of three looks a little high
        assert np.sign(found.place) == np.sign(unit)
        assert moved({"x": found})


def test_what_is_too_small_to_matter_is_no_alarm():
    """A hundredth of a deviation at half a million rows is sure, and still nothing; a tenth is named."""
    draw = np.random.default_rng(2)
    before, after = draw.normal(size=(2, 500_000))
    small, large = shift(before, after + 0.01), shift(before, after + 0.1)
    assert small.p < 1e-3
    assert moved({"small": small}) == []
    assert [each.column for each in moved({"small": small, "large": large})] == ["large"]


def test_chance_alone_rarely_raises_an_alarm():
    """Sixty columns of 2,000 rows that did not move, fifty times: alarms in a share near the promised 5 %."""
    alarms = 0
    for seed in range(50):
        draw = np.random.default_rng(seed)
        before, after = draw.exponential(size=(2, 60, 2_000))
        alarms += bool(moved({str(n): shift(before[n], after[n]) for n in range(60)}))
    assert alarms <= 7


@pytest.mark.parametrize(
    "after",
    [
        lambda draw: draw.normal(0, 1.3, 4_000),  # wider
        lambda draw: np.where(draw.random(4_000) < 0.5, -1.0, 1.0),  # two values of the same mean
        lambda draw: np.zeros(4_000),  # constant
        lambda draw: draw.normal(size=4_000) * 1_000,  # another unit
    ],
)
def test_other_shapes_are_seen_too(after):
    """Wider, in two heaps, constant, in another unit: named although the middle stays."""
    draw = np.random.default_rng(3)
    assert moved({"x": shift(draw.normal(size=4_000), after(draw))})


def test_a_constant_that_changes_is_seen():
    """What was always 5 and is now a little more has moved as far as the scale goes."""
    found = shift(np.full(500, 5.0), np.full(500, 5.1))
    assert found.gap == 1.0
    assert moved({"x": found})
    assert not moved({"x": shift(np.full(500, 5.0), np.full(500, 5.0))})


def test_missing_values_are_a_question_of_their_own():
    """Thirty per cent newly missing are named as missing; the values that are left have not moved."""
    draw = np.random.default_rng(4)
    before, after = draw.normal(size=(2, 3_000))
    after[draw.random(3_000) < 0.3] = np.nan
    (found,) = moved({"x": shift(before, after)})
    assert (found.missing, found.values) == (True, False)
    assert found.shift.missing == pytest.approx(0.3, abs=0.03)
    (gone,) = moved({"x": shift(before, np.full(3_000, np.nan))})
    assert gone.shift.missing == 1.0


def test_words():
    """A category that comes, grows or stays: 200 of them in equal shares are no alarm, a new one is."""
    draw = np.random.default_rng(5)
    names = [f"c{n}" for n in range(200)]

    def counted(values: np.ndarray) -> list[tuple[str, int]]:
        found, counts = np.unique(values, return_counts=True)
        return list(zip(found.tolist(), counts.tolist(), strict=True))

    reference = sketch_words(counted(draw.choice(names, 5_000)), 0)
    same = count_words(counted(draw.choice(names, 5_000)), 0, reference.values)
    new = count_words([*counted(draw.choice(names, 4_500)), ("zz", 500)], 0, reference.values)
    assert moved({"x": shift_of(reference, same)}) == []
    assert new.other == 500
    (found,) = moved({"x": shift_of(reference, new)})
    assert found.effect == pytest.approx(as_deviations(0.1), abs=0.12)


NUMBERS = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=40)


@settings(max_examples=80, deadline=None)
@given(NUMBERS, NUMBERS, NUMBERS)
def test_pieces_and_order_do_not_matter(before, one, two):
    """Whatever the values: a column never moved from itself, and pieces added up are judged as the whole."""
    reference = sketch_numbers(np.array(before, dtype=float), bins=8)
    pieces = [count_numbers(np.array(part, dtype=float), reference.edges) for part in (one, two)]
    whole = count_numbers(np.array(one + two, dtype=float), reference.edges)
    assert shift_of(reference, merged(*pieces)) == shift_of(reference, whole)
    found = shift_of(reference, reference)
    assert (found.effect, found.missing_effect) == (0.0, 0.0)
    assert 0 <= shift_of(reference, whole).p <= 1


def test_what_cannot_be_compared_is_refused():
    """Other edges, other names, numbers against words."""
    numbers, words = sketch_numbers(np.arange(9.0)), sketch_words([("a", 2)], 0)
    others = [
        (numbers, sketch_numbers(np.arange(5.0))),
        (words, sketch_words([("b", 2)], 0)),
        (numbers, words),
    ]
    for one, other in others:
        with pytest.raises(ValueError, match="compared"):
            shift_of(one, other)
