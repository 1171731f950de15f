"""A release as people see it: where it stands, what speaks for and against it, what must happen next."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.clock import Clock
from lockgate.errors import NotFound
from lockgate.governance.approvals import Approval
from lockgate.governance.people import get_person
from lockgate.registry.store import get_model
from lockgate.release import gate
from lockgate.release.counts import Counts
from lockgate.release.desk import Desk
from lockgate.release.judge import judge
from lockgate.release.phases import ENDS, Phase, Release
from lockgate.release.queue import Place, waiting
from lockgate.release.shadow_status import ShadowSaid, said_of
from lockgate.release.snapshots import Status, counts_of, status_of
from lockgate.release.store import Move, aliases, find_running, moves_of, releases_of
from lockgate.release.turns import Admit
from lockgate.release.verdict import Label, Verdict
from lockgate.wiring.house import House
from lockgate.wiring.settings import hold_release


class VerdictShown(msgspec.Struct, frozen=True, kw_only=True):
    """One guard's word. `alpha` None: an absolute rule.

    `label`: better, not yet (in a release that is done: no harm), suspicious, held, broken or worse.
    """

    guard: str
    label: str
    sentence: str
    action: str
    canary: int
    baseline: int
    log_e: float
    alpha: float | None
    threshold: float | None


class ReleaseShown(msgspec.Struct, frozen=True, kw_only=True):
    """One release with everything that belongs to it. `weight`: its share of the traffic now, 0..1.

    `shadows`: what the shadow scorer last said of each version that it scores, `shadow_words` the same for people: paused
    for live, behind, a share only; empty when there is nothing to say. `queue`: what waits for this model's release to end.
    """

    release: Release
    weight: float
    running: bool
    live: int | None
    status: Status | None
    verdicts: list[VerdictShown]
    counts: Counts
    blocked: str | None
    approval: Approval | None
    approval_words: str
    moves: list[Move]
    shadows: list[ShadowSaid] = []
    shadow_words: list[str] = []
    queue: list[Place] = []


def desk_of(house: House) -> Desk:
    """Where people act on releases from."""
    return Desk(house.db, house.plan, house.home.members, house.clock)


def admit_by_policy(clock: Clock) -> Admit:
    """Whether a release whose turn has come may have its settings, by the policy of that moment."""

    def admit(tx: sa.Connection, place: Place) -> None:
        by = get_person(tx, place.author)
        hold_release(tx, place.model, place.settings, by=by, at_us=clock.now_us())

    return admit


def show_release(tx: sa.Connection, release: Release, now_us: int) -> ReleaseShown:
    """A release with its evidence, its gate and its moves."""
    counts = counts_of(tx, release.id)
    running = release.phase not in ENDS
    shadows = said_of(tx, release.id) if running else []
    stands = gate.look(tx, release.model, release.version, now_us=now_us)
    return ReleaseShown(
        release=release,
        weight=release.weight if running or release.phase is Phase.DONE else 0.0,
        running=running,
        live=aliases(tx, release.model).get("live"),
        status=status_of(tx, release.id),
        verdicts=[_in_words(verdict, release) for verdict in judge(release.plan, counts, release.frozen)],
        counts=counts,
        blocked=stands.blocked if running else None,
        approval=stands.request,
        approval_words=stands.words,
        moves=moves_of(tx, release.id),
        shadows=shadows,
        queue=waiting(tx, release.model),
        shadow_words=[said.sentence for said in shadows if said.sentence],
    )


def newest_release(tx: sa.Connection, model: str) -> Release:
    """The running release of a model, else its last one. Raises NotFound."""
    get_model(tx, model)
    found = find_running(tx, model) or next(iter(releases_of(tx, model, limit=1)), None)
    if found is None:
        raise NotFound(f"no release of '{model}' was ever started", fix=f"lockgate release {model}/NUMBER")
    return found


def _in_words(verdict: Verdict, release: Release) -> VerdictShown:
    label = verdict.label.name.lower().replace("_", " ")
    if verdict.label is Label.NOT_YET and release.phase is Phase.DONE:
        label = "no harm"  # it looked to the end: nothing is still to come
    return VerdictShown(
        guard=verdict.guard,
        label=label,
        sentence=verdict.sentence,
        action=str(verdict.action),
        canary=verdict.canary,
        baseline=verdict.baseline,
        log_e=verdict.log_e,
        alpha=verdict.alpha,
        threshold=verdict.threshold,
    )
