"""Training again on a real home: from a cause to a release, refused data, deaths in the middle, approval beforehand, storms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import polars as pl
import pytest
from tests.retraining.flow import PIPELINE, add_rows, ended, live_model, notice, quiet, rows

from lockgate.checks.store import history_of as validations_of
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home
from lockgate.config_retraining import Trigger
from lockgate.datasets.expectations import ColumnExpected, Expectations
from lockgate.datasets.versions import DataSettings
from lockgate.errors import Conflict, Forbidden, Unavailable
from lockgate.governance.approvals import Decision, approvals_of, decide
from lockgate.governance.audit import rows as audit_rows
from lockgate.governance.bounds import Bound
from lockgate.governance.people import Person, add_person, enter_part, grant, revoke, set_active
from lockgate.governance.permissions import RoleName
from lockgate.pipelines.store import runs_of
from lockgate.registry.store import versions_of
from lockgate.release.gate import ask
from lockgate.release.phases import Phase
from lockgate.release.store import find_running, releases_of
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.store import claim, record, retrainings_of, take
from lockgate.wiring import retrain_steps
from lockgate.wiring.datasets import describe_data
from lockgate.wiring.house import House, open_house
from lockgate.wiring.retrain import WAITING_REST_US, ask_by_hand, carry, consider
from lockgate.wiring.retrain_service import Retrainer
from lockgate.wiring.retrain_shown import retrain_shown
from lockgate.wiring.retrain_steps import Left
from lockgate.wiring.retrain_terms import Allowance, allow_standing, use_standing

RETRAIN = {"when": ["performance"], "cool_down_days": 14}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with rows whose answer has turned since `flow/1` was trained, and a builder and an approver."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")), FakeClock())
    with opened.db.write() as tx:
        for name, role in (("bea", RoleName.BUILDER), ("abe", RoleName.APPROVER)):
            add_person(tx, name, by=opened.owner, at_us=1)
            grant(tx, name, role, "*", by=opened.owner, at_us=1)
    add_rows(opened, rows(0.0))
    yield opened
    opened.close()


def person(house: House, name: str) -> Person:
    """One of the two."""
    return Person(id=name, name=name, created_us=house.clock.now_us())


def of(house: House, model: str) -> list[Retraining]:
    """Its retrainings, the newest first."""
    with house.db.read() as tx:
        return retrainings_of(tx, model)


def round_(house: House, owner: str = "service") -> None:
    """One round of the service, until what it trains has come as far as it goes."""
    retrainer = Retrainer(house, owner=owner)
    retrainer.round()
    retrainer.wait()
    assert retrainer.troubles == {}


@pytest.mark.faults
def test_worse_answers_are_trained_again_and_win_and_go_live(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One cause: one run, one version of the author pipeline, one validation, one release, whatever dies and however often it
    is looked at; the makers of the code and whoever asked may not approve; afterwards all is quiet."""
    live_model(house, person(house, "bea"), tier="medium", retrain=RETRAIN)
    add_rows(house, rows(1.2, seed=1))
    notice(house, 1)
    for step in ("run_pipeline", "check", "release"):
        _die_after(monkeypatch, step, house)
    round_(house, "last")
    (one,) = of(house, "flow")
    assert (one.state, one.version, one.data) == (State.RELEASING, 2, {"raw": "rows@2"})
    assert one.gain is not None
    assert one.gain.low is not None
    assert one.gain.low > 0.1
    with house.db.read() as tx:
        assert [run.author for run in runs_of(tx, "flow")] == ["pipeline", "bea"]
        assert len(versions_of(tx, "flow")) == 2
        assert len(releases_of(tx, "flow")) == 2
        assert len(validations_of(tx, versions_of(tx, "flow")[0].digest, "flow")) == 1
    assert "is on its way through the gates" in retrain_shown(house, "flow").next
    release = _to_approval(house)
    with house.db.write() as tx:
        (asked, *_) = approvals_of(tx, "flow", 2)
        assert asked.makers == ("bea", "pipeline")
        grant(tx, "bea", RoleName.APPROVER, "flow", by=house.owner, at_us=1)
        with pytest.raises(Forbidden, match="bea made flow/2"):
            decide(tx, asked.id, person(house, "bea"), Decision.APPROVE, "mine", at_us=house.clock.now_us())
    assert use_standing(house, release) is not None
    ended(house, "flow", Phase.DONE)
    round_(house)
    (one,) = of(house, "flow")
    assert (one.state, one.release) == (State.RELEASED, release.id)
    house.clock.sleep(40 * 86_400)
    round_(house)
    assert len(of(house, "flow")) == 1
    assert retrain_shown(house, "flow").next == "Nothing asks for it."
    with house.db.read() as tx:
        acts = [
            row.action.rpartition(":")[2]
            for row in audit_rows(tx, subject="flow", action="retraining:", limit=50)
        ]
    assert acts == ["released", "releasing", "validating", "training", "asked"]


def _die_after(monkeypatch: pytest.MonkeyPatch, name: str, house: House) -> None:
    """A process that carries it dies after the step's work, before its claim; it is silent for more than a minute then."""
    whole = getattr(retrain_steps, name)
    state = next(state for state, step in retrain_steps.STEPS.items() if step is whole)

    def dies(*given: object) -> None:
        whole(*given)
        raise KeyboardInterrupt

    monkeypatch.setitem(retrain_steps.STEPS, state, dies)  # type: ignore[arg-type]
    consider(house, "flow")
    (one,) = of(house, "flow")
    with pytest.raises(KeyboardInterrupt):
        carry(house, one.id, f"dies in {name}", quiet)
    monkeypatch.setitem(retrain_steps.STEPS, state, whole)
    with house.db.write() as tx:  # it had no time to let go
        assert take(tx, one.id, f"dead in {name}", house.clock.now_us()) is not None
    assert carry(house, one.id, "too early", quiet).owner == f"dead in {name}"
    house.clock.sleep(61)


def _to_approval(house: House, model: str = "flow") -> object:
    """Its release asks people."""
    ended(house, model, Phase.APPROVAL)
    with house.db.write() as tx:
        release = find_running(tx, model)
        assert release is not None
        ask(tx, release, at_us=house.clock.now_us())
    return release


@pytest.mark.faults
def test_an_approval_beforehand_lets_it_pass_and_anything_else_does_not(house: House) -> None:
    """abe allows it within bounds; the service uses it when the release asks; with changed data columns people are asked."""
    live_model(
        house,
        person(house, "bea"),
        model="stands",
        data="rows@1",
        validated=True,
        tier="medium",
        retrain=RETRAIN,
    )
    terms = Allowance(
        bounds={"gain": Bound(at_least=0.0), "accuracy": Bound(at_least=0.5)},
        reason="the same each month",
        releases=1,
    )
    with pytest.raises(Forbidden, match="bea made the pipeline"):
        allow_standing(house, _also_approver(house), "stands", terms)
    standing = allow_standing(house, person(house, "abe"), "stands", terms)
    notice(house, 1, model="stands")
    round_(house)
    _to_approval(house, "stands")
    round_(house)
    with house.db.read() as tx:
        (asked, *_) = approvals_of(tx, "stands", 2)
    assert [(each.actor, each.reason) for each in asked.decisions] == [
        ("abe", f"standing approval {standing.id}: the same each month")
    ]
    assert retrain_shown(house, "stands").standings[0].over == "used up"
    ended(house, "stands", Phase.ROLLED_BACK, "errors rose")
    round_(house)
    (one,) = of(house, "stands")
    assert (one.state, one.outcome) == (State.ROLLED_BACK, f"release {one.release}: errors rose")
    waits = retrain_shown(house, "stands").next
    assert "it waits: retraining" in waits
    assert "longer as that was in vain" in waits


@pytest.mark.faults
def test_an_approval_that_lapses_on_the_way_leaves_it_to_people(house: House) -> None:
    """It holds when the training begins and no more when the release asks: nobody is said to have approved, people are asked,
    the retraining goes on, and what they say is its end."""
    live_model(
        house,
        person(house, "bea"),
        model="lapses",
        data="rows@1",
        validated=True,
        tier="medium",
        retrain=RETRAIN,
    )
    asked = Allowance(bounds={"gain": Bound(at_least=0.0)}, reason="the same each month", days=1.0)
    allow_standing(house, person(house, "abe"), "lapses", asked)
    add_rows(house, rows(1.2, seed=21))
    notice(house, 1, model="lapses")
    round_(house)
    house.clock.sleep(2 * DAY_US / 1e6)
    release = _to_approval(house, "lapses")
    round_(house)
    with house.db.read() as tx:
        (waiting, *_) = approvals_of(tx, "lapses", 2)
    assert waiting.decisions == ()
    assert retrain_shown(house, "lapses").standings[0].over == "lapsed"
    applied = use_standing(house, release)
    assert applied is not None
    assert applied.used == ()
    (one,) = of(house, "lapses")
    assert one.state is State.RELEASING
    ended(house, "lapses", Phase.REJECTED, "abe said no")
    round_(house)
    (one,) = of(house, "lapses")
    assert (one.state, one.outcome) == (State.TURNED_DOWN, f"rejected (release {one.release}: abe said no)")


def _also_approver(house: House) -> Person:
    with house.db.write() as tx:
        grant(tx, "bea", RoleName.APPROVER, "stands", by=house.owner, at_us=1)
    return person(house, "bea")


@pytest.mark.faults
def test_what_is_no_better_is_not_released_and_waits_longer(house: House) -> None:
    """Data that turned the other way: the live version stays, the cause is tried again once there are newer data and time."""
    add_rows(house, rows(0.0, seed=2), "still")
    live_model(house, person(house, "bea"), model="still", data="still", retrain=RETRAIN)
    add_rows(house, rows(0.0, seed=3), "still")
    notice(house, 1, model="still")
    round_(house)
    (one,) = of(house, "still")
    assert (one.state, one.release) == (State.NOT_BETTER, None)
    assert "not surely better: " in one.outcome
    house.clock.sleep(27 * 86_400)
    round_(house)
    assert len(of(house, "still")) == 1
    house.clock.sleep(2 * 86_400)
    round_(house)
    again = of(house, "still")[0]
    assert (again.state, again.attempt) == (State.REFUSED, 2)
    assert "there are no newer data than still@2" in again.outcome


def test_broken_data_are_refused_until_they_are_mended(house: House) -> None:
    """A contract that does not hold: nothing runs, the reason is on record once; by hand it is said at once; mended it begins."""
    add_rows(house, rows(0.0, seed=4), "held")
    live_model(house, person(house, "bea"), model="held", data="held", retrain={**RETRAIN, "release": False})
    describe_data(
        house,
        house.owner,
        "held",
        DataSettings(expects=Expectations(columns={"a": ColumnExpected(least=-20.0)})),
    )
    broken = rows(1.2, seed=5)
    add_rows(house, broken.with_columns(a=broken["a"] - 100), "held")
    notice(house, 1, model="held")
    for _ in range(3):
        round_(house)
    (one,) = of(house, "held")
    assert (one.state, one.run) == (State.REFUSED, None)
    assert one.outcome.startswith("held@2 breaks the contract of its data set: a: ")
    with pytest.raises(Conflict, match="cannot be trained again now: held@2 breaks the contract"):
        ask_by_hand(house, person(house, "bea"), "held", "now")
    with house.db.read() as tx:
        assert len(audit_rows(tx, subject="held", action="retraining:cause:refused")) == 1
        assert len(runs_of(tx, "held")) == 1
    add_rows(house, rows(1.2, seed=6), "held")
    house.clock.sleep(HOUR_US / 1e6)
    round_(house)
    (one,) = of(house, "held")
    assert (one.state, one.version, one.data) == (State.READY, 2, {"raw": "held@3"})
    assert "people release it: lockgate release held/2" in one.outcome
    _asked_by_hand_and_refused(house, broken)


def _asked_by_hand_and_refused(house: House, broken: pl.DataFrame) -> None:
    """Broken rows come while it gathers its data: it says that it is asked for again, and that one begins."""
    add_rows(house, rows(1.2, seed=10), "held")
    asked = ask_by_hand(house, person(house, "bea"), "held", "new prices")
    add_rows(house, broken.with_columns(a=broken["a"] - 200), "held")
    refused = carry(house, asked.id, "console", quiet)
    assert refused.state is State.REFUSED
    assert refused.outcome.startswith("held@5 breaks the contract of its data set: a: ")
    assert refused.outcome.endswith("ask again: lockgate retrain held --because WHY")
    round_(house)
    add_rows(house, rows(1.2, seed=11), "held")
    house.clock.sleep(2 * HOUR_US / 1e6)
    round_(house)
    assert next(each.id for each in of(house, "held")) == refused.id
    again = ask_by_hand(house, person(house, "bea"), "held", "new prices, mended")
    assert (again.state, again.id > refused.id) == (State.ASKED, True)
    with house.db.write() as tx:
        claim(
            tx, again, msgspec.structs.replace(again, state=State.TURNED_DOWN, ended_us=house.clock.now_us())
        )


def test_a_role_that_was_taken_away_stays_away(house: House) -> None:
    """Nothing begins, by itself or by hand; it is said why and how it is given back; given back it begins."""
    with house.db.write() as tx:
        enter_part(tx, "pipeline", RoleName.PIPELINE, "held", at_us=1)
        revoke(tx, "pipeline", RoleName.PIPELINE, "held", by=house.owner, at_us=2)
    add_rows(house, rows(0.5, seed=12), "held")
    with pytest.raises(
        Conflict,
        match="was taken away; an admin gives it back: lockgate grant pipeline pipeline --model held",
    ):
        ask_by_hand(house, person(house, "bea"), "held", "now")
    house.clock.sleep(400 * DAY_US / 1e6)
    notice(house, 1, model="held", subject="worse: roc_auc")
    before = [each.id for each in of(house, "held")]
    round_(house)
    assert [each.id for each in of(house, "held")] == before
    assert (
        "the role 'pipeline' of 'pipeline' on this model was taken away" in retrain_shown(house, "held").next
    )
    with house.db.write() as tx:
        grant(tx, "pipeline", RoleName.PIPELINE, "held", by=house.owner, at_us=3)
    asked = ask_by_hand(house, person(house, "bea"), "held", "now")
    assert asked.state is State.ASKED
    with house.db.write() as tx:
        claim(
            tx, asked, msgspec.structs.replace(asked, state=State.TURNED_DOWN, ended_us=house.clock.now_us())
        )


FIT = "    return LogisticRegression()"
FAILS = PIPELINE.replace(FIT, f'    if len(train) > 300:\n        raise ValueError("too many rows")\n{FIT}')


@pytest.mark.faults
def test_a_pipeline_that_fails_fails_alone(house: House) -> None:
    """The failure is its outcome, in its own words; the next model is looked at in the same round; by hand it may go on."""
    add_rows(house, rows(0.0, seed=7, count=400), "grows")
    live_model(house, person(house, "bea"), model="grows", data="grows", text=FAILS, retrain=RETRAIN)
    add_rows(house, rows(0.0, seed=8, count=600), "grows")
    notice(house, 1, model="grows")
    round_(house)
    (one,) = of(house, "grows")
    assert one.state is State.FAILED
    assert "too many rows" in one.outcome
    asked = ask_by_hand(house, person(house, "bea"), "grows", "I looked at it")
    assert asked.asked_by == "bea"
    assert consider(house, "grows").begun is None
    with house.db.write() as tx:
        set_active(tx, "pipeline", False, by=house.owner, at_us=1)
    done = carry(house, asked.id, "console", quiet)
    with house.db.write() as tx:
        set_active(tx, "pipeline", True, by=house.owner, at_us=1)
    assert done.state is State.FAILED
    assert "pipeline is not an active person" in done.outcome


@pytest.mark.faults
def test_who_may_ask(house: House) -> None:
    """A builder of the model; not a stranger; nothing that people submitted by hand, nothing that is not live."""
    with house.db.write() as tx:
        add_person(tx, "stan", by=house.owner, at_us=1)
    with pytest.raises(Forbidden, match="may not submit versions"):
        ask_by_hand(house, person(house, "stan"), "still", "please")
    assert consider(house, "grows").begun is None


@pytest.mark.faults
def test_a_database_that_is_away_costs_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be reached is waited for, in words, and goes on; nothing has failed."""
    house.clock.sleep(200 * DAY_US / 1e6)
    add_rows(house, rows(0.4, seed=9), "still")
    asked = ask_by_hand(house, person(house, "bea"), "still", "newer rows")

    def away(*_given: object) -> None:
        raise Unavailable("uv cannot be reached")

    whole = retrain_steps.STEPS[State.TRAINING]
    monkeypatch.setitem(retrain_steps.STEPS, State.TRAINING, away)  # type: ignore[arg-type]
    waits = carry(house, asked.id, "console", quiet)
    assert (waits.state, waits.outcome, waits.owner) == (State.TRAINING, "waits: uv cannot be reached", "")
    monkeypatch.setitem(retrain_steps.STEPS, State.TRAINING, whole)
    house.clock.sleep(WAITING_REST_US / 1e6)
    done = carry(house, asked.id, "console", quiet)
    assert done.state is State.RELEASING
    ended(house, "still", Phase.CANCELLED, "not now")
    assert carry(house, asked.id, "console", quiet).state is State.TURNED_DOWN


def test_one_that_waits_holds_up_none_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The older one's environment cannot be had; the next is carried in the same round. It is tried again after a rest, and
    nobody is told any more that it waits."""
    here, tried = {"is": False}, []

    def gather(_house: House, mine: Retraining, _tell: object) -> Left:
        tried.append(mine.model)
        if mine.model == "older" and not here["is"]:
            raise Unavailable("uv cannot be reached")
        return Left(State.FAILED) if mine.model == "older" else Left(State.FAILED, "its turn came")

    monkeypatch.setitem(retrain_steps.STEPS, State.ASKED, gather)  # type: ignore[arg-type]
    with closing(open_house(Home(tmp_path), FakeClock())) as house:
        now_us = house.clock.now_us()
        with house.db.write() as tx:
            for model in ("older", "next"):
                record(tx, Retraining(model=model, trigger=Trigger.HAND, cause=f"hand:{model}", words="-", champion=1,
                                      asked_us=now_us, changed_us=now_us))  # fmt: skip
        round_(house)
        (older,), (after,) = of(house, "older"), of(house, "next")
        assert (older.state, older.outcome) == (State.ASKED, "waits: uv cannot be reached")
        assert (after.state, after.outcome) == (State.FAILED, "its turn came")
        house.clock.sleep(WAITING_REST_US / 1e6 - 1)
        round_(house)
        assert tried == ["older", "next"]
        house.clock.sleep(1)
        round_(house)
        house.clock.sleep(WAITING_REST_US / 1e6)
        here["is"] = True
        round_(house)
        assert tried == ["older", "next", "older", "older"]
        (older,) = of(house, "older")
        assert (older.state, older.outcome) == (State.FAILED, "")
