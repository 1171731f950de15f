"""No storm and no broken data, day by day on a real home with a clock that is told: what begins, what waits, what people hear.

What a retraining works at is played here (it takes one step and ends as the test says); causes, limits, the database, the service
and the alerts are the real ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from tests.monitor.churn import MANIFEST
from tests.retraining.flow import add_rows, notice, rows

from lockgate.alerts.rules import Rulebook
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.config_alerts import AlertsConfig
from lockgate.config_retraining import RetrainConfig
from lockgate.errors import Conflict, InvalidInput, Unavailable
from lockgate.monitor.notices import Notice, Severity, settle
from lockgate.pipelines.run import DataUsed, Made, RunState
from lockgate.pipelines.store import Outcome, end_run, start_run
from lockgate.registry.manifest import digest_of
from lockgate.registry.store import create_model, record_version
from lockgate.release.phases import Phase, Release
from lockgate.release.store import claim, record_release
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.store import retrainings_of
from lockgate.wiring import retrain_steps
from lockgate.wiring.causes_retraining import retrained
from lockgate.wiring.house import House, open_house
from lockgate.wiring.looking import Ground
from lockgate.wiring.retrain import ask_by_hand, consider
from lockgate.wiring.retrain_service import Retrainer
from lockgate.wiring.retrain_shown import retrain_shown
from lockgate.wiring.retrain_steps import Left

Played = Callable[[Callable[[Retraining], Left]], None]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """churn/1 is live; a run made it of the first version of its rows, and there is a newer one."""
    with closing(open_house(Home(tmp_path), FakeClock(20_000 * DAY_US))) as opened:
        data = add_rows(opened, rows(0.0, count=50), "churn-rows")
        add_rows(opened, rows(1.0, count=60), "churn-rows")
        used = {"raw": DataUsed(name=data.name, number=data.number, digest=data.digest, rows=data.rows)}
        now_us = opened.clock.now_us()
        with opened.db.write() as tx:
            create_model(
                tx,
                "churn",
                ModelConfig(target="left", retrain=RetrainConfig()),
                actor=opened.owner.id,
                at_us=now_us,
            )
            version, _ = record_version(
                tx,
                model="churn",
                digest=digest_of(MANIFEST),
                manifest=MANIFEST,
                author=opened.owner.id,
                at_us=now_us,
            )
            run = start_run(tx, Made(model="churn", pipeline="churn.py", code="sha256:" + "b" * 64, data=used),
                            author=opened.owner.id, why="", at_us=now_us)  # fmt: skip
            end_run(tx, run, RunState.DONE, Outcome(), version=version.number, at_us=now_us)
            draft = Release(
                id=0,
                model="churn",
                version=1,
                digest=version.digest,
                author=opened.owner.id,
                created_us=now_us,
            )
            made = record_release(tx, draft, actor=opened.owner.id, at_us=now_us)
            claim(tx, made, _done(made, now_us), actor="controller", at_us=now_us)
        yield opened


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    """Say what checking each retraining comes to; its data and its run are there at once."""

    def says(what: Callable[[Retraining], Left]) -> None:
        for state, then in ((State.ASKED, State.TRAINING), (State.TRAINING, State.VALIDATING)):
            monkeypatch.setitem(retrain_steps.STEPS, state, lambda *_given, then=then: Left(then))
        monkeypatch.setitem(retrain_steps.STEPS, State.VALIDATING, lambda _house, mine, _tell: what(mine))

    return says


def _done(release: Release, now_us: int) -> Release:
    values = {name: getattr(release, name) for name in release.__struct_fields__}
    return Release(
        **{**values, "phase": Phase.DONE, "seq": release.seq + 1, "phase_us": now_us, "finished_us": now_us}
    )


def _days(house: House, count: int, before: Callable[[int], None] = lambda _day: None) -> None:
    """So many days, a round of the service on each."""
    retrainer = Retrainer(house, owner="service")
    for day in range(count):
        before(day)
        retrainer.round()
        retrainer.wait()
        assert retrainer.troubles == {}
        house.clock.sleep(86_400)


def _of(house: House) -> list[Retraining]:
    """The oldest first."""
    with house.db.read() as tx:
        return retrainings_of(tx, "churn")[::-1]


def _alerts(house: House) -> list[str]:
    """What people are told of it now."""
    ground = Ground(house, Rulebook(AlertsConfig()), house.clock.now_us())
    with house.db.read() as tx:
        return [cause.words for cause in retrained(tx, ground)]


def test_drift_every_day_for_three_months_is_no_storm(house: House, played: Played) -> None:
    """In vain each time: it waits 28 days, then 56; every day it is said until when; one alert at a time."""
    played(lambda _mine: Left(State.NOT_BETTER, "not surely better"))
    begins = house.clock.now_us()
    said: list[str] = []

    moved = Notice(source="drift", model="churn", version=1, subject="inputs", severity=Severity.ALARM, words="It moved.",
                   since_us=begins)  # fmt: skip

    def drifts(day: int) -> None:
        with house.db.write() as tx:
            settle(tx, "drift", "churn", 1, [moved], at_us=house.clock.now_us())
        if 5 <= day <= 8:
            said.append(retrain_shown(house, "churn").next)
        assert len(_alerts(house)) <= 1

    _days(house, 92, drifts)
    days = [round((one.asked_us - begins) / DAY_US) for one in _of(house)]
    gaps = [later - earlier for earlier, later in pairwise(days)]
    assert gaps == [28, 56]
    assert days[0] == 3  # so long must it last
    assert all(
        "it waits: retraining 1 ended" in words and "longer as that was in vain" in words for words in said
    )


def test_a_pipeline_that_fails_again_and_again_backs_off_and_people_hear_of_it(
    house: House, played: Played
) -> None:
    """Three failures in a row: each waits twice as long as the one before, each is an alert with its own words and number."""

    def fails(_mine: Retraining) -> Left:
        raise InvalidInput("step 'model' raised", got="ValueError: too many rows")

    played(fails)
    heard: list[str] = []
    _days(
        house,
        100,
        lambda _day: (notice(house, 1, model="churn", subject="worse: auc"), heard.extend(_alerts(house)))[0],
    )
    done = _of(house)
    assert [(one.state, one.attempt) for one in done] == [(State.FAILED, number) for number in (1, 2, 3)]
    gaps = [round((later.asked_us - earlier.asked_us) / DAY_US) for earlier, later in pairwise(done)]
    assert gaps == [28, 56]
    assert heard
    assert all("was trained again in vain (failed): step 'model' raised; received: ValueError: too many rows" in words
               for words in heard)  # fmt: skip
    assert len(heard) == 3 * 7  # a week each, the day of the look before it begins aside


def test_labels_that_stop_hold_it_up_until_they_come_again(house: House, played: Played) -> None:
    """Refused in words and on record once, however often it is looked at; an hour after labels come again it begins by itself."""
    played(lambda _mine: Left(State.READY, "it won"))
    now_us = house.clock.now_us()
    worse = Notice(source="performance", model="churn", version=1, subject="worse: auc", severity=Severity.ALARM,
                   words="It does worse.", since_us=now_us)  # fmt: skip
    stopped = Notice(source="performance", model="churn", version=1, subject="labels stopped", severity=Severity.WARN,
                     words="No label came for 9 days.", since_us=now_us)  # fmt: skip
    with house.db.write() as tx:
        settle(tx, "performance", "churn", 1, [worse, stopped], at_us=now_us)
    _days(house, 4)
    (one,) = _of(house)
    assert one.state is State.REFUSED
    assert one.outcome.startswith(
        "No label came for 9 days. Nobody could see whether a new version does better"
    )
    (words,) = _alerts(house)
    assert "its data are not fit: No label came for 9 days" in words
    with house.db.write() as tx:
        settle(tx, "performance", "churn", 1, [worse], at_us=house.clock.now_us())
    house.clock.sleep(HOUR_US / 1e6)
    _days(house, 1)
    (one,) = _of(house)
    assert (one.state, one.attempt) == (State.READY, 1)


def test_a_person_who_asks_meanwhile_hears_that_it_is_on_its_way(house: House, played: Played) -> None:
    """While one goes on nobody begins another, neither a person nor the service; what a person asked for counts for its wait."""
    here = {"is": False}

    def waits(mine: Retraining) -> Left:
        if not here["is"]:
            raise Unavailable("uv cannot be reached")
        return Left(State.NOT_BETTER, f"{mine.asked_by} asked, and it was not better")

    played(waits)
    notice(house, 1, model="churn", subject="worse: auc")
    _days(house, 1)
    with pytest.raises(
        Conflict, match="cannot be trained again now: retraining 1 is validating; one model has one at a time"
    ):
        ask_by_hand(house, house.owner, "churn", "new prices")
    here["is"] = True
    _days(house, 1)
    mine = ask_by_hand(house, house.owner, "churn", "new prices")
    assert (mine.state, mine.id) == (State.ASKED, 2)
    assert consider(house, "churn").begun is None
    _days(house, 20, lambda _day: notice(house, 1, model="churn", subject="worse: auc"))
    assert [one.asked_by for one in _of(house)] == ["pipeline", house.owner.id]
    assert "it waits: retraining 2 ended" in retrain_shown(house, "churn").next
