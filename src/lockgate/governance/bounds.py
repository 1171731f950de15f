"""Bounds: how far a model's settings may go under a tier's policy, and which way is stricter. Pure.

A setting is known by its path, as in `checks.leakage.alone_fail` or `release.alpha`; what there is to bind is said where
the setting is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

Names = tuple[str, ...]
Value = float | str | Names | None  # a setting as it is compared; bool counts as 0 or 1


class Stricter(StrEnum):
    """Which change of a setting asks for more."""

    LOWER = "lower"
    HIGHER = "higher"
    FEWER = "fewer"  # of a list: exceptions
    MORE = "more"  # of a list: what is watched
    NEITHER = "neither"  # chooses what is looked at, not how strictly


@dataclass(frozen=True)
class Setting:
    """How one setting binds.

    `limit`: what the default stands for where it is None. `needed`: leaving it out asks for nothing at all, so a bound
    that is set is not met without it.
    """

    stricter: Stricter
    limit: float | None = None
    needed: bool = False


class Bound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a setting may be: a range of numbers, `only` these names, or `all_of` these names at least."""

    at_least: float | None = None
    at_most: float | None = None
    only: Names | None = None
    all_of: Names | None = None

    def __str__(self) -> str:
        """For sentences: `at least 0.01 and at most 0.05`."""
        parts = [f"at least {self.at_least:g}" if self.at_least is not None else "",
                 f"at most {self.at_most:g}" if self.at_most is not None else "",
                 f"only {', '.join(self.only) or 'none'}" if self.only is not None else "",
                 f"all of {', '.join(self.all_of)}" if self.all_of is not None else ""]  # fmt: skip
        return " and ".join(part for part in parts if part) or "anything"


def bound_at(stricter: Stricter, value: Value) -> Bound | None:
    """The bound that lets a setting be `value` or stricter; None where there is no value or no direction.

    >>> str(bound_at(Stricter.LOWER, 0.98)), bound_at(Stricter.LOWER, None)
    ('at most 0.98', None)
    """
    match stricter, value:
        case (_, None) | (Stricter.NEITHER, _):
            return None
        case Stricter.LOWER, int() | float():
            return Bound(at_most=value)
        case Stricter.HIGHER, int() | float():
            return Bound(at_least=value)
        case Stricter.FEWER, tuple():
            return Bound(only=value)
        case Stricter.MORE, tuple():
            return Bound(all_of=value)
    raise TypeError(f"{value!r} has no side that is {stricter}")


def meets(bound: Bound, value: Value, *, needed: bool = False) -> bool:
    """Whether a value keeps to a bound. None does, unless it is `needed`; a number that is not one never does.

    >>> meets(Bound(at_most=0.98), 0.9), meets(Bound(at_most=0.98), float("nan")), meets(Bound(only=()), ("id",))
    (True, False, False)
    """
    match value:
        case None:
            return not needed or bound == Bound()
        case tuple():
            return (bound.only is None or set(value) <= set(bound.only)) and set(bound.all_of or ()) <= set(
                value
            )
        case str():
            return bound.only is None or value in bound.only
    return (bound.at_least is None or value >= bound.at_least) and (
        bound.at_most is None or value <= bound.at_most
    )


def as_strict(old: Bound, new: Bound) -> bool:
    """Whether everything that keeps to the new bound keeps to the old one.

    >>> as_strict(Bound(at_most=0.98), Bound(at_most=0.9)), as_strict(Bound(at_most=0.98), Bound(at_least=0.1))
    (True, False)
    """
    return (
        (old.at_least is None or (new.at_least is not None and new.at_least >= old.at_least))
        and (old.at_most is None or (new.at_most is not None and new.at_most <= old.at_most))
        and (old.only is None or (new.only is not None and set(new.only) <= set(old.only)))
        and set(old.all_of or ()) <= set(new.all_of or ())
    )
