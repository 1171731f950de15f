"""What a live version does to its callers becomes an alert, one for each cause, and ends by itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from lockgate.alerts import store
from lockgate.alerts.alert import Alert
from lockgate.clock import DAY_US, SECOND_US, FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.config_alerts import AlertKind, AlertsConfig, RuleConfig, Severity
from lockgate.predictions.record import Record
from lockgate.registry.store import create_model
from lockgate.release import store as releases
from lockgate.release.phases import Phase, Release
from lockgate.release.snapshots import save
from lockgate.release.vitals import STEP_US, Promise, SlowBy, Vitals, begun
from lockgate.wiring.alerting import Watch
from lockgate.wiring.house import House, open_house


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    """A home in which churn/3 is live."""
    opened = open_house(Home(tmp_path / "home"), clock)
    with opened.db.write() as tx:
        create_model(tx, "churn", ModelConfig(), actor="ann", at_us=clock.now_us())
    released(opened, Phase.DONE)
    yield opened
    opened.close()


def released(house: House, phase: Phase, version: int = 3, **values) -> None:
    """A release of churn that is in a phase."""
    now_us = house.clock.now_us()
    draft = Release(
        id=0, model="churn", version=version, digest=f"sha256:{version}", author="ann", created_us=now_us
    )
    with house.db.write() as tx:
        made = releases.record_release(tx, draft, actor="ann", at_us=now_us)
        finished_us = now_us if phase is Phase.DONE else None
        after = msgspec.structs.replace(made, phase=phase, seq=1, finished_us=finished_us, **values)
        releases.claim(tx, made, after, actor="controller", at_us=now_us)


def lived(house: House, requests: int, *, failed: int = 0, slow: int = 0, version: int = 3) -> Vitals:
    """The vital signs of a version after a thousand good requests and then so many, of which the last failed, or were slow."""
    at_us = house.clock.now_us() - (1_000 + requests) * SECOND_US
    common = {"model": "churn", "version": version, "digest": f"sha256:{version}", "epoch": 1}
    first = Record(id="r", at_us=at_us, **common)
    vitals = begun(first, Promise(failed_share=0.01, slow_us=50_000, slow_share=0.03, slow_by=SlowBy.RELEASE))
    for number in range(1_000 + requests):
        left = 1_000 + requests - number
        vitals.add(
            Record(
                id=f"r{number}", at_us=at_us + number * SECOND_US, status=500 if left <= failed else 200,
                latency_us=80_000 if left <= slow else 2_000, **common,
            )
        )  # fmt: skip
    vitals.close(house.clock.now_us() // STEP_US + 1)
    with house.db.write() as tx:
        save(tx, "vitals:churn", vitals, at_us=house.clock.now_us())
    return vitals


def open_alerts(house: House, config: AlertsConfig | None = None) -> dict[AlertKind, Alert]:
    """Every open alert by kind, after looks over some minutes."""
    watch = Watch(house, owner="test")
    if config is not None:
        watch = Watch(with_alerts(house, config), owner="test")
    for _ in range(8):
        watch.tick()
        house.clock.sleep(30)
    with house.db.read() as tx:
        return {alert.kind: alert for alert in store.list_alerts(tx, only_open=True)}


def with_alerts(house: House, config: AlertsConfig) -> House:
    """The house with other rules."""
    return dataclasses.replace(house, config=msgspec.structs.replace(house.config, alerts=config))


def test_a_live_version_that_begins_to_fail_is_one_alert_that_ends_by_itself(house: House) -> None:
    """Long after its release; with figures, how bad, and what to do; over when its requests say so."""
    lived(house, 0)
    assert open_alerts(house) == {}
    lived(house, 100, failed=100)
    found = open_alerts(house)
    assert set(found) == {AlertKind.REQUESTS_FAIL}
    told = found[AlertKind.REQUESTS_FAIL]
    assert (told.severity, told.subject) == (Severity.CRITICAL, "churn/3")
    assert " requests to churn/3 since 2023-11-14 22:1" in told.words
    assert told.words.endswith("At most 1 % were to be expected.")
    assert "lockgate log churn --where 'status >= 500'" in told.next
    lived(house, 0)
    assert open_alerts(house) == {}


def test_few_failures_are_a_warning_and_slow_answers_are_their_own(house: House) -> None:
    """Below 5 % nobody is woken; slow answers are told apart, with what they are held against."""
    lived(house, 2_000, slow=500)
    found = open_alerts(house)
    assert set(found) == {AlertKind.ANSWERS_SLOW}
    assert found[AlertKind.ANSWERS_SLOW].severity is Severity.WARNING
    assert (
        "took longer than 50 ms. At most 3 % were to be expected: the version before it"
        in found[AlertKind.ANSWERS_SLOW].words
    )
    vitals = lived(house, 100, failed=100)
    vitals.failing.counted = 4_000
    with house.db.write() as tx:
        save(tx, "vitals:churn", vitals, at_us=0)
    assert open_alerts(house)[AlertKind.REQUESTS_FAIL].severity is Severity.WARNING


def test_a_release_that_runs_is_looked_after_by_its_guards(house: House) -> None:
    """One alert for one cause: while the version is in its watch, its guards act; an older live version's signs go on."""
    lived(house, 100, failed=100)
    released(house, Phase.WATCH, version=4, previous=3)
    assert open_alerts(house) == {}, "churn/4 answers now"
    lived(house, 100, failed=100, version=4)
    assert open_alerts(house) == {}


def test_whom_nobody_asks_fails_nobody(house: House) -> None:
    """After a week without a request the alert ends."""
    lived(house, 100, failed=100)
    assert AlertKind.REQUESTS_FAIL in open_alerts(house)
    house.clock.sleep(8 * DAY_US / SECOND_US)
    assert open_alerts(house) == {}


def test_the_rule_says_from_which_share_on_it_is_told(house: House) -> None:
    """Anything of it can be changed, and it can be switched off, for one model or all."""
    vitals = lived(house, 100, failed=100)
    vitals.failing.counted = 4_000  # 2.5 %
    with house.db.write() as tx:
        save(tx, "vitals:churn", vitals, at_us=0)
    kind = AlertKind.REQUESTS_FAIL
    assert open_alerts(house, AlertsConfig(rules={kind: RuleConfig(limit=10)})) == {}
    assert open_alerts(house, AlertsConfig(models={"churn": {kind: RuleConfig(mute=True)}})) == {}
    assert kind in open_alerts(house, AlertsConfig(rules={kind: RuleConfig(limit=2)}))
