"""The guards of a release and how they share alpha, the probability of a false rollback."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from lockgate.errors import InvalidInput


class GuardName(StrEnum):
    """What is watched."""

    ERRORS = "errors"  # raised, timed out, overloaded
    INVALID = "invalid"  # an answer that the signature does not allow
    SLOW_T99 = "slow_t99"  # slower than the live version's 99th percentile before the canary
    SLOW_T95 = "slow_t95"
    LABELS = "labels"  # wrong answers, on pairs that both versions scored
    BUSINESS = (
        "business"  # a number that says how well it went with a caller: what they spent, whether they stayed
    )


class Action(StrEnum):
    """What a guard that fires does."""

    ROLLBACK = "rollback"
    HOLD = "hold"


class GuardPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One guard as fixed before the release. `theta0` is the odds ratio that is tolerated."""

    name: GuardName
    alpha: float
    theta0: float = 1.0
    action: Action = Action.ROLLBACK

    @property
    def threshold(self) -> float:
        """The guard fires at this log E."""
        return math.log(1.0 / self.alpha)


TOLERATED_SLOWNESS = 1.25  # odds ratio: a little slower is no harm
SPLIT_ALPHA = 0.001  # of the split guard, per stage; outside the budget, as it never rolls back
SHIFT_ALPHA = (
    0.01  # of the guard on shifted answers, over all stages and means; outside the budget for the same reason
)
SHIFT_MARGIN = 0.1  # of live's standard deviation: a smaller shift of a mean is none
WATCH_SHARE = 0.25  # of the alpha of labels in pairs: for what breaks after promotion, see `label_alphas`
FIRST_COPY = 0.5  # the weight of a guard's first copy: what it is planned with
SUSPICIOUS_E = 5.0  # a guard with E above this keeps the canary where it is

SHARES: dict[GuardName, float] = {  # of alpha; those of unused guards go to the others
    GuardName.ERRORS: 0.25,
    GuardName.INVALID: 0.05,  # live hardly ever answers so, and then four callers are enough
    GuardName.SLOW_T99: 0.15,
    GuardName.SLOW_T95: 0.10,
    GuardName.LABELS: 0.25,
    GuardName.BUSINESS: 0.20,
}
GROUPS: dict[str, tuple[GuardName, ...]] = {
    "errors": (GuardName.ERRORS, GuardName.INVALID),
    "latency": (GuardName.SLOW_T99, GuardName.SLOW_T95),
    "labels": (GuardName.LABELS,),
    "business": (GuardName.BUSINESS,),
}
TITLES: dict[GuardName, str] = {
    GuardName.ERRORS: "errors",
    GuardName.INVALID: "invalid answers",
    GuardName.SLOW_T99: "very slow answers (T99)",
    GuardName.SLOW_T95: "slow answers (T95)",
    GuardName.LABELS: "wrong answers",
    GuardName.BUSINESS: "business metric",
}
LATE = frozenset(
    {GuardName.LABELS, GuardName.BUSINESS}
)  # known after the answer, by another way than the log
SLOW = frozenset({GuardName.SLOW_T99, GuardName.SLOW_T95})


def guard_names(groups: Sequence[str]) -> list[GuardName]:
    """The guards behind names like `errors`, `latency`, in the order of `SHARES`. Raises InvalidInput."""
    unknown = [name for name in groups if name not in GROUPS]
    if unknown or not groups:
        raise InvalidInput(
            "a release is guarded by known guards, at least one",
            got=", ".join(unknown) or "none",
            allowed=", ".join(GROUPS),
        )
    wanted = {guard for name in groups for guard in GROUPS[name]}
    return [name for name in SHARES if name in wanted]


def split_alpha(names: Sequence[GuardName], alpha: float) -> tuple[GuardPlan, ...]:
    """Guards with their parts of alpha, which sum to alpha.

    >>> [round(g.alpha, 4) for g in split_alpha([GuardName.ERRORS, GuardName.SLOW_T95], 0.05)]
    [0.0357, 0.0143]
    """
    if not 0.0 < alpha <= 0.5:
        raise InvalidInput("alpha, the share of false rollbacks, lies above 0 and at most at 0.5", got=alpha)
    total = sum(SHARES[name] for name in names)
    return tuple(
        GuardPlan(
            name=name,
            alpha=alpha * SHARES[name] / total,
            theta0=TOLERATED_SLOWNESS if name in SLOW else 1.0,
        )
        for name in names
    )


def label_alphas(alpha: float, *, paired: bool) -> tuple[float, float]:
    """The part of labels' alpha that is spent on requests before the watch, and the part for those in it.

    Two processes judge them, each with its own clock, so they split alpha. Single answers have no second arm in the watch.

    >>> label_alphas(0.03125, paired=True), label_alphas(0.0125, paired=False)
    ((0.0234375, 0.0078125), (0.0125, 0.0))
    """
    watch = alpha * WATCH_SHARE if paired else 0.0
    return alpha - watch, watch
