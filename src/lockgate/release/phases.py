"""The phases of a release, the moves that are allowed, and a release as it stands.

DRAFT -> WARMING -> SHADOW -> APPROVAL -> CANARY(1..n) -> WATCH -> DONE. A first version and an impure model have no
shadow; a first version has no canary. HELD stands beside every running phase: weights stay, guards stay armed.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from lockgate.release.counts import Frozen
from lockgate.release.promise import ReleasePlan


class Phase(StrEnum):
    """Where a release is."""

    DRAFT = "draft"  # written down, validated, not loaded anywhere
    WARMING = "warming"  # being loaded by every gateway worker; answers nothing
    SHADOW = "shadow"  # scores the requests of live; nobody sees its answers
    APPROVAL = "approval"  # people are asked, with the findings and the shadow verdict before them
    CANARY = "canary"  # answers a growing share of callers
    WATCH = "watch"  # has all traffic; the previous version stays loaded
    HELD = "held"  # waits for a person: weight as it was, guards armed
    DONE = "done"  # live, the release is over
    ROLLED_BACK = "rolled_back"  # the previous version has all traffic again
    REJECTED = "rejected"  # people said no
    CANCELLED = "cancelled"  # taken back before it had traffic
    SUPERSEDED = "superseded"  # another release took its place


ENDS = frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.REJECTED, Phase.CANCELLED, Phase.SUPERSEDED})
_RESUMED = frozenset({Phase.WARMING, Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH})
_OUT = frozenset({Phase.ROLLED_BACK, Phase.HELD, Phase.SUPERSEDED})
MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.DRAFT: frozenset({Phase.WARMING, Phase.CANCELLED, Phase.SUPERSEDED}),
    Phase.WARMING: _OUT | {Phase.SHADOW, Phase.APPROVAL, Phase.CANCELLED},
    Phase.SHADOW: _OUT | {Phase.APPROVAL, Phase.CANCELLED},
    Phase.APPROVAL: _OUT | {Phase.CANARY, Phase.WATCH, Phase.REJECTED, Phase.CANCELLED},
    Phase.CANARY: _OUT | {Phase.CANARY, Phase.WATCH},
    Phase.WATCH: frozenset({Phase.DONE, Phase.ROLLED_BACK, Phase.HELD}),
    Phase.HELD: _RESUMED | {Phase.ROLLED_BACK, Phase.SUPERSEDED, Phase.CANCELLED},
    Phase.DONE: frozenset({Phase.ROLLED_BACK}),  # a person, as long as nothing newer went live
    **dict.fromkeys((Phase.ROLLED_BACK, Phase.REJECTED, Phase.CANCELLED, Phase.SUPERSEDED), frozenset()),
}
TIMED = frozenset({Phase.SHADOW, Phase.CANARY, Phase.WATCH})  # last for a planned time at least
BY_HAND = TIMED | {
    Phase.HELD
}  # where people may give time or another weight: a move that leaves the phase as it is
BEFORE_TRAFFIC = frozenset({Phase.DRAFT, Phase.WARMING, Phase.SHADOW, Phase.APPROVAL})


class Release(msgspec.Struct, frozen=True, kw_only=True):
    """One release as it stands. Times are microseconds; `seq` grows with every move and fences claims."""

    id: int
    model: str
    version: int
    digest: str
    previous: int | None = None  # the live version when it started
    previous_digest: str | None = None
    previous_python: str | None = None
    phase: Phase = Phase.DRAFT
    held_from: Phase | None = None
    stage: int = 0  # 0 before the canary, 1..n in it, n + 1 in the watch
    seq: int = 0
    salt: str = ""
    plan: ReleasePlan = ReleasePlan()
    frozen: Frozen = Frozen()
    author: str = ""
    reason: str = ""
    overridden: bool = False  # two people went past the plan or a guard: stays for ever
    advisory: bool = False  # held by a guard, not by a person or for lack of data: two people resume it
    fields_confirmed: bool = (
        False  # a person said that callers now send the fields that the new version needs
    )
    created_us: int = 0
    phase_us: int = 0  # start of this phase or stage, or of the last resume
    limit_us: int = 0  # when the time limit began to run; more time by hand puts it off
    extra_s: float = 0.0  # by hand: so much longer than planned lasts this phase or stage at least
    lowered: float | None = None  # by hand: the canary's weight in this stage instead of the planned one
    finished_us: int | None = None
    void_seq: int = 0  # the resume after which a broken split's evidence is void

    @property
    def at(self) -> Phase:
        """The phase that counts for traffic: the one a held release came from."""
        return self.held_from or self.phase

    @property
    def weight(self) -> float:
        """The canary's share of traffic now."""
        if self.at is Phase.CANARY:
            return self.planned if self.lowered is None else self.lowered
        return self.planned

    @property
    def planned(self) -> float:
        """The share that the plan gives it now, whatever people lowered it to."""
        if self.at is Phase.CANARY:
            return self.plan.stages[self.stage - 1]
        return 1.0 if self.at in (Phase.WATCH, Phase.DONE) else 0.0

    @property
    def least_s(self) -> float | None:
        """How long this phase or stage lasts at least, in all; None where no time is planned for it."""
        plan = self.plan
        if self.at is Phase.CANARY:
            return plan.stage_min_s[self.stage - 1] + self.extra_s
        planned = {Phase.SHADOW: plan.shadow_min_s, Phase.WATCH: plan.watch_s}.get(self.at)
        return None if planned is None else planned + self.extra_s
