"""One pure function that decides what a release does next, by the table of moves in `phases.py`."""

from __future__ import annotations

import math

import msgspec

from lockgate.clock import SECOND_US
from lockgate.membership import LoadState, Member
from lockgate.release.guards import SUSPICIOUS_E, Action
from lockgate.release.judge import unproven_guards, worst
from lockgate.release.phases import ENDS, Phase, Release
from lockgate.release.seen import Approval, Seen
from lockgate.release.verdict import Label
from lockgate.release.words import percent, span

SHADOW_LAG_S = 60.0


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What to do: stay (`to` is None) or move, and why, in words."""

    to: Phase | None = None
    stage: int = 0
    reason: str


def advance(release: Release, seen: Seen, now_us: int) -> Decision:
    """The next phase of a release, by the table of moves. Pure; asked again and again it answers the same."""
    if release.phase in ENDS:
        return Decision(reason="the release is over")
    found = emergency(release, seen)
    if found is not None:
        return found
    if release.phase is Phase.HELD:
        return _held(release, seen, now_us)
    hold = _hold(release, seen, now_us)
    if hold is not None:
        return hold
    decision = _RULES[release.phase](release, seen, now_us)
    running_s = (now_us - release.limit_us) / SECOND_US
    timed = release.phase in (Phase.SHADOW, Phase.CANARY) and running_s > release.plan.max_s
    if decision.to is None and timed:
        return Decision(to=Phase.HELD, reason=f"after {span(running_s)} still: {decision.reason}")
    return decision


def emergency(release: Release, seen: Seen) -> Decision | None:
    """What rolls back at once, held or not; None when nothing does."""
    if release.phase in ENDS or release.phase is Phase.DRAFT:
        return None
    if seen.killed:
        return Decision(to=Phase.ROLLED_BACK, reason="the canary was switched off; the release follows")
    for member in seen.members:
        for tripped in member.tripped:
            if tripped.release == release.id:
                said = f"the breaker of gateway worker {member.worker} opened: {tripped.reason}"
                return Decision(to=Phase.ROLLED_BACK, reason=said)
    verdict = worst(list(seen.verdicts))
    if verdict and verdict.label is Label.WORSE and verdict.action is Action.ROLLBACK:
        return Decision(to=Phase.ROLLED_BACK, reason=verdict.sentence)
    return None


def _hold(release: Release, seen: Seen, now_us: int) -> Decision | None:
    """What needs a person."""
    if release.phase is Phase.DRAFT:
        return None
    for verdict in seen.verdicts:
        if verdict.label >= Label.HELD:
            return Decision(to=Phase.HELD, reason=verdict.sentence)
    waited_for = (
        (Phase.SHADOW, Phase.CANARY) if release.plan.first else (Phase.SHADOW, Phase.CANARY, Phase.WATCH)
    )
    if release.phase in waited_for:  # a first version may wait for its first callers
        silent_s = (now_us - max(seen.counts.newest_us, release.phase_us)) / SECOND_US
        if silent_s > release.plan.no_data_s:
            return Decision(to=Phase.HELD, reason=f"no data: no request was recorded for {span(silent_s)}")
    return None


def _held(release: Release, seen: Seen, now_us: int) -> Decision:
    silent_s = (now_us - max(seen.counts.newest_us, release.phase_us)) / SECOND_US
    if release.at in (Phase.CANARY, Phase.WATCH) and seen.blind and silent_s > release.plan.blind_s:
        said = f"blind: {seen.blind} requests were answered without a record for {span(silent_s)}"
        return Decision(to=Phase.ROLLED_BACK, reason=said)
    return Decision(reason=f"held: {release.reason}")


def _draft(_release: Release, seen: Seen, _now_us: int) -> Decision:
    if seen.blocked:
        return Decision(reason=f"waits: {seen.blocked}")
    return Decision(to=Phase.WARMING, reason="sealed, validated and planned")


def _warming(release: Release, seen: Seen, now_us: int) -> Decision:
    waited_s = (now_us - release.phase_us) / SECOND_US
    missing = []
    for member in seen.members:
        loaded = member.packages.get(release.digest)
        if loaded is not None and loaded.state is LoadState.FAILED:
            return Decision(
                to=Phase.ROLLED_BACK, reason=f"gateway worker {member.worker} cannot load it: {loaded.error}"
            )
        if loaded is None or loaded.state is not LoadState.READY or not seen.prepared:
            missing.append(member.worker)
    if not seen.members or missing:
        waits = f"waits for {', '.join(missing)} to load it" if missing else "no gateway worker is running"
        if waited_s <= release.plan.warm_timeout_s:
            return Decision(reason=waits)
        late = f"{waits}, since {span(waited_s)}"
        return Decision(to=Phase.ROLLED_BACK if missing else Phase.HELD, reason=late)
    if release.plan.missing_fields and not release.fields_confirmed:
        fields = ", ".join(release.plan.missing_fields)
        return Decision(
            to=Phase.HELD, reason=f"the new version needs {fields}, which callers do not send yet"
        )
    loaded_by = f"loaded by {len(seen.members)} gateway worker{'s' if len(seen.members) > 1 else ''}"
    return Decision(to=Phase.SHADOW if release.plan.shadow else Phase.APPROVAL, reason=loaded_by)


def _shadow(release: Release, seen: Seen, now_us: int) -> Decision:
    plan, counts = release.plan, seen.counts
    left_s = _left_s(release, now_us)
    lag_s = (counts.newest_us - counts.shadow_us) / SECOND_US if counts.shadow_us else math.inf
    if counts.pairs < plan.shadow_requests:
        return Decision(reason=f"{counts.pairs} of {plan.shadow_requests} requests scored in shadow")
    if left_s > 0:
        return Decision(reason=f"shadow runs for {span(left_s)} more")
    if plan.shadow_requests and lag_s > SHADOW_LAG_S:  # who asks for none does not wait for the scorer either
        return Decision(reason=f"the shadow scorer is {span(lag_s)} behind")
    suspicious = _suspicious(seen)
    if suspicious:
        return Decision(reason=suspicious)
    return Decision(to=Phase.APPROVAL, reason=f"{counts.pairs} requests scored in shadow without harm")


def _approval(release: Release, seen: Seen, _now_us: int) -> Decision:
    if seen.approval is Approval.REJECTED:
        return Decision(to=Phase.REJECTED, reason=seen.approval_words or "rejected")
    if seen.approval is not Approval.APPROVED:
        return Decision(reason=seen.approval_words or "waits for approval")
    if seen.blocked:
        return Decision(reason=f"waits: {seen.blocked}")
    if release.plan.first:
        said = f"{seen.approval_words or 'approved'}; it gets all requests, under declared limits"
        return Decision(to=Phase.WATCH, stage=1, reason=said)
    said = f"{seen.approval_words or 'approved'}; canary starts with {percent(release.plan.stages[0])}"
    return Decision(to=Phase.CANARY, stage=1, reason=said)


def _canary(release: Release, seen: Seen, now_us: int) -> Decision:
    plan, stage = release.plan, release.stage
    waits = _canary_waits(release, seen, now_us)
    if waits:
        return Decision(reason=waits)
    got = seen.counts.stages[stage].canary
    if stage < len(plan.stages):
        said = f"stage {stage} passed with {got} canary requests; now {percent(plan.stages[stage])}"
        return Decision(to=Phase.CANARY, stage=stage + 1, reason=said)
    said = f"the canary passed all {stage} stages; it gets all traffic"
    return Decision(to=Phase.WATCH, stage=stage + 1, reason=said)


def _canary_waits(release: Release, seen: Seen, now_us: int) -> str | None:
    """What keeps the canary in its stage, in words; None when nothing does."""
    plan, stage = release.plan, release.stage
    counted = seen.counts.stages.get(stage)
    got, needed = (counted.canary if counted else 0), plan.stage_requests[stage - 1]
    left_s = _left_s(release, now_us)
    unhealthy = [m.worker for m in seen.members if _failed(m, release.digest)]
    if release.lowered is not None:
        return (
            f"the weight was lowered by hand to {percent(release.lowered)}, planned are {percent(release.planned)}; "
            f"lockgate release weight {release.model} planned"
        )
    if got < max(needed, 1):
        return f"stage {stage}: {got} of {needed} canary requests"
    if left_s > 0:
        return f"stage {stage}: {span(left_s)} more"
    if unhealthy:
        return f"waits: {', '.join(unhealthy)} cannot load it"
    if plan.proof and stage == len(plan.stages):
        unproven = unproven_guards(plan, seen.counts)
        if unproven:
            return f"waits for proof that it is not twice as bad: {', '.join(unproven)}"
    return _suspicious(seen) or (f"waits: {seen.blocked}" if seen.blocked else None)


def _watch(release: Release, seen: Seen, now_us: int) -> Decision:
    left_s = _left_s(release, now_us)
    if left_s > 0:
        return Decision(reason=f"watched for {span(left_s)} more")
    suspicious = _suspicious(seen)
    if suspicious:
        return Decision(reason=suspicious)
    quiet = f"quiet for {span(release.least_s or 0.0)} with all traffic"
    return Decision(to=Phase.DONE, stage=release.stage, reason=quiet)


def _left_s(release: Release, now_us: int) -> float:
    """How long this phase or stage still lasts at least."""
    return (release.least_s or 0.0) - (now_us - release.phase_us) / SECOND_US


def _suspicious(seen: Seen) -> str | None:
    for verdict in seen.verdicts:
        if verdict.label is Label.SUSPICIOUS:
            return f"waits, as E is above {SUSPICIOUS_E:g}: {verdict.sentence}"
    return None


def _failed(member: Member, digest: str) -> bool:
    loaded = member.packages.get(digest)
    return loaded is not None and loaded.state is LoadState.FAILED


_RULES = {
    Phase.DRAFT: _draft,
    Phase.WARMING: _warming,
    Phase.SHADOW: _shadow,
    Phase.APPROVAL: _approval,
    Phase.CANARY: _canary,
    Phase.WATCH: _watch,
}
