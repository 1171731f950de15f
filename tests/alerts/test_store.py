"""Alerts in both databases: what people say, what is told once, what a crash leaves whole."""

from __future__ import annotations

import msgspec
import pytest

from lockgate.alerts import away, outbox, store
from lockgate.alerts.alert import Cause, Happened, State
from lockgate.alerts.fold import fold
from lockgate.alerts.rules import Rulebook
from lockgate.alerts.telling import News, messages
from lockgate.clock import MINUTE_US, SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.config_alerts import AlertKind, AlertsConfig, Severity, WebhookSink
from lockgate.db import Database
from lockgate.errors import Conflict, NotFound
from lockgate.governance.audit import chain as audit_chain
from lockgate.governance.audit import find_faults, head, rows

from .receivers import Address

HELD = Cause(
    kind=AlertKind.RELEASE_HELD,
    model="churn",
    subject="churn/3",
    words="Errors rose.",
    next="lockgate status churn",
)


def look(db: Database, config: AlertsConfig, now_us: int, *causes: Cause) -> None:
    """One look, as the service does it: fold, write, tell, in one transaction."""
    with db.write() as tx:
        store.apply(tx, fold(store.current_alerts(tx), causes, Rulebook(config), now_us))
        known = store.alerts_to_tell(tx, list(config.sinks))
        told = outbox.told_so_far(tx, [alert.id for alert in known])
        outbox.post(tx, messages(known, told, config, now_us))


def only(db: Database):
    """The one alert that people see."""
    with db.read() as tx:
        (found,) = store.list_alerts(tx)
        return found


def test_an_alert_s_whole_life_is_history_and_audit(database: Database, clock: FakeClock) -> None:
    """Opened by itself, acknowledged and resolved by people, each with a reason; the audit chain holds."""
    config, now_us = AlertsConfig(), clock.now_us()
    for step in range(3):
        look(database, config, now_us + step * SECOND_US, HELD)
    number = only(database).id
    with database.write() as tx:
        store.acknowledge(tx, number, "looking at it", by="anna", at_us=now_us + MINUTE_US)
    look(database, config, now_us + 2 * MINUTE_US, HELD)
    with database.write() as tx:
        store.resolve(tx, number, "a test of ours", by="bob", at_us=now_us + 3 * MINUTE_US)
    look(database, config, now_us + 4 * MINUTE_US, HELD)
    with database.read() as tx:
        assert only(database).state is State.RESOLVED
        assert [(e.what, e.actor, e.words) for e in store.events_of(tx, number)] == [
            (Happened.OPENED, "lockgate", "Errors rose."),
            (Happened.ACKNOWLEDGED, "anna", "looking at it"),
            (Happened.RESOLVED, "bob", "a test of ours"),
        ]
        assert [row.action for row in rows(tx, subject="churn")] == [
            "alerts:release_held:resolved", "alerts:release_held:acknowledged", "alerts:release_held:opened",
        ]  # fmt: skip
        assert find_faults(audit_chain(tx), head(tx)) == []
        assert store.count_open(tx) == 0


def test_words_to_the_wrong_alert_are_refused(sqlite: Database, clock: FakeClock) -> None:
    """One that is not there, one that is resolved, one that somebody has acknowledged already."""
    look(sqlite, AlertsConfig(), clock.now_us(), HELD)
    with sqlite.write() as tx, pytest.raises(NotFound, match="no alert 7"):
        store.resolve(tx, 7, "", by="anna", at_us=1)
    with sqlite.write() as tx:
        store.acknowledge(tx, 1, "", by="anna", at_us=1)
    with sqlite.write() as tx, pytest.raises(Conflict, match="by anna"):
        store.acknowledge(tx, 1, "", by="bob", at_us=2)
    with sqlite.write() as tx:
        store.resolve(tx, 1, "", by="anna", at_us=3)
    for say in (store.resolve, store.acknowledge):
        with sqlite.write() as tx, pytest.raises(Conflict, match="is resolved"):
            say(tx, 1, "", by="bob", at_us=4)


def test_what_is_only_pending_is_nobody_s_business(sqlite: Database, clock: FakeClock) -> None:
    """Not listed, not counted, not to be acknowledged; forgotten when it was nothing."""
    full = Cause(kind=AlertKind.DISK_FULL, subject="disk", words="3 GB free", next="make room")
    look(sqlite, AlertsConfig(), clock.now_us(), full)
    with sqlite.read() as tx:
        assert store.list_alerts(tx) == []
        assert store.count_open(tx) == 0
        with pytest.raises(NotFound):
            store.get_alert(tx, 1)
    look(sqlite, AlertsConfig(), clock.now_us() + SECOND_US)
    with sqlite.read() as tx:
        assert store.current_alerts(tx) == []


def test_looking_again_after_a_crash_tells_nobody_twice(database: Database, clock: FakeClock) -> None:
    """Alerts, what was told and the outbox are one transaction: a look that dies leaves nothing, one that lives leaves all."""
    config = AlertsConfig(sinks={"ops": WebhookSink(url="http://127.0.0.1:1/")})
    now_us = clock.now_us()
    look(database, config, now_us, HELD)

    class Killed(BaseException):
        pass

    later = now_us + MINUTE_US

    def look_and_die() -> None:
        with database.write() as tx:
            known = store.alerts_to_tell(tx, ["ops"])
            outbox.post(tx, messages(known, {}, config, later))
            raise Killed

    with pytest.raises(Killed):
        look_and_die()
    for step in range(5):
        look(database, config, later + step * SECOND_US, HELD)
    with database.read() as tx:
        assert outbox.standings(tx, ["ops"])[0].waiting == 1
        assert outbox.oldest(tx, "ops").message.notices[0].news is News.BEGAN


def test_an_end_is_told_though_the_alert_is_long_over(sqlite: Database, clock: FakeClock) -> None:
    """The group was in its pause when the alert ended, for longer than ended alerts are current: its end is told all the same."""
    config = AlertsConfig(sinks={"ops": WebhookSink(url="http://127.0.0.1:1/")}, group_pause_s=3 * 3600.0)
    now_us = clock.now_us()
    look(sqlite, config, now_us, HELD)
    look(sqlite, config, now_us + MINUTE_US, HELD)
    for minute in range(2, 200):
        look(sqlite, config, now_us + minute * MINUTE_US)
    with sqlite.write() as tx:
        assert store.current_alerts(tx) == []
        first = outbox.oldest(tx, "ops")
        outbox.delivered(tx, first.id, now_us)
        assert outbox.oldest(tx, "ops").message.notices[0].news is News.OVER


def test_a_database_that_is_away_is_told_once_and_entered_when_it_is_back(
    database: Database, home: Home, clock: FakeClock
) -> None:
    """Kept in a file: a restart of ours tells nobody twice, an address that was away hears it later, the end is told to both."""
    ops, late = Address(), Address(answers=[500, 500])
    try:
        sinks = {"ops": WebhookSink(url=ops.url), "late": WebhookSink(url=late.url)}
        config = AlertsConfig(
            sinks={**sinks, "mild": msgspec.structs.replace(sinks["ops"], models=("churn",))}
        )
        began_us = clock.now_us()
        for _ in range(20):
            away.step(home.run, config, "the metadata database cannot be used now", clock.now_us())
            clock.sleep(5)
        assert [len(each.good) for each in (ops, late)] == [1, 1]
        assert len(late.taken) == 3
        assert len({each.headers["webhook-id"] for each in late.taken}) == 1
        for _ in range(2):  # killed between the commit and forgetting: entered once all the same
            with database.write() as tx:
                assert away.settle(tx, home.run, config, clock.now_us())
        away.forget(home.run)
        found = only(database)
        assert (found.kind, found.state, found.first_us) == (
            AlertKind.DATABASE_AWAY,
            State.RESOLVED,
            began_us,
        )
        with database.read() as tx:
            assert not away.settle(tx, home.run, config, clock.now_us())
            waiting = {one.name: one.waiting for one in outbox.standings(tx, config.sinks)}
            assert waiting == {"ops": 1, "late": 1, "mild": 0}
            assert outbox.oldest(tx, "ops").message.notices[0].news is News.OVER
    finally:
        ops.close()
        late.close()


def test_a_database_that_only_blinked_is_no_alert(sqlite: Database, home: Home, clock: FakeClock) -> None:
    """Away for less than the rule's half minute: nobody is told, nothing is entered."""
    ops = Address()
    try:
        config = AlertsConfig(sinks={"ops": WebhookSink(url=ops.url)})
        away.step(home.run, config, "away", clock.now_us())
        clock.sleep(10)
        away.step(home.run, config, "away", clock.now_us())
        with sqlite.write() as tx:
            assert away.settle(tx, home.run, config, clock.now_us())
        with sqlite.read() as tx:
            assert store.list_alerts(tx) == []
        assert ops.taken == []
    finally:
        ops.close()


def test_severities_are_kept(sqlite: Database, clock: FakeClock) -> None:
    """Written and read as what they are."""
    look(sqlite, AlertsConfig(), clock.now_us(), msgspec.structs.replace(HELD, severity=Severity.CRITICAL))
    assert only(sqlite).severity is Severity.CRITICAL
