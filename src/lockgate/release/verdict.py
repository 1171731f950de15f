"""A guard's word about a release: what people read and what the machine acts on."""

from __future__ import annotations

import math
from enum import IntEnum

import msgspec

from lockgate.release.guards import SUSPICIOUS_E, Action


class Label(IntEnum):
    """How a verdict ranks; the highest of all guards is the release's."""

    BETTER = 0
    NOT_YET = 1  # nothing to see so far
    SUSPICIOUS = 2  # some evidence of harm: the weight does not grow
    HELD = 3  # something that a person has to look at
    BROKEN = 4  # the split between the arms is not what it should be: other evidence is void
    WORSE = 5


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """One guard's word. `canary` and `baseline` are bad events (for limits: bad requests and all requests;
    for means: values)."""

    guard: str
    label: Label
    sentence: str
    action: Action = Action.ROLLBACK
    canary: int = 0
    baseline: int = 0
    log_e: float = 0.0
    alpha: float | None = None  # None: an absolute rule

    @property
    def threshold(self) -> float | None:
        """The log E at which the guard fires."""
        return math.log(1.0 / self.alpha) if self.alpha else None


def weighed(
    title: str, log_e: float, threshold: float, told: str, *, worse: str = "the canary is worse"
) -> tuple[Label, str]:
    """What a guard's evidence of harm means, and the sentence that says so. `told`: what it looked at."""
    if log_e >= threshold:
        return (
            Label.WORSE,
            f"{title}: {worse} ({told}; evidence E = {big(log_e)}, the limit is {big(threshold)})",
        )
    if log_e >= math.log(SUSPICIOUS_E):
        return Label.SUSPICIOUS, f"{title}: suspicious, not proven ({told}; E = {big(log_e)})"
    return Label.NOT_YET, f"{title}: no sign of harm so far ({told})"


def big(log_value: float) -> str:
    """E out of its logarithm, for people.

    >>> big(3.0), big(50.0)
    ('20', '10^22')
    """
    return f"{math.exp(log_value):,.0f}" if log_value < 20 else f"10^{log_value / math.log(10):.0f}"
