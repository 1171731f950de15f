"""The pure decision: never outside the table of moves, whatever it sees."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict
from lockgate.membership import Loaded, LoadState, Member, Tripped
from lockgate.release.advance import advance
from lockgate.release.baseline import Traffic
from lockgate.release.counts import Counts, StageCounts
from lockgate.release.guards import Action
from lockgate.release.judge import Label, Verdict
from lockgate.release.moves import lowers_risk, moved, raises_risk
from lockgate.release.phases import ENDS, MOVES, Phase, Release
from lockgate.release.plan import make_plan
from lockgate.release.routes import route_of
from lockgate.release.seen import Approval, Seen
from lockgate.traffic import Role

PLANS = [
    make_plan(ReleaseConfig(canary=("5%", "50%"), stage_requests=10, stage_min_s=10, shadow_requests=5), Traffic(), **more)
    for more in ({}, {"first": True}, {"pure": False}, {"proof": True}, {"missing_fields": ("tenure",)})
]  # fmt: skip
RUNNING = [phase for phase in Phase if phase not in ENDS]
MINUTE_US = 60_000_000


@st.composite
def releases(draw):
    """Any release that could stand in the database."""
    plan = draw(st.sampled_from(PLANS))
    phase = draw(st.sampled_from(RUNNING))
    before = [p for p in (Phase.WARMING, Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH)
              if not (plan.first and p in (Phase.CANARY, Phase.SHADOW))]  # fmt: skip
    held_from = draw(st.sampled_from(before)) if phase is Phase.HELD else None
    at = held_from or phase
    if plan.first and at in (Phase.CANARY, Phase.SHADOW):
        phase, at = Phase.WATCH, Phase.WATCH
    stage = {Phase.CANARY: draw(st.integers(1, 2)), Phase.WATCH: len(plan.stages) + 1}.get(at, 0)
    return Release(
        id=7, model="churn", version=2, digest="sha256:b", previous=None if plan.first else 1,
        previous_digest=None if plan.first else "sha256:a", phase=phase, held_from=held_from, stage=stage, seq=3,
        salt="s", plan=plan, phase_us=0, limit_us=0,
    )  # fmt: skip


MEMBERS = st.builds(
    lambda state, tripped: Member(
        worker="w0", pid=1, host="h", port=1, started_us=0, beat_us=0, epoch=1,
        packages={"sha256:b": Loaded(state=state)} if state else {},
        tripped=(Tripped(release=7, reason="crashes", at_us=0),) if tripped else (),
    ),
    st.sampled_from([None, *LoadState]),
    st.booleans(),
)  # fmt: skip
VERDICTS = st.builds(
    lambda label, action: Verdict(guard="errors", label=label, action=action, sentence="said"),
    st.sampled_from(list(Label)),
    st.sampled_from(list(Action)),
)
SEEN = st.builds(
    lambda members, verdicts, killed, prepared, blocked, approval, blind, canary, pairs, newest: Seen(
        counts=Counts(
            release=7, pairs=pairs, newest_us=newest, shadow_us=newest,
            stages={n: StageCounts(weight=0.1, canary=canary) for n in (1, 2)},
        ),
        verdicts=tuple(verdicts), members=tuple(members), killed=killed, prepared=prepared, blocked=blocked,
        approval=approval, blind=blind,
    ),
    st.lists(MEMBERS, max_size=2), st.lists(VERDICTS, max_size=3), st.booleans(), st.booleans(),
    st.sampled_from([None, "not approved"]), st.sampled_from(list(Approval)), st.integers(0, 5), st.integers(0, 50),
    st.integers(0, 50), st.integers(0, 60 * MINUTE_US),
)  # fmt: skip


@settings(max_examples=600, deadline=None)
@given(releases(), SEEN, st.integers(0, 20_000 * MINUTE_US))
def test_every_decision_is_a_move_of_the_table(release, seen, now_us):
    """Whatever is seen, the decision is to stay or a move that the table knows, with a reason."""
    decision = advance(release, seen, now_us)
    assert decision.reason
    if decision.to is None:
        return
    assert decision.to in MOVES[release.phase]
    after = moved(release, decision.to, now_us=now_us, stage=decision.stage, reason=decision.reason)
    assert after.seq == release.seq + 1
    arms = {arm.role: arm for arm in route_of(after).arms}
    assert (Role.CANARY in arms) == (after.at is Phase.CANARY)
    if after.phase in ENDS and after.phase is not Phase.DONE:
        assert all(arm.digest != release.digest for arm in arms.values())
    assert not (raises_risk(release, after) and lowers_risk(release, after))


@settings(max_examples=600, deadline=None)
@given(releases(), SEEN, st.integers(0, 20_000 * MINUTE_US))
def test_traffic_never_rises_without_gate_and_quiet_guards(release, seen, now_us):
    """A higher weight needs an approved, unblocked seal, no guard that fired, and no kill bit; and never from HELD."""
    decision = advance(release, seen, now_us)
    if decision.to is None:
        return
    after = moved(release, decision.to, now_us=now_us, stage=decision.stage)
    if raises_risk(release, after) and decision.to is not Phase.DONE:
        assert not seen.killed
        assert seen.blocked is None
        assert all(verdict.label < Label.HELD for verdict in seen.verdicts)
        assert release.phase is not Phase.HELD
    if decision.to is Phase.DONE:
        assert release.phase is Phase.WATCH


@settings(max_examples=300, deadline=None)
@given(releases(), SEEN, st.integers(0, 20_000 * MINUTE_US))
def test_a_fired_guard_or_a_kill_bit_always_ends_it(release, seen, now_us):
    """Held or not, from any phase that is loaded somewhere."""
    if release.phase is Phase.DRAFT:
        return
    fired = Verdict(guard="errors", label=Label.WORSE, sentence="worse")
    for worse in (
        msgspec.structs.replace(seen, killed=True),
        msgspec.structs.replace(seen, verdicts=(*seen.verdicts, fired)),
    ):
        assert advance(release, worse, now_us).to is Phase.ROLLED_BACK


def test_no_move_leads_out_of_an_end():
    """Ends are ends; only what is done can still be rolled back."""
    assert {phase for phase in ENDS if MOVES[phase]} == {Phase.DONE}
    for end in ENDS:
        release = Release(id=1, model="m", version=1, digest="d", phase=end)
        with pytest.raises(Conflict, match="cannot go from"):
            moved(release, Phase.CANARY, now_us=0)


def test_every_phase_can_be_reached_and_left():
    """No phase is forgotten in the table."""
    reached = {Phase.DRAFT} | {to for moves in MOVES.values() for to in moves}
    assert reached == set(Phase) == set(MOVES)


def test_proof_of_safety_keeps_the_last_stage():
    """A tier that asks for proof waits in the last stage until a doubling is ruled out."""
    plan = PLANS[3]
    release = Release(
        id=7,
        model="churn",
        version=2,
        digest="b",
        previous=1,
        previous_digest="a",
        phase=Phase.CANARY,
        stage=2,
        plan=plan,
    )
    counts = Counts(release=7, newest_us=100 * MINUTE_US, stages={2: StageCounts(weight=0.5, canary=50)})
    decision = advance(release, Seen(counts=counts), 100 * MINUTE_US)
    assert decision.to is None
    assert "proof" in decision.reason


def test_who_asks_for_no_shadowed_request_does_not_wait_for_the_scorer():
    """With `shadow_requests: 0` the planned time alone counts; with one it must have come, and not be behind."""
    for requests, to in ((0, Phase.APPROVAL), (1, None)):
        plan = msgspec.structs.replace(PLANS[0], shadow_requests=requests, shadow_min_s=0.0)
        release = Release(
            id=7, model="churn", version=2, digest="d", previous=1, phase=Phase.SHADOW, plan=plan
        )
        seen = Seen(counts=Counts(release=7, newest_us=MINUTE_US))
        assert advance(release, seen, MINUTE_US).to is to
