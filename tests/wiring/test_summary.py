"""Three sentences of a model: what decides them, and that they are told by what the house keeps."""

from __future__ import annotations

import pytest

from lockgate.alerts.alert import State
from lockgate.clock import DAY_US, HOUR_US, FakeClock
from lockgate.config import Home, Tier
from lockgate.config_alerts import AlertKind, Severity
from lockgate.db import Database
from lockgate.monitor.reference import Reference, keep_reference
from lockgate.monitor.verdicts import Verdict, put_verdict
from lockgate.predictions.record import Record
from lockgate.registry.store import get_model
from lockgate.release import acts
from lockgate.release.baseline import Baseline, Day, Traffic
from lockgate.release.phases import Phase
from lockgate.release.snapshots import Status, save
from lockgate.release.start import start
from lockgate.release.vitals import Course, Vitals
from lockgate.wiring.inventory import ModelStanding, RunningRelease, standing_of
from lockgate.wiring.summary import Health, is_well, next_step, summary_of, waits_for
from lockgate.wiring.summary_known import NOBODY, UNCOMPARED, UNLABELLED, day_words, known_by

from ..alerts.receivers import NOW_US, alert
from ..release.world import World

BUSY = Day(requests=12_340, errors=12)


def standing(**values) -> ModelStanding:
    """churn with its version 3 live."""
    return ModelStanding(**{
        "name": "churn", "tier": Tier.LOW, "owner": "ann", "task": None, "description": "", "goal": "", "tags": {}, "versions": 3,
        "live": 3, "canary": None, "release": None, "requests_per_day": None, "measured_s": 0.0, "waits_for": "", "created_us": 0,
        **values,
    })  # fmt: skip


def running(phase: Phase, **values) -> RunningRelease:
    """A release of churn/4."""
    return RunningRelease(**{"id": 7, "version": 4, "phase": phase, "held_from": None, "stage": 1, "weight": 0.1,
                             "reason": "errors rose", "since_us": 0, **values})  # fmt: skip


def test_the_worst_alert_decides() -> None:
    """Critical: trouble. A warning: look. A remark, or none: well, when somebody asked."""
    mild, bad = alert(1, severity=Severity.WARNING), alert(2, kind=AlertKind.MODEL_FAILS)
    assert is_well(standing(), [], BUSY)[0] is Health.WELL
    assert is_well(standing(), [alert(1, severity=Severity.INFO)], BUSY)[0] is Health.WELL
    assert is_well(standing(), [mild], BUSY) == (
        Health.LOOK, "Somebody should look: a release was rolled back: churn/1. churn/3 answers."
    )  # fmt: skip
    health, words = is_well(standing(), [mild, bad], BUSY)
    assert (health, words) == (
        Health.TROUBLE,
        "It is not well: a model's processes fail again and again: churn/2. churn/3 answers. Besides, 1 more alert is open.",
    )  # fmt: skip
    looked_after = alert(2, state=State.ACKNOWLEDGED, handled_by="anna")
    assert "; anna looks after it." in is_well(standing(), [looked_after], BUSY)[1]


def test_what_befell_a_release_is_no_illness_of_the_version_that_answers() -> None:
    """Somebody should look why it was rolled back; only where nothing answers it is not well. What is worse stands first."""
    back = alert(2)
    assert (back.kind, back.severity) == (AlertKind.ROLLED_BACK, Severity.CRITICAL)
    assert is_well(standing(), [back], BUSY)[0] is Health.LOOK
    assert is_well(standing(live=None), [back], Day())[0] is Health.TROUBLE
    assert is_well(standing(), [back, alert(3, kind=AlertKind.MODEL_FAILS)], BUSY)[0] is Health.TROUBLE


def vitals(failed: int, of: int, *, alarm: bool = True, version: int = 3) -> Vitals:
    """The vital signs of a version of which so many requests failed since they began to."""
    failing = Course(
        limit=0.005, alarm=alarm, since_us=NOW_US, counted=of, counted_bad=failed, newest_bad_us=NOW_US
    )
    return Vitals(version=version, epoch=1, begun_us=0, newest_us=NOW_US, step=0, failing=failing)


def test_a_model_that_fails_its_callers_is_not_well() -> None:
    """Before it is an alert, and beside a lesser one; one that is worse is told first. What is over, or another version's, is no
    illness."""
    bad = is_well(standing(), [], BUSY, vitals(400, 400))
    assert bad == (
        Health.TROUBLE,
        "It is not well: 100 % of the 400 requests to churn/3 since 2023-11-14 22:13 UTC failed, the last at "
        "2023-11-14 22:13 UTC.",
    )
    beside = is_well(standing(), [alert(1, severity=Severity.WARNING)], BUSY, vitals(400, 400))
    assert beside == (bad[0], f"{bad[1]} Besides, 1 more alert is open.")
    own = alert(1, kind=AlertKind.REQUESTS_FAIL, state=State.ACKNOWLEDGED, handled_by="anna")
    assert is_well(standing(), [own], BUSY, vitals(400, 400))[1].endswith("UTC; anna looks after it.")
    mild = vitals(20, 1_000)
    assert is_well(standing(), [], BUSY, mild)[0] is Health.LOOK
    assert "rolled back: churn/2" in is_well(standing(), [alert(2)], BUSY, mild)[1]
    assert is_well(standing(), [], BUSY, vitals(4, 1_000, alarm=False))[0] is Health.WELL
    assert is_well(standing(), [], BUSY, vitals(400, 400, version=2))[0] is Health.WELL
    assert is_well(standing(live=None), [], BUSY, vitals(400, 400))[0] is Health.UNKNOWN


def test_what_nobody_can_know_is_said() -> None:
    """Nothing live, or nobody asked for a day: not well, not ill, not known."""
    assert is_well(standing(live=None), [], Day())[0] is Health.UNKNOWN
    assert is_well(standing(), [], Day()) == (
        Health.UNKNOWN,
        "churn/3 is ready, and nobody asked it in the last 24 hours.",
    )


@pytest.mark.parametrize(
    ("day", "traffic", "words"),
    [
        (Day(), Traffic(), "No request came in the last 24 hours."),
        (Day(requests=1), Traffic(), "In the last 24 hours 1 request: none failed."),
        (
            BUSY,
            Traffic(t95_us=4_200),
            "In the last 24 hours 12,340 requests: 0.0972 % failed, 95 % of answers took at most 4.2 ms.",
        ),
    ],
)
def test_a_day_in_words(day: Day, traffic: Traffic, words: str) -> None:
    """Requests, failures, and how long answers took once that is known."""
    assert day_words(day, traffic) == words


def test_what_happens_next_is_what_the_controller_waits_for() -> None:
    """Its own words, with who has to act; without a release, what an open alert asks for, or that nothing will happen."""
    status = Status(at_us=1, reason="stage 1: 320 of 1000 canary requests")
    assert next_step(standing(release=running(Phase.CANARY)), [], status) == (
        "churn/4 is in canary with 10 % of callers and goes on by itself: stage 1: 320 of 1000 canary requests."
    )
    asked = Status(at_us=1, reason="waits for 1 approver other than ann")
    assert next_step(standing(release=running(Phase.APPROVAL)), [], asked) == (
        "churn/4 waits for 1 approver other than ann. Nothing changes until people say yes or no."
    )
    held = Status(at_us=1, reason="held: errors rose to 4 %")
    assert next_step(standing(release=running(Phase.HELD, held_from=Phase.CANARY)), [], held) == (
        "churn/4 is held and goes on only when a person resumes it: errors rose to 4 %."
    )
    assert next_step(standing(), [alert(1)], None) == "A person has to act: lockgate status churn."
    looked_after = alert(1, state=State.ACKNOWLEDGED, handled_by="anna")
    assert next_step(standing(), [looked_after], None).startswith(
        "anna looks after what is wrong. Nothing else"
    )
    assert next_step(standing(versions=4), [], None).endswith(
        "its release waits for a person: lockgate release churn."
    )
    assert next_step(standing(versions=0, live=None), [], None).startswith("A first version is awaited")
    assert next_step(standing(versions=4, not_live="churn/4 lacks."), [], None) == "churn/4 lacks."


def test_what_a_person_has_to_do_is_said_beside_what_goes_on_by_itself() -> None:
    """The worst first; a release says by itself what it waits for; a drift is what a retraining is for."""
    full, drifts = alert(1, kind=AlertKind.MODEL_FAILS, next="read the log."), alert(2, kind=AlertKind.DRIFT)
    mild = alert(3, kind=AlertKind.DRIFT, severity=Severity.WARNING, next="Ask whether the world changed.")
    assert next_step(standing(), [mild, full], None) == "A person has to act: read the log."
    assert next_step(standing(), [mild], None) == "A person has to act: ask whether the world changed."
    canary = standing(release=running(Phase.CANARY))
    alone = "churn/4 is in canary with 10 % of callers and goes on by itself: errors rose."
    assert next_step(canary, [alert(4)], None) == alone  # of an older release
    assert next_step(canary, [full], None) == f"{alone} Besides, a person has to act: read the log."
    training = "It is being trained again by itself: income moved up."
    assert next_step(standing(), [drifts], None, training) == training
    assert (waits_for(standing(), [drifts], training), waits_for(standing(), [drifts])) == ("", "a person")
    assert waits_for(standing(waits_for="a version after churn/3"), [full]) == "a version after churn/3"
    assert next_step(standing(), [drifts, full], None, training).endswith(
        "a person has to act: read the log."
    )


def test_data_that_moved_are_not_called_worse_answers() -> None:
    """What is wrong stands in the first sentence; which column, and since when, in the second."""
    moved = alert(1, kind=AlertKind.DRIFT, subject="churn/3, drift: inputs", severity=Severity.WARNING)
    assert is_well(standing(), [moved], BUSY)[1] == (
        "Somebody should look: the data drift in a way that matters. churn/3 answers."
    )


def test_why_the_newest_version_is_not_live_is_said(sqlite: Database, home: Home, clock: FakeClock) -> None:
    """Not validated, blocked by a check, taken back: each in words, with who has to act; ready: a release is awaited."""
    world = World(sqlite, home, clock)

    def seen() -> tuple[str, str]:
        with sqlite.read() as tx:
            found = standing_of(tx, get_model(tx, "churn"), clock.now_us())
            return found.waits_for, next_step(found, [], None)

    world.version(1, validate=False)
    assert seen() == (
        "churn/1 to pass its checks",
        "churn/1 may not be released: its package was not validated; lockgate validate churn/1.",
    )
    world.version(2, failing=("leakage",))
    assert "the policy low/1 does not let these checks fail: leakage" in seen()[1]
    world.version(3)
    assert seen() == (
        "a release of churn/3",
        "churn/3 is here and not live; its release waits for a person: lockgate release churn.",
    )
    start(world.desk, world.ann, "churn/3")
    acts.cancel(world.desk, world.ann, "churn", "the wrong file")
    assert seen() == (
        "a version after churn/3",
        "churn/3 was taken back: the wrong file. A newer version, or a new release of it, is awaited.",
    )
    world.close()


def test_the_day_is_counted_from_the_log_and_forgets(sqlite) -> None:
    """Requests and failures of the last 24 hours, by what the controller read; older ones do not count."""
    baseline = Baseline()
    for hour in range(60):
        status = 500 if hour % 10 == 0 else 200
        at_us = NOW_US - (60 - hour) * HOUR_US
        baseline.add(
            Record(
                id=f"{hour}",
                at_us=at_us,
                latency_us=900,
                model="churn",
                version=3,
                digest="sha256:3",
                status=status,
            )
        )
    with sqlite.write() as tx:
        save(tx, "model:churn", baseline, at_us=NOW_US)
    with sqlite.read() as tx:
        found = summary_of(tx, standing(), NOW_US)
        later = summary_of(tx, standing(), NOW_US + 2 * DAY_US)
    assert (found.requests, round(found.error_share * found.requests)) == (23, 2)
    assert found.known_by.startswith("In the last 24 hours 23 requests: 8.7 % failed.")
    assert "no labels came" in found.known_by
    assert (later.requests, later.health) == (0, Health.UNKNOWN)


def test_what_was_compared_is_counted_in_rows(sqlite) -> None:
    """Nothing is called alike before a chunk was judged; then it is the newest chunk's rows that look alike."""
    with sqlite.read() as tx:
        assert known_by(tx, "churn", 3, [], "A day.") == f"A day. {UNCOMPARED} {UNLABELLED}"
        assert known_by(tx, "churn", 3, [], NOBODY) == NOBODY
    verdict = Verdict(start_us=NOW_US - DAY_US, until_us=NOW_US, rows=1_234, look=1, columns={}, answers={})
    with sqlite.write() as tx:
        put_verdict(tx, "churn", 3, verdict, NOW_US)
    with sqlite.read() as tx:
        said = summary_of(tx, standing(), NOW_US).known_by
    assert "answers of the newest 1,234 rows look as in its validation" in said
    with sqlite.write() as tx:
        own = Reference(name="-", said="its first 1,000 rows", rows=1_000, columns={}, answers={})
        keep_reference(tx, "churn", 3, own, NOW_US)
    with sqlite.read() as tx:
        assert "look as in its first 1,000 rows" in summary_of(tx, standing(), NOW_US).known_by
