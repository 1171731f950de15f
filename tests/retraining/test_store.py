"""Retrainings on both databases: one at a time, once a cause and attempt, moves fenced, taken over when nobody beats."""

from __future__ import annotations

import threading

import msgspec
import pytest

from lockgate.clock import DAY_US, SECOND_US
from lockgate.config_retraining import Trigger
from lockgate.db import Database
from lockgate.errors import Conflict, NotFound
from lockgate.governance.audit import rows
from lockgate.retraining.retraining import Gain, Retraining, State
from lockgate.retraining.store import (
    SILENT_S,
    beat,
    claim,
    for_cause,
    get_retraining,
    let_go,
    of_version,
    record,
    retrainings_of,
    running_retrainings,
    take,
)

T0 = 20_000 * DAY_US


def asked(model: str = "churn", cause: str = "drift:churn/1:inputs", **more: object) -> Retraining:
    """One that was asked for now."""
    given = {
        "trigger": Trigger.DRIFT,
        "words": "It moved.",
        "champion": 1,
        "asked_us": T0,
        "changed_us": T0,
        **more,
    }
    return Retraining(model=model, cause=cause, **given)  # type: ignore[arg-type]


def entered(database: Database, made: Retraining) -> Retraining:
    """On record."""
    with database.write() as tx:
        return record(tx, made)


def moved(database: Database, before: Retraining, to: State, **known: object) -> Retraining:
    """A step further."""
    with database.write() as tx:
        return claim(tx, before, msgspec.structs.replace(before, state=to, **known))


def test_a_model_has_one_and_a_cause_has_one(database: Database) -> None:
    """Two processes that see the same cause at once enter one; another cause waits for its end; the same attempt never comes
    back."""
    found: list[object] = []

    def enter() -> None:
        try:
            found.append(entered(database, asked()))
        except Conflict as error:
            found.append(error)

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (one,) = [each for each in found if isinstance(each, Retraining)]
    with pytest.raises(Conflict, match="is being retrained"):
        entered(database, asked(cause="performance:churn/1"))
    other = entered(database, asked("fraud"))
    moved(database, one, State.FAILED, ended_us=T0, outcome="no")
    with pytest.raises(Conflict, match="for this very cause"):
        entered(database, asked())
    again = entered(database, asked(attempt=2))
    with database.read() as tx:
        assert [each.id for each in running_retrainings(tx)] == [other.id, again.id]
        assert [each.attempt for each in retrainings_of(tx, "churn")] == [2, 1]
        assert {each.model for each in retrainings_of(tx, among=["fraud"])} == {"fraud"}
        assert [each.id for each in retrainings_of(tx, "churn", but=[State.FAILED])] == [again.id]
        assert for_cause(tx, "churn", one.cause) == again
        with pytest.raises(NotFound):
            get_retraining(tx, 99)


def test_however_many_there_are_none_is_cut_off(database: Database) -> None:
    """All of them without a limit; page by page each of them once, those of one moment too."""
    with database.write() as tx:
        for number in range(260):
            given = {"state": State.REFUSED, "asked_us": T0 + number // 3, "ended_us": T0}
            record(tx, asked(cause=f"schedule:{number}", **given))
    with database.read() as tx:
        every = [each.id for each in retrainings_of(tx, "churn")]
        paged, before = [], None
        while page := retrainings_of(tx, "churn", before=before, limit=100):
            paged += [each.id for each in page]
            before = page[-1].id
        with pytest.raises(NotFound):
            retrainings_of(tx, "churn", before=9999)
    assert every == paged == list(range(260, 0, -1))


def test_moves_follow_the_table_and_only_one_makes_them(database: Database) -> None:
    """Everything that is known is kept; a move from where it is no more, and one that there is not, are refused."""
    one = entered(database, asked())
    with pytest.raises(Conflict, match="cannot go from asked to releasing"):
        moved(database, one, State.RELEASING)
    trained = moved(database, one, State.TRAINING, data={"raw": "loans@2"})
    with pytest.raises(Conflict, match="moved at this moment"):
        moved(database, one, State.TRAINING)
    checked = moved(database, trained, State.VALIDATING, run=7, version=2)
    gain = Gain(metric="accuracy", value=0.1, low=0.05, high=None, alike=0.005)
    done = moved(database, checked, State.READY, gain=gain, outcome="better", ended_us=T0 + 1)
    with database.read() as tx:
        assert of_version(tx, "churn", 2) == done
        assert of_version(tx, "churn", 3) is None
        assert [row.action for row in rows(tx, subject="churn")][:2] == [
            "retraining:cause:ready",
            "retraining:cause:validating",
        ]
        assert rows(tx, action="retraining:cause:ready")[0].values["gain"]["high"] is None
    assert (done.gain, done.data, done.run, done.is_running) == (gain, {"raw": "loans@2"}, 7, False)


def test_who_is_silent_for_a_minute_is_taken_over(database: Database) -> None:
    """A process that beats keeps it, and what it computed is counted; one that let go, fell silent, or lives on a clock that
    stepped back does not."""
    one = entered(database, asked())
    minute = round(SILENT_S * SECOND_US)
    with database.write() as tx:
        assert take(tx, one.id, "first", T0) is not None
        assert take(tx, one.id, "second", T0 + minute) is None
        assert beat(tx, one.id, "first", T0 + minute, 60.0)
        assert take(tx, one.id, "second", T0 + 2 * minute) is None
        taken = take(tx, one.id, "second", T0 + 2 * minute + 1)
        assert taken is not None
        assert (taken.owner, taken.compute_s) == ("second", 60.0)
        assert not beat(tx, one.id, "first", T0 + 3 * minute, 1.0)
        assert take(tx, one.id, "third", T0) is not None
        let_go(tx, one.id, "third")
        mine = take(tx, one.id, "fourth", T0)
        assert mine is not None
    over = moved(database, mine, State.FAILED, ended_us=T0)
    with database.write() as tx:
        assert take(tx, over.id, "fifth", T0 + DAY_US) is None


def test_what_was_refused_begins_once(database: Database) -> None:
    """Of two processes that see that the data are mended, one begins it."""
    refused = entered(database, asked(state=State.REFUSED, ended_us=T0, outcome="broken"))
    fresh = msgspec.structs.replace(refused, state=State.ASKED, changed_us=T0 + 1, ended_us=None, outcome="")
    with database.write() as tx:
        claim(tx, refused, fresh)
    with pytest.raises(Conflict), database.write() as tx:
        claim(tx, refused, fresh)
