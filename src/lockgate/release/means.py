"""The guards on means: the business metric, which may end a release, and shifted answers, which ask a person. Pure.

One process a stage, as the canary's weight is another one in the next; each with its part of alpha, so that all
of them together keep what was promised.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lockgate.release.counts import Counts, Frozen, StageCounts
from lockgate.release.guards import (
    SHIFT_ALPHA,
    SHIFT_MARGIN,
    SUSPICIOUS_E,
    TITLES,
    Action,
    GuardPlan,
)
from lockgate.release.outputs import Outputs, Spread
from lockgate.release.promise import BusinessPlan, ReleasePlan
from lockgate.release.verdict import Label, Verdict, weighed
from lockgate.release.words import percent
from lockgate.stats.means import Arms

MEAN_SCORE = "mean score"
SHIFT = "shift"  # this guard in verdicts


def business_verdict(guard: GuardPlan, plan: ReleasePlan, counts: Counts) -> list[Verdict]:
    """What the business metric says: nothing before the first value of a canary's caller is known."""
    business = plan.business
    if business is None or not counts.business:
        return []
    a = guard.alpha / max(len(plan.stages), 1)

    def told(stage: int, arms: Arms) -> str:
        return f"{business.metric}: mean {in_both(stage, arms)}"

    return [staged_verdict(guard, plan, counts.business, lambda arms: _worse(arms, business, a), told)]


def staged_verdict(
    guard: GuardPlan,
    plan: ReleasePlan,
    means: Mapping[int, Arms],
    log_e: Callable[[Arms], float],
    told: Callable[[int, Arms], str],
    *,
    worse: str = "the canary is worse",
) -> Verdict:
    """What a guard says of both arms' means, by the stage with the most evidence: its stages share the guard's alpha evenly.

    `log_e`: the evidence of one stage, at the guard's alpha over the number of stages; `told`: what was looked at there.
    """
    shared = math.log(max(len(plan.stages), 1))
    log_es = {number: log_e(arms) - shared for number, arms in means.items()}
    worst = max(log_es, key=lambda number: log_es[number])
    label, said = weighed(
        TITLES[guard.name], log_es[worst], guard.threshold, told(worst, means[worst]), worse=worse
    )
    if not any(arms.enough for arms in means.values()):
        said = f"{TITLES[guard.name]}: too few values so far ({told(worst, means[worst])})"
    return Verdict(
        guard=guard.name, label=label, sentence=said, action=guard.action, log_e=log_es[worst], alpha=guard.alpha,
        canary=sum(arms.canary.n for arms in means.values()), baseline=sum(arms.baseline.n for arms in means.values()),
    )  # fmt: skip


def in_both(stage: int, arms: Arms) -> str:
    """Both arms' means of a stage, in words."""
    return (
        f"{arms.canary.mean:.4g} of {arms.canary.n:,} callers of the canary and "
        f"{arms.baseline.mean:.4g} of {arms.baseline.n:,} of live, stage {stage}"
    )


def shift_verdict(plan: ReleasePlan, stages: Mapping[int, StageCounts], frozen: Frozen) -> list[Verdict]:
    """Whether the canary's answers differ more from live's than the shadow showed and a tenth of live's spread.

    A new version is meant to answer differently, so this never rolls back; it holds the release for a person. What people
    let go on is no alarm again, in no later stage, unless it grows beyond what they may have seen.
    """
    found = _shifts(plan, stages, frozen)
    if not found:
        return []
    worst, fired = found[0], [shift for shift in found if shift.log_e >= math.log(1.0 / SHIFT_ALPHA)]
    said = "they shift more than the shadow showed" if fired else "no unexpected shift"
    if any(shift.name in frozen.accepted for shift in fired):
        said = "they shift more than what people let go on"
    return [
        Verdict(
            guard=SHIFT,
            label=Label.HELD if fired else Label.NOT_YET,
            sentence=f"answers: {said} ({'; '.join(shift.told(frozen) for shift in fired or [worst])})",
            action=Action.HOLD,
            canary=worst.arms.canary.n,
            baseline=worst.arms.baseline.n,
            log_e=worst.log_e,
            alpha=SHIFT_ALPHA,
        )
    ]


def accepted_shifts(
    plan: ReleasePlan, stages: Mapping[int, StageCounts], frozen: Frozen
) -> dict[str, tuple[float, float]]:
    """What people accept who let a release go on that this guard held: each suspicious shift, as far as it may reach by now.

    The reach is that of an interval which holds at every look: else the same shift, a little better known, would hold it again.
    """
    found: dict[str, tuple[float, float]] = {}
    for shift in _shifts(plan, stages, frozen):
        if shift.log_e < math.log(SUSPICIOUS_E):
            continue
        reach = shift.arms.interval()
        low, high = found.get(shift.name, (shift.low, shift.high))
        above = shift.arms.difference > high
        found[shift.name] = (low, max(high, reach.high)) if above else (min(low, reach.low), high)
    return found


@dataclass(frozen=True)
class _Shift:
    """One mean in one stage. `low` and `high`: the changes that people know of; `log_e`: that it lies clearly beyond."""

    name: str
    stage: int
    arms: Arms
    expected: float
    low: float
    high: float
    log_e: float

    def told(self, frozen: Frozen) -> str:
        """Its means in both arms, and what was known of before."""
        said = f"{self.name} {self._show(self.arms.canary.mean)} in the canary, "
        said += f"{self._show(self.arms.baseline.mean)} in live, stage {self.stage}"
        if self.expected:
            said += f", a change of {self._show(self.expected)} was expected from the shadow"
        if self.name in frozen.accepted:
            said += f", people let go on from {self._show(self.low)} to {self._show(self.high)}"
        return said

    def _show(self, value: float) -> str:
        return f"{value:.4g}" if self.name == MEAN_SCORE else percent(value)


def _shifts(plan: ReleasePlan, stages: Mapping[int, StageCounts], frozen: Frozen) -> list[_Shift]:
    """Every mean that is compared in any stage, the farthest shift first."""
    outputs = frozen.outputs
    if outputs is None or not outputs.parts:
        return []
    processes = outputs.parts * max(len(plan.stages), 1)
    found = []
    for number, stage in stages.items():
        for name, arms, spread in _parts(stage, outputs):
            low, high = frozen.accepted.get(name, (spread.expected, spread.expected))
            margin = SHIFT_MARGIN * spread.sigma
            log_e = arms.log_e_outside(low - margin, high + margin, a=SHIFT_ALPHA / processes)
            found.append(_Shift(name, number, arms, spread.expected, low, high, log_e - math.log(processes)))
    return sorted(found, key=lambda shift: -shift.log_e)


def _worse(arms: Arms, business: BusinessPlan, a: float) -> float:
    return arms.log_e_lower(a=a) if business.higher_is_better else arms.log_e_higher(a=a)


def _parts(stage: StageCounts, outputs: Outputs) -> list[tuple[str, Arms, Spread]]:
    """Every mean that both arms of a stage have, and how it lay before."""
    pairs = [(MEAN_SCORE, stage.outputs.score, outputs.score)] if outputs.score else []
    pairs += [
        (f"share of '{name}'", stage.outputs.shares[name], spread)
        for name, spread in outputs.shares.items()
        if name in stage.outputs.shares
    ]
    return [
        (name, arms, spread)
        for name, arms, spread in pairs
        if spread is not None and arms.canary.n and arms.baseline.n
    ]
