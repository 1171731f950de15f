"""What becomes an alert without any configuration, and that a crash or a database that is away loses and doubles nothing."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from lockgate.alerts import outbox, store
from lockgate.alerts.alert import Alert, Cause, State
from lockgate.alerts.away import read_absence
from lockgate.alerts.rules import Rulebook
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home, ModelConfig, Tier
from lockgate.config_alerts import AlertKind, AlertsConfig, Severity, WebhookSink
from lockgate.config_gateway import TlsConfig
from lockgate.db import Database
from lockgate.governance.approvals import Seal, request
from lockgate.governance.audit import append
from lockgate.governance.policy import current_policy
from lockgate.membership import Loaded, LoadState, Member, report
from lockgate.monitor import notices
from lockgate.monitor.performance_delay import Delay
from lockgate.monitor.performance_silence import silence
from lockgate.monitor.performance_windows import Window
from lockgate.predictions.offsets import register_reader
from lockgate.registry.store import create_model
from lockgate.release import snapshots
from lockgate.release import store as releases
from lockgate.release.counts import Counts
from lockgate.release.phases import Phase, Release
from lockgate.samples import Sample, leave
from lockgate.supervisor import Child, Supervisor
from lockgate.wiring.alerting import LOOKS, Watch, patient_house
from lockgate.wiring.hosts import KEYS_LOST
from lockgate.wiring.house import House, open_house
from lockgate.wiring.labelling import INTAKE
from lockgate.wiring.looking import Ground, Look, Lookout
from lockgate.wiring.status import note_trouble

from ..alerts.receivers import Address, message
from ..authority import Authority

LIMIT_S = 120.0


@pytest.fixture
def house(tmp_path: Path, clock: FakeClock) -> Iterator[House]:
    """A home with the model churn, whose clock moves only when told."""
    opened = open_house(Home(tmp_path / "home"), clock)
    with opened.db.write() as tx:
        create_model(tx, "churn", ModelConfig(), actor="ann", at_us=clock.now_us())
    yield opened
    opened.close()


def looked(house: House, *, for_s: float = 0.0) -> dict[AlertKind, Alert]:
    """Every open alert by kind, after looks for some time."""
    watch = Watch(house, owner="test")
    watch.tick()
    for _ in range(4):
        house.clock.sleep(for_s / 4)
        watch.tick()
    with house.db.read() as tx:
        return {alert.kind: alert for alert in store.list_alerts(tx, only_open=True)}


def a_release(house: House, phase: Phase, *, actor: str = "controller", **values: Any) -> Release:
    """A release of churn that came to a phase."""
    now_us = house.clock.now_us()
    draft = Release(
        id=0,
        model="churn",
        version=3,
        digest="sha256:3",
        previous=2,
        author="ann",
        created_us=now_us,
        phase_us=now_us,
    )
    with house.db.write() as tx:
        made = releases.record_release(tx, draft, actor="ann", at_us=now_us)
        after = msgspec.structs.replace(
            made, **{"phase": phase, "seq": 1, "reason": "errors rose to 4 %", **values}
        )
        return releases.claim(tx, made, after, actor=actor, at_us=now_us)


def a_member(house: House, **values: Any) -> None:
    """What a gateway worker says of itself now."""
    now_us = house.clock.now_us()
    report(house.home.members, Member(**{
        "worker": "gateway-0", "pid": 1, "host": "box", "port": 1, "started_us": now_us, "beat_us": now_us, "epoch": 1,
        "ready": True, **values,
    }))  # fmt: skip


def test_a_quiet_box_has_no_alert(house: House) -> None:
    """Nothing is wrong: nothing is said, for hours."""
    assert looked(house, for_s=3 * 3600) == {}


def test_a_rollback_is_an_alert_until_somebody_or_something_newer_deals_with_it(house: House) -> None:
    """By itself: critical, with the reason and what answers now. A person's own is a remark. A newer release ends it."""
    a_release(house, Phase.ROLLED_BACK, finished_us=house.clock.now_us())
    found = looked(house)[AlertKind.ROLLED_BACK]
    assert (found.severity, found.subject) == (Severity.CRITICAL, "churn/3, release 1")
    assert found.words == "Rolled back by itself: errors rose to 4 %. Now churn/2 answers again."
    assert AlertKind.ROLLED_BACK in looked(house, for_s=6 * 86_400)
    a_release(house, Phase.SHADOW)
    assert AlertKind.ROLLED_BACK not in looked(house)


def test_a_person_s_rollback_is_a_remark(house: House) -> None:
    """Whoever did it knows."""
    a_release(house, Phase.ROLLED_BACK, actor="ann", finished_us=house.clock.now_us())
    assert looked(house)[AlertKind.ROLLED_BACK].severity is Severity.INFO


def test_a_held_release_says_who_must_do_what(house: House) -> None:
    """With the commands; over when it goes on."""
    before = a_release(house, Phase.HELD, held_from=Phase.WATCH, advisory=True)
    found = looked(house)[AlertKind.RELEASE_HELD]
    assert found.words == "Held in watch: errors rose to 4 %. Its share of callers stays at 100 %."
    assert found.next == "two people must say: lockgate resume churn, or lockgate rollback churn"
    with house.db.write() as tx:
        after = msgspec.structs.replace(before, phase=Phase.WATCH, held_from=None, seq=2)
        releases.claim(tx, before, after, actor="bob", at_us=1)
    assert looked(house) == {}


def test_an_approval_that_waits_is_a_remark_and_after_days_a_warning(house: House) -> None:
    """It names who can end the waiting."""
    a_release(house, Phase.APPROVAL)
    seal = Seal(package="a", data="b", findings="c", policy="d")
    with house.db.write() as tx:
        policy = current_policy(tx, Tier.HIGH)
        request(
            tx,
            seal,
            model="churn",
            version=3,
            policy=policy,
            makers=("ann",),
            by="ann",
            at_us=house.clock.now_us(),
        )
    first = looked(house)[AlertKind.APPROVAL_WAITS]
    assert (first.severity, "other than ann" in first.words) == (Severity.INFO, True)
    assert looked(house, for_s=4 * 86_400)[AlertKind.APPROVAL_WAITS].severity is Severity.WARNING


def test_a_shadow_that_is_behind_is_an_alert(house: House) -> None:
    """By the time between the newest answer and the newest one that was scored; a limit of a model's own wins."""
    made = a_release(house, Phase.SHADOW)
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        counts = Counts(release=made.id, newest_us=now_us, shadow_us=now_us - HOUR_US)
        snapshots.save(tx, f"release:{made.id}", counts, at_us=now_us)
    found = looked(house, for_s=300)[AlertKind.SHADOW_BEHIND]
    assert found.words.startswith("The shadow is 60 minutes behind live.")
    config = house.home.root / "config.yaml"
    config.write_text("alerts: {models: {churn: {shadow_behind: {limit: 7200}}}}\n")
    again = open_house(house.home, house.clock)
    assert AlertKind.SHADOW_BEHIND not in looked(again, for_s=300)
    again.close()


def test_workers_that_fail_are_alerts(house: House) -> None:
    """Silent, unable to load, pausing, with a gap of the log; a gap that a person dealt with opens when it grows."""
    a_member(
        house,
        packages={"sha256:3": Loaded(state=LoadState.FAILED, error="no module named churnlib")},
        log_gap=7,
    )
    leave(house.home.run, "gateway-0", [
        Sample("lockgate_runner_replicas", {"worker": "gateway-0", "model": "churn", "version": "2", "state": "pausing"}, 2.0),
    ])  # fmt: skip
    found = looked(house, for_s=60)
    assert {AlertKind.GATEWAY_SILENT, AlertKind.MODEL_FAILS, AlertKind.LOG_GAP} <= found.keys()
    assert "answered 7 requests without a record" in found[AlertKind.LOG_GAP].words
    with house.db.write() as tx:
        store.resolve(tx, found[AlertKind.LOG_GAP].id, "made room", by="ann", at_us=house.clock.now_us())
    a_member(house, log_gap=7)
    later = looked(house)
    assert AlertKind.LOG_GAP not in later
    a_member(house, log_gap=8)
    assert AlertKind.LOG_GAP in looked(house)


def test_a_process_that_dies_again_and_again_is_an_alert(house: House) -> None:
    """By what a real supervisor notes of a real child; over when it has lived for a while."""
    supervisor = Supervisor(
        [Child("archiver", (sys.executable, "-c", "raise SystemExit(3)"))],
        house.home.run,
        tell=lambda event: supervisor.stop() if "0.2" in event.detail else None,
    )
    supervisor.run()
    house.clock._now_us = time.time_ns() // 1000  # what a supervisor notes is the machine's own time
    found = looked(house)[AlertKind.PROCESS_DIES]
    assert found.subject == "archiver"
    assert "times within ten minutes, last of exit status 3" in found.words
    assert AlertKind.PROCESS_DIES not in looked(house, for_s=3600)


def test_what_is_wrong_with_disk_log_and_archive_is_said(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk with 0.5 GB, a reader that has 2 GB to read, an archive that cannot be written."""
    with house.db.write() as tx:
        register_reader(tx, "monitor", 1)
    folder = house.home.log / "gateway-0"
    folder.mkdir()
    with (folder / "00000000000000001.seg").open("wb") as file:
        file.truncate(2_000_000_000)  # sparse
    usage = shutil.disk_usage(house.home.root)._replace(total=100 * 10**9, free=5 * 10**8)
    monkeypatch.setattr("lockgate.wiring.causes_box.shutil.disk_usage", lambda _place: usage)
    note_trouble(house.home, "the bucket refuses the key")
    found = looked(house, for_s=1200)
    assert found[AlertKind.DISK_FULL].severity is Severity.CRITICAL
    assert "0.5 GB of 100 GB are free" in found[AlertKind.DISK_FULL].words
    assert "2.0 GB of the prediction log" in found[AlertKind.LOG_BEHIND].words
    assert found[AlertKind.ARCHIVE_AWAY].words.endswith("files of this machine: the bucket refuses the key.")


def test_a_certificate_that_is_about_to_run_out_is_an_alert(house: House, tmp_path: Path) -> None:
    """Weeks before: a warning; in the last week: critical; renewed: over."""
    house.clock._now_us = time.time_ns() // 1000
    authority = Authority(tmp_path)
    certificate, key = authority.issue("gateway", days=20)
    tls = TlsConfig(certificate=str(certificate), key=str(key))
    config = msgspec.structs.replace(
        house.config, gateway=msgspec.structs.replace(house.config.gateway, tls=tls)
    )
    secured = House(**{**house.__dict__, "config": config})
    assert looked(secured)[AlertKind.CERTIFICATE].severity is Severity.WARNING
    assert looked(secured, for_s=15 * 86_400)[AlertKind.CERTIFICATE].severity is Severity.CRITICAL
    authority.issue("gateway", days=400)
    assert AlertKind.CERTIFICATE not in looked(secured, for_s=1200)


def test_an_address_that_refused_something_is_an_alert_again_when_it_is_away(house: House) -> None:
    """What was refused for good stays on record, and a person knows; that the address takes nothing later is told as well."""
    ops = WebhookSink(url="http://127.0.0.1:1/", least=Severity.CRITICAL)
    config = msgspec.structs.replace(house.config, alerts=AlertsConfig(sinks={"ops": ops}))
    told = House(**{**house.__dict__, "config": config})
    with house.db.write() as tx:
        outbox.insert(tx, message(), "first")
        outbox.set_aside(tx, outbox.oldest(tx, "ops"), "it answered 410", house.clock.now_us())
    refused = looked(told, for_s=240)[AlertKind.SINK_AWAY]
    assert refused.words == "1 messages were refused for good."
    with house.db.write() as tx:
        store.resolve(tx, refused.id, "known", by="ann", at_us=house.clock.now_us())
    assert AlertKind.SINK_AWAY not in looked(told, for_s=240)
    with house.db.write() as tx:
        outbox.insert(tx, message(), "second")
        outbox.put_off(tx, outbox.oldest(tx, "ops"), "it answered 503", house.clock.now_us())
    away = looked(told, for_s=240)[AlertKind.SINK_AWAY]
    assert away.words == "1 messages wait: it answered 503. Nothing is lost."


def test_what_monitors_hosts_and_labels_say_becomes_alerts(house: House) -> None:
    """A drift that matters, keys that a host lost, labels that came daily and come no more."""
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        drift = notices.Notice(source="drift", model="churn", version=3, subject="income", severity=notices.Severity.WARN,
                               words="income moved up by 0.9 standard deviations.", since_us=now_us)  # fmt: skip
        notices.settle(tx, "drift", "churn", 3, [drift], at_us=now_us)
        for day in range(6):
            append(
                tx,
                at_us=now_us - (20 - day) * DAY_US,
                actor="ann",
                action="labels:model:imported",
                subject="churn",
            )
        append(tx, at_us=now_us, actor="edge-1", action=KEYS_LOST, subject="edge-1",
               details={"segment": "edge-1.gateway-0/7", "lost": 3, "keys": 9})  # fmt: skip
    found = looked(house)
    assert found[AlertKind.DRIFT].severity is Severity.WARNING
    assert found[AlertKind.HOST_KEYS_LOST].words.startswith("3 of 9 keys that host edge-1 sent")
    assert "15 days ago; before, the longest pause was 24 hours" in found[AlertKind.LABELS_STOPPED].words
    with house.db.write() as tx:
        notices.settle(tx, "drift", "churn", 3, [], at_us=now_us)
        append(tx, at_us=house.clock.now_us(), actor="ann", action="labels:model:imported", subject="churn")
    assert not {AlertKind.DRIFT, AlertKind.LABELS_STOPPED} & looked(house, for_s=900).keys()


def test_labels_that_do_not_come_are_not_called_worse_answers(house: House) -> None:
    """Files with labels that were set aside, and what the monitor of performance says of silence: alerts about labels."""
    windows = [
        Window(version=1, number=day, since_us=day * DAY_US, until_us=(day + 1) * DAY_US, rows=500,
               labelled=450 if day < 10 else 0)
        for day in range(14)
    ]  # fmt: skip
    delay = Delay(grown=(), median_us=DAY_US, late_us=DAY_US, ever=0.9)
    silent = silence(("churn", 1), windows, delay, 60 * DAY_US)
    aside = notices.Notice(source=INTAKE, model="churn", version=0, subject="files", severity=notices.Severity.WARN,
                           words="1 files with labels of churn were set aside: a.csv.", since_us=1)  # fmt: skip
    with house.db.write() as tx:
        notices.settle(tx, "performance", "churn", 1, silent, at_us=house.clock.now_us())
        notices.settle(tx, INTAKE, "churn", 0, [aside], at_us=house.clock.now_us())
    looked(house)
    with house.db.read() as tx:
        found = {alert.subject: alert.kind for alert in store.list_alerts(tx)}
    assert found == dict.fromkeys(
        ("churn/1, performance: labels stopped", "churn, labels: files"), AlertKind.LABELS_STOPPED
    )


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("labels moved", AlertKind.DRIFT),
        ("concept", AlertKind.DRIFT),
        ("worse: accuracy", AlertKind.PERFORMANCE),
    ],
)
def test_only_worse_answers_are_called_worse(house: House, subject: str, kind: AlertKind) -> None:
    """What labels show beside that, that other things come true, or under equal answers, is drift; its page is the same."""
    said = notices.Notice(source="performance", model="churn", version=3, subject=subject, severity=notices.Severity.WARN,
                          words="-", since_us=1)  # fmt: skip
    with house.db.write() as tx:
        notices.settle(tx, "performance", "churn", 3, [said], at_us=house.clock.now_us())
    assert {kind: alert.link for kind, alert in looked(house).items()} == {kind: "/models/churn/performance"}


def test_a_look_that_fails_says_so_and_stops_no_other(house: House) -> None:
    """Its own kind stays as it is; the others are looked at."""

    def broken(_tx: object, _ground: object) -> list[Cause]:
        raise ZeroDivisionError

    a_release(house, Phase.HELD, held_from=Phase.CANARY, stage=1)
    assert AlertKind.RELEASE_HELD in looked(house)
    looks = [Look("held releases", frozenset({AlertKind.RELEASE_HELD}), broken), *LOOKS[3:]]
    watch = Watch(house, looks)
    for _ in range(4):
        watch.tick()
        house.clock.sleep(60)
    with house.db.read() as tx:
        found = {alert.kind: alert for alert in store.list_alerts(tx, only_open=True)}
    assert found.keys() == {AlertKind.RELEASE_HELD, AlertKind.MONITOR_FAILS}
    assert "ZeroDivisionError" in found[AlertKind.MONITOR_FAILS].words


def test_a_statement_that_fails_blinds_no_later_look(house: House, postgres: Database) -> None:
    """PostgreSQL ends a transaction in which a statement failed; each look has a savepoint of its own."""

    def divides(tx: sa.Connection, _ground: Ground) -> list[Cause]:
        return [tx.execute(sa.text("select 1 / 0")).one()]

    def counts(tx: sa.Connection, _ground: Ground) -> list[Cause]:
        words = str(tx.execute(sa.text("select 41 + 1")).scalar_one())
        return [Cause(kind=AlertKind.RELEASE_HELD, subject="x", words=words, next="y")]

    looks = [Look("one", frozenset(), divides), Look("two", frozenset(), counts)]
    ground = Ground(house, Rulebook(AlertsConfig()), house.clock.now_us())
    with postgres.read() as tx:
        seen = Lookout(looks).look_around(tx, ground)
    assert [cause.words for cause in seen.causes] == ["It failed: DataError.", "42"]


def test_only_one_of_two_services_acts(house: House) -> None:
    """The other one takes over when the first is silent."""
    first, second = Watch(house, owner="a"), Watch(house, owner="b")
    assert (first.tick(), second.tick(), second.mine) == (True, False, False)
    house.clock.sleep(30)
    assert (second.tick(), first.tick()) == (True, False)


def test_a_service_whose_database_is_away_from_the_start_tells_it(home: Home) -> None:
    """Nothing can be opened: it is told all the same, once, and the service goes on trying until it is stopped."""
    address, stop, made = Address(), threading.Event(), []
    (home.root / "config.yaml").write_text(
        f"database: postgresql://nobody@/none?host={home.root}\n"
        f"alerts: {{sinks: {{ops: {{kind: webhook, url: '{address.url}'}}}}, rules: {{database_away: {{for_s: 0}}}}}}\n"
    )
    waiting = threading.Thread(target=lambda: made.append(patient_house(home, stop)))
    waiting.start()
    wait_for(lambda: bool(address.good))
    stop.set()
    waiting.join(LIMIT_S)
    address.close()
    assert made == [None]
    assert [got.values["data"]["alerts"][0]["kind"] for got in address.good] == ["database_away"]
    absence = read_absence(home.run)
    assert absence is not None
    assert absence.sinks["ops"].told_us is not None


def wait_for(found: Callable[[], bool]) -> None:
    """Until a condition holds."""
    deadline = time.monotonic() + LIMIT_S
    while not found():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.faults
def test_the_service_that_is_killed_tells_each_alert_once(tmp_path: Path) -> None:
    """Killed with kill -9 after each of three looks: one message under one key, its end when it is over, no secret anywhere."""
    address, home, secret = Address(), Home(tmp_path / "home"), "T0KEN-7"
    house = open_house(home)
    (tmp_path / "url").write_text(f"{address.url}/{secret}")
    (home.root / "config.yaml").write_text(
        "alerts:\n  group_wait_s: 0\n  group_pause_s: 0\n  rules: {archive_away: {for_s: 0, quiet_s: 0}}\n"
        f"  sinks: {{ops: {{kind: webhook, url_file: {tmp_path}/url}}}}\n"
    )
    note_trouble(home, "the bucket refuses the key")
    argv = [sys.executable, "-m", "lockgate.services.alerts", "--home", str(home.root)]
    owners: set[str] = set()
    with (tmp_path / "said").open("ab") as said:
        for _ in range(3):
            service = subprocess.Popen(argv, stdout=said, stderr=said)
            wait_for(lambda: _owner(house) not in owners and len(address.good) > 0)
            owners.add(_owner(house))
            service.send_signal(signal.SIGKILL)
            service.wait(LIMIT_S)
        note_trouble(home, None)
        service = subprocess.Popen(argv, stdout=said, stderr=said)
        wait_for(lambda: len({got.headers["webhook-id"] for got in address.good}) > 1)
        service.terminate()
        assert service.wait(LIMIT_S) == 0
    address.close()
    told = {
        got.headers["webhook-id"]: [one["news"] for one in got.values["data"]["alerts"]]
        for got in address.good
    }
    assert sorted(told.values()) == [["began"], ["over"]]
    with house.db.read() as tx:
        (archive,) = store.list_alerts(tx)
        assert (archive.kind, archive.state) == (AlertKind.ARCHIVE_AWAY, State.RESOLVED)
        kept = str(tx.exec_driver_sql("SELECT * FROM alert_outbox").all()) + str(
            tx.exec_driver_sql("SELECT * FROM audit").all()
        )
    assert secret not in kept + (tmp_path / "said").read_text()
    house.close()


def _owner(house: House) -> str:
    """Which process acts now; empty when none does."""
    with house.db.read() as tx:
        return str(
            tx.exec_driver_sql("SELECT owner FROM release_leases WHERE name = 'alerts'").scalar() or ""
        )
