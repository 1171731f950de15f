"""What a move does to a release: pure, from the release as it was to the release as it will be."""

from __future__ import annotations

import msgspec

from lockgate.clock import SECOND_US
from lockgate.errors import Conflict, InvalidInput
from lockgate.release.baseline import Traffic
from lockgate.release.counts import SPLIT_KEYS, Counts, Frozen
from lockgate.release.guards import GuardName
from lockgate.release.judge import judge, watch_limits
from lockgate.release.means import SHIFT, accepted_shifts
from lockgate.release.phases import ENDS, MOVES, Phase, Release
from lockgate.release.promise import FAST_MS
from lockgate.release.verdict import Label

_EARLY = {Phase.CANARY: Phase.WATCH, Phase.WATCH: Phase.DONE}  # what people may take before its time
_RISK = {Phase.CANARY: 1, Phase.WATCH: 2, Phase.DONE: 2}


def moved(release: Release, to: Phase, *, now_us: int, stage: int = 0, reason: str = "") -> Release:
    """The release after a move. Raises Conflict for a move that the table does not know."""
    if to not in MOVES[release.phase]:
        raise Conflict(
            f"release {release.id} of {release.model} cannot go from {release.phase} to {to}",
            allowed=", ".join(sorted(MOVES[release.phase])) or f"nothing: {release.phase} is an end",
            fix=f"lockgate status {release.model}",
        )
    held = to is Phase.HELD
    resumed = release.phase is Phase.HELD and to is release.held_from
    fresh = to is Phase.SHADOW or (to is Phase.CANARY and stage == 1) or resumed
    kept = held or resumed or to in ENDS  # what people said of this stage is said of no other
    return msgspec.structs.replace(
        release,
        phase=to,
        held_from=release.phase if held else None,
        stage=release.stage if kept else stage,
        seq=release.seq + 1,
        reason=reason,
        phase_us=now_us,
        limit_us=now_us if fresh else release.limit_us,
        finished_us=now_us if to in ENDS else None,
        extra_s=release.extra_s if kept else 0.0,
        lowered=release.lowered if kept else None,
        advisory=False,
    )


def given_time(release: Release, seconds: float, *, now_us: int, reason: str) -> Release:
    """A release with so much more time where it is; a held one goes on with it.

    The phase or stage lasts so much longer at least, and the time limit is put off by as much. Of a held release the phase
    begins anew, as whenever it is resumed: it then has that time in all, if that is more than was planned. No planned time
    becomes shorter. Raises Conflict where no time is planned: before the shadow, while people are asked, after the end.
    """
    least_s = release.least_s
    if least_s is None or release.phase in ENDS:
        raise Conflict(
            f"release {release.id} of {release.model} has no time here that could be longer",
            got=release.at,
            allowed="shadow, canary, watch",
        )
    more_us = round(seconds * SECOND_US)
    if release.held_from is None:
        return msgspec.structs.replace(
            release, seq=release.seq + 1, reason=reason, extra_s=release.extra_s + seconds,
            limit_us=release.limit_us + more_us,
        )  # fmt: skip
    longer_s = max(seconds - least_s, 0.0)
    after = moved(release, release.held_from, now_us=now_us, stage=release.stage, reason=reason)
    until_us = max(
        release.limit_us + more_us, now_us + round((least_s + longer_s - release.plan.max_s) * SECOND_US)
    )
    return msgspec.structs.replace(after, extra_s=release.extra_s + longer_s, limit_us=until_us)


def weighing(release: Release, weight: float | None, *, reason: str) -> Release:
    """A canary with another weight: at most the planned one, which None means. Evidence stays, its events bear their weight.

    Raises Conflict outside of a canary, and for a held one that is to get more; InvalidInput for a weight above the planned one.
    """
    if release.at is not Phase.CANARY or release.phase in ENDS:
        raise Conflict(
            f"release {release.id} of {release.model} is no canary", got=release.phase, allowed="canary"
        )
    wanted = release.planned if weight is None else weight
    if not 0.0 <= wanted <= release.planned:
        raise InvalidInput(
            "by hand a canary's weight only goes down, and back to what is planned",
            got=wanted, allowed=f"0 to {release.planned:g}",
        )  # fmt: skip
    if release.phase is Phase.HELD and wanted > release.weight:
        raise Conflict(
            f"release {release.id} of {release.model} is held: its weight may go down, not up",
            fix=f"lockgate resume {release.model} --reason ...",
        )
    lowered = None if wanted == release.planned else wanted
    return msgspec.structs.replace(release, seq=release.seq + 1, reason=reason, lowered=lowered)


def promoted_to(release: Release) -> Phase | None:
    """Where an early promotion takes a release: all traffic, or the end; None where there is nothing to take early.

    A held canary has its next step; a held watch must go on before it can end.
    """
    to = _EARLY.get(release.at)
    return to if to in MOVES[release.phase] else None


def raises_risk(before: Release, after: Release) -> bool:
    """Whether a move gives the new version more traffic: then the database comes first, else the gateways do."""
    old, new = _RISK.get(before.at, 0), _RISK.get(after.at, 0)
    return (new, after.weight) > (old, before.weight)


def lowers_risk(before: Release, after: Release) -> bool:
    """Whether a move takes the new version out of the gateways, for good."""
    return after.phase in ENDS and after.phase is not Phase.DONE and before.phase is not Phase.DRAFT


def lowers_weight(before: Release, after: Release) -> bool:
    """Whether a canary goes on with less traffic: then the gateways come first, too."""
    return before.at is after.at is Phase.CANARY and after.weight < before.weight


def freeze(release: Release, to: Phase, traffic: Traffic, counts: Counts) -> Frozen:
    """What must be fixed at this move: thresholds before the first canary request, limits before the watch."""
    if to is Phase.CANARY and release.at is not Phase.CANARY:
        return msgspec.structs.replace(_thresholds(release, traffic), outputs=counts.outputs_before)
    if to is Phase.WATCH and not release.frozen.limits:
        held = _thresholds(release, traffic) if release.plan.first else release.frozen
        bad = sum(stage.baseline_bad for stage in counts.stages.values())
        total = sum(stage.baseline for stage in counts.stages.values())
        promised = release.plan.p99_limit_ms is not None
        measured = {
            GuardName.SLOW_T99: held.t99_us is not None and (promised or traffic.t99_us is not None),
            GuardName.SLOW_T95: held.t95_us is not None,
        }
        known = {name for name, is_so in measured.items() if is_so}
        return msgspec.structs.replace(held, limits=watch_limits(release.plan, bad, total, known))
    return release.frozen


def past_guards(before: Release, after: Release, counts: Counts) -> Release:
    """A release that two people let go on past a guard: what they accept by it, and whether the stage's evidence is void.

    Shifted answers say nothing against the other guards' evidence. A broken split does, and what else held the release
    would hold it again at once.
    """
    verdicts = judge(before.plan, counts, before.frozen)
    accepted = before.frozen.accepted | accepted_shifts(before.plan, counts.stages, before.frozen)
    alone = accepted != before.frozen.accepted and all(
        verdict.guard == SHIFT for verdict in verdicts if verdict.label >= Label.HELD
    )
    return msgspec.structs.replace(
        after,
        overridden=True,
        void_seq=before.void_seq if alone else after.seq,
        frozen=msgspec.structs.replace(before.frozen, accepted=accepted),
    )


def _thresholds(release: Release, traffic: Traffic) -> Frozen:
    """What counts as slow: slower than live usually is, and than the declared limit or else than `FAST_MS`.

    The guards compare both arms by the same threshold, so one that live itself breaks now and then is still fair.
    """
    plan = release.plan
    declared_us = round(plan.p99_limit_ms * 1000) if plan.p99_limit_ms is not None else None
    if plan.first:
        return Frozen(t99_us=declared_us)
    least_us = round(FAST_MS * 1000) if declared_us is None else declared_us
    slower = traffic.t95_us is not None and traffic.t95_us > least_us
    return Frozen(
        t99_us=max(traffic.t99_us or 0, least_us),
        t95_us=traffic.t95_us if slower else None,
        heavy=traffic.heavy,
        key_sample=min(1.0, SPLIT_KEYS / traffic.keys) if traffic.keys else 1.0,
    )
