"""A version's way from submission to live: when it passed which gate, and where it waits."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.checks.store import history_of
from lockgate.registry.leadtime import Gate, LeadTime, lead_time
from lockgate.registry.store import Version
from lockgate.release.phases import ENDS, Phase, Release
from lockgate.release.store import Move, moves_of, releases_of

_PASSED = {  # entering this phase means that this gate was passed
    Phase.DRAFT: Gate.RELEASE_STARTED,
    Phase.APPROVAL: Gate.SHADOW_DONE,
    Phase.CANARY: Gate.CANARY_STARTED,
    Phase.WATCH: Gate.LIVE,
}


def journey(tx: sa.Connection, version: Version, now_us: int) -> LeadTime:
    """The lead time of a version, gate by gate, over its newest release."""
    passed = {Gate.SUBMITTED: version.created_us}
    validations = history_of(tx, version.digest, version.model)
    sound = [found.recorded_us for found in validations if not found.blocking]
    if sound:
        passed[Gate.VALIDATED] = min(sound)
    release = next(
        (r for r in releases_of(tx, version.model, limit=1000) if r.version == version.number), None
    )
    if release is None:
        return lead_time(passed, now_us)
    for move in moves_of(tx, release.id):
        _note(passed, move)
    ended = release.phase in ENDS and release.phase is not Phase.DONE
    return lead_time(passed, now_us, skipped=_skipped(release), ended=ended)


def _note(passed: dict[Gate, int], move: Move) -> None:
    gate = _PASSED.get(move.phase)
    if gate is not None:
        passed.setdefault(gate, move.at_us)
    if move.phase in (Phase.CANARY, Phase.WATCH):
        passed.setdefault(Gate.APPROVED, move.at_us)


def _skipped(release: Release) -> list[Gate]:
    gates = []
    if release.plan.first or not release.plan.shadow:
        gates.append(Gate.SHADOW_DONE)
    if release.plan.first or not release.plan.stages:
        gates.append(Gate.CANARY_STARTED)
    return gates
