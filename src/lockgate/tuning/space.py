"""What a search may try: dimensions checked before anything runs, and the values of one trial drawn from them. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lockgate.config_tuning import ChoiceSpace, Dimension, FloatSpace, IntSpace, Value
from lockgate.errors import InvalidInput

NEAR = 1e-9  # of a step
Draw = Callable[[str, Dimension], Value]  # name, dimension -> the value of this trial


def require_space(space: Mapping[str, Dimension] | str) -> None:
    """Raise InvalidInput that names every dimension which cannot be drawn from, and why."""
    if isinstance(space, str):
        if not space.isidentifier():
            allowed = "space: propose, with def propose(trial) in the pipeline; or parameters with bounds"
            raise InvalidInput(
                "the space names no function of the pipeline's file", got=space, allowed=allowed
            )
        return
    if not space:
        fix = "tune: {space: {depth: {type: int, low: 2, high: 12}}} in lockgate.yaml"
        raise InvalidInput("the search has no space, so there is nothing to try", fix=fix)
    wrong = [f"{name}: {reason}" for name, one in space.items() if (reason := _fault_in(name, one, space))]
    if wrong:
        allowed = "low <= high, log only above 0, at least one choice, `when` only on dimensions before it"
        raise InvalidInput("the space of the search cannot be", got="; ".join(wrong), allowed=allowed)


def fault_of(one: Dimension) -> str | None:
    """Why nothing can be drawn from a dimension; None when it can.

    >>> fault_of(IntSpace(low=5, high=2))
    'low 5 is above high 2'
    >>> fault_of(FloatSpace(low=0.0, high=1.0, log=True))
    'a logarithm needs low above 0'
    """
    if isinstance(one, ChoiceSpace):
        twice = len({msgspec.json.encode(each) for each in one.choices}) < len(one.choices)
        return "no choices" if not one.choices else "a choice twice" if twice else None
    tests = {
        "its bounds are no finite numbers": not (math.isfinite(one.low) and math.isfinite(one.high)),
        f"low {one.low:g} is above high {one.high:g}": one.low > one.high,
        "a logarithm needs low above 0": one.log and one.low <= 0,
        "steps and a logarithm exclude each other": one.log and one.step not in (None, 1),
        "its step is not above 0": one.step is not None and one.step <= 0,
    }
    return next((words for words, fails in tests.items() if fails), None)


def drawn(space: Mapping[str, Dimension], draw: Draw) -> dict[str, Value]:
    """The parameters of one trial: a dimension whose `when` does not hold is left out, so the pipeline's default stands.

    >>> space = {"kind": ChoiceSpace(("a", "b")), "drop": FloatSpace(0.0, 1.0, when={"kind": "b"})}
    >>> drawn(space, lambda name, one: one.choices[0] if isinstance(one, ChoiceSpace) else one.low)
    {'kind': 'a'}
    """
    found: dict[str, Value] = {}
    for name, one in space.items():
        if all(other in found and _among(found[other], wanted) for other, wanted in one.when.items()):
            found[name] = draw(name, one)
    return found


def inside(one: Dimension, value: object) -> bool:
    """Whether a value can be drawn from a dimension.

    >>> inside(IntSpace(low=2, high=8, step=2), 4), inside(IntSpace(low=2, high=8, step=2), 5), inside(FloatSpace(0, 1), True)
    (True, False, False)
    """
    if isinstance(one, ChoiceSpace):
        return any(type(each) is type(value) and each == value for each in one.choices)
    if isinstance(value, bool) or not isinstance(value, int | float) or not one.low <= value <= one.high:
        return False
    if isinstance(one, IntSpace):
        return isinstance(value, int) and (value - one.low) % one.step == 0
    return isinstance(one, FloatSpace) and (
        one.step is None or abs((value - one.low) / one.step % 1.0) < NEAR
    )


def middle_of(_name: str, one: Dimension) -> Value:
    """A value that is no extreme.

    >>> middle_of("depth", IntSpace(low=1, high=8, step=3)), middle_of("kind", ChoiceSpace(("a", "b")))
    (4, 'a')
    """
    if isinstance(one, ChoiceSpace):
        return one.choices[0]
    if isinstance(one, IntSpace):
        return one.low + (one.high - one.low) // (2 * one.step) * one.step
    if one.log:
        return math.sqrt(one.low * one.high)
    steps = (
        (one.high - one.low) / 2 if one.step is None else (one.high - one.low) // (2 * one.step) * one.step
    )
    return one.low + steps


def dimension_from(told: Mapping[str, Any]) -> Dimension:
    """A dimension as a pipeline's process told it. Raises InvalidInput."""
    try:
        one = msgspec.convert(told, Dimension)
    except msgspec.ValidationError as error:
        raise InvalidInput("the trial's dimension cannot be read", got=error) from error
    found: Dimension = one
    return found


def _fault_in(name: str, one: Dimension, space: Mapping[str, Dimension]) -> str | None:
    before = list(space)[: list(space).index(name)]
    strange = [other for other in one.when if other not in before]
    named = f"`when` names {', '.join(strange)}, which does not come before it" if strange else None
    return fault_of(one) or named


def _among(value: Value, wanted: Value | list[Value]) -> bool:
    return value in wanted if isinstance(wanted, list) else value == wanted
