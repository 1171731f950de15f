"""Bounds: what keeps to them, and which of two is stricter."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import Tier
from lockgate.db import Database
from lockgate.errors import Forbidden
from lockgate.governance.bounds import Bound, Stricter, Value, as_strict, bound_at, meets
from lockgate.governance.policy import DEFAULTS, Policy, current_policy, minimum_tier, tighten, write_policy

from .conftest import Trio

_NUMBERS = st.none() | st.floats(-10, 10)
_NAMES = st.none() | st.lists(st.sampled_from("abc"), unique=True).map(tuple)
_RANGES = st.builds(Bound, at_least=_NUMBERS, at_most=_NUMBERS)
_LISTS = st.builds(Bound, only=_NAMES, all_of=_NAMES)


@given(_RANGES, _RANGES, st.floats(-10, 10))
def test_what_keeps_to_a_stricter_range_keeps_to_the_wider_one(old: Bound, new: Bound, value: float) -> None:
    """For any two ranges and any number."""
    if as_strict(old, new) and meets(new, value):
        assert meets(old, value)


@given(_LISTS, _LISTS, _NAMES.filter(lambda names: names is not None))
def test_what_keeps_to_stricter_names_keeps_to_the_wider_ones(
    old: Bound, new: Bound, value: tuple[str, ...]
) -> None:
    """For any two bounds of lists and any list."""
    if as_strict(old, new) and meets(new, value):
        assert meets(old, value)


@pytest.mark.parametrize(
    ("way", "value", "stricter", "looser"),
    [
        (Stricter.LOWER, 0.98, 0.9, 0.99),
        (Stricter.HIGHER, 10, 11, 9),
        (Stricter.FEWER, ("a", "b"), ("a",), ("a", "c")),
        (Stricter.MORE, ("a", "b"), ("a", "b", "c"), ("a",)),
        (Stricter.HIGHER, True, True, False),
    ],
)
def test_a_value_bounds_one_side(way: Stricter, value: Value, stricter: Value, looser: Value) -> None:
    """The value itself and what is stricter keep to it; what is looser does not."""
    bound = bound_at(way, value)
    assert bound is not None
    assert meets(bound, value)
    assert meets(bound, stricter)
    assert not meets(bound, looser)


def test_no_number_and_no_value() -> None:
    """A number that is none never keeps to a range; leaving a limit out does, unless it is needed."""
    assert not meets(Bound(at_least=0.0), math.nan)
    assert meets(Bound(at_least=0.7), None)
    assert not meets(Bound(at_least=0.7), None, needed=True)
    assert bound_at(Stricter.NEITHER, "mae") is None


def test_tightening_a_policy_keeps_its_bounds() -> None:
    """Forbidden: a bound dropped or widened, a lower tier; OK: one narrowed or added, a higher tier."""
    high = DEFAULTS[Tier.HIGH]
    bounds = dict(high.bounds)
    assert tighten(high, {"bounds": {**bounds, "release.watch_s": Bound(at_least=90_000)}}) != high
    for worse in ({}, {**bounds, "release.watch_s": Bound(at_least=1)}):
        with pytest.raises(Forbidden, match="not loosen 'bounds'"):
            tighten(high, {"bounds": worse})
    strict = Policy(minimum_tier=Tier.HIGH)
    assert tighten(Policy(), {"minimum_tier": "high"}) == strict
    with pytest.raises(Forbidden, match="not loosen 'minimum_tier'"):
        tighten(strict, {"minimum_tier": "low"})


def test_bounds_are_part_of_a_policy_and_of_its_digest(database: Database, trio: Trio) -> None:
    """Written and read back alike; another bound is another digest; the highest minimum of any tier counts."""
    with database.write() as tx:
        first = current_policy(tx, Tier.LOW)
        asked = Policy(bounds={"release.alpha": Bound(at_most=0.02)}, minimum_tier=Tier.MEDIUM)
        made = write_policy(tx, Tier.LOW, asked, by=trio.owner, reason="auditor", at_us=5)
        assert current_policy(tx, Tier.LOW).policy == asked
        assert made.digest != first.digest
        assert minimum_tier(tx) is Tier.MEDIUM
