"""What becomes of alerts, look by look, with a clock that moves only when told."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lockgate.alerts.alert import Alert, Cause, Happened, State
from lockgate.alerts.fold import MEMORY_US, fold, quiet_us
from lockgate.alerts.rules import RULES, Rulebook
from lockgate.clock import HOUR_US, MINUTE_US, SECOND_US
from lockgate.config_alerts import AlertKind, AlertsConfig, RuleConfig, Severity

DISK = AlertKind.DISK_FULL


class Watched:
    """Alerts that are folded look by look; `history`: what happened, in order."""

    def __init__(self, **rules: RuleConfig) -> None:
        self.rules = Rulebook(AlertsConfig(rules={AlertKind(kind): rule for kind, rule in rules.items()}))
        self.now_us, self.alerts, self.history = 1_700_000_000 * SECOND_US, {}, []
        self._number = 0

    def look(self, *causes: Cause, after_s: float = 5.0, blind: tuple[AlertKind, ...] = ()) -> None:
        """One look, some seconds after the one before."""
        self.now_us += round(after_s * SECOND_US)
        current = [alert for alert in self.alerts.values() if alert.current]
        for change in fold(current, causes, self.rules, self.now_us, set(blind)):
            if change.after is None:
                del self.alerts[change.before.id]
                continue
            after = change.after
            if not after.id:
                self._number += 1
                after = msgspec.structs.replace(after, id=self._number)
            self.alerts[after.id] = after
            if change.event is not None:
                self.history.append(change.event.what)

    @property
    def only(self) -> Alert:
        """The one alert that there is."""
        (found,) = self.alerts.values()
        return found

    def resolved_by(self, person: str) -> None:
        """A person says that it is over."""
        self.alerts[self.only.id] = msgspec.structs.replace(
            self.only, state=State.RESOLVED, handled_by=person, resolved_us=self.now_us
        )


def cause(kind: AlertKind = DISK, **values: Any) -> Cause:
    """A cause with some words."""
    return Cause(
        kind=kind, **{"subject": "the disk", "words": "3 GB are free", "next": "make room", **values}
    )


def test_one_cause_is_one_alert_however_often_it_is_seen() -> None:
    """Pending until it lasted, then open, then over after it was gone for long enough; its words stay fresh."""
    watched = Watched()
    watched.look(cause())
    assert watched.only.state is State.PENDING
    for free in (3.0, 2.9, 2.8, 2.7):
        watched.look(cause(words=f"{free} GB are free"), after_s=61)
    assert (watched.only.state, watched.only.words) == (State.OPEN, "2.7 GB are free")
    for _ in range(3):
        watched.look(after_s=120)
    assert watched.only.state is State.OPEN  # gone for four minutes, of the five that it must be
    watched.look(after_s=61)
    assert watched.only.state is State.RESOLVED
    assert watched.history == [Happened.OPENED, Happened.RESOLVED]


def test_what_blinks_before_its_time_was_never_an_alert() -> None:
    """Seen once and gone: forgotten, without a line of history."""
    watched = Watched()
    watched.look(cause())
    watched.look()
    assert (watched.alerts, watched.history) == ({}, [])


def test_a_flapping_cause_is_one_open_alert() -> None:
    """There and gone every half minute for two hours: one alert, opened once, never resolved meanwhile."""
    watched = Watched(model_fails=RuleConfig(for_s=0))
    for _ in range(120):
        watched.look(cause(AlertKind.MODEL_FAILS), after_s=30)
        watched.look(after_s=30)
    assert watched.history == [Happened.OPENED]
    assert watched.only.flaps == 119
    watched.look(after_s=HOUR_US / SECOND_US)
    assert watched.history == [Happened.OPENED, Happened.RESOLVED]


def test_slow_flapping_is_damped_too() -> None:
    """Gone for two minutes, longer than the quiet time, for four hours: the same alert opens again, ever more seldom."""
    watched = Watched(model_fails=RuleConfig(for_s=0))
    for _ in range(60):
        watched.look(cause(AlertKind.MODEL_FAILS), after_s=120)
        for _ in range(4):
            watched.look(after_s=30)
    assert len(watched.alerts) == 1
    assert len(watched.history) <= 8  # 60 rounds; without damping 120 lines


def test_after_an_hour_it_is_a_new_alert() -> None:
    """What comes back within an hour opens the old alert; later it is another one."""
    watched = Watched(disk_full=RuleConfig(for_s=0, quiet_s=0))
    watched.look(cause())
    watched.look()
    watched.look(cause(), after_s=600)
    assert watched.history[-1] is Happened.REOPENED
    watched.look()
    watched.look(after_s=MEMORY_US / SECOND_US)
    watched.look(cause())
    assert len(watched.alerts) == 2


def test_a_person_s_word_holds_until_it_becomes_worse() -> None:
    """Resolved by a person while the cause is there: silent at every look, open again when its level rises."""
    watched = Watched()
    gap = AlertKind.LOG_GAP
    watched.look(cause(gap, level=3))
    watched.resolved_by("anna")
    for _ in range(5):
        watched.look(cause(gap, level=3))
    assert watched.only.state is State.RESOLVED
    watched.look(cause(gap, level=4))
    assert (watched.only.state, watched.only.handled_by) == (State.OPEN, None)
    assert watched.history == [Happened.OPENED, Happened.REOPENED]


def test_a_cause_that_blinked_after_a_person_resolved_it_opens_nothing() -> None:
    """One look without it is not its end; a minute without it is."""
    watched = Watched()
    gap = AlertKind.LOG_GAP
    watched.look(cause(gap))
    watched.resolved_by("anna")
    watched.look()
    watched.look(cause(gap))
    assert watched.only.state is State.RESOLVED
    watched.look()
    watched.look(cause(gap), after_s=90)
    assert watched.only.state is State.OPEN


def test_it_gets_worse_once() -> None:
    """A higher severity is told once, wakes an acknowledged alert, and does not fall again while it is open."""
    watched = Watched(disk_full=RuleConfig(for_s=0))
    watched.look(cause())
    watched.alerts[1] = msgspec.structs.replace(watched.only, state=State.ACKNOWLEDGED, handled_by="anna")
    for severity in (Severity.CRITICAL, None, Severity.CRITICAL, None):
        watched.look(cause(severity=severity))
    assert watched.history == [Happened.OPENED, Happened.WORSENED]
    assert (watched.only.state, watched.only.severity) == (State.OPEN, Severity.CRITICAL)


def test_what_cannot_be_looked_at_stays_as_it_is() -> None:
    """A kind that nobody could look at is neither opened nor resolved."""
    watched = Watched(disk_full=RuleConfig(for_s=0, quiet_s=0))
    watched.look(cause())
    watched.look(after_s=3600, blind=(DISK,))
    assert watched.only.state is State.OPEN
    watched.look()
    assert watched.only.state is State.RESOLVED


def test_a_rule_that_is_off_ends_its_alerts() -> None:
    """Switched off for one model: its alert ends, the other model's stays."""
    config = AlertsConfig(models={"churn": {AlertKind.DRIFT: RuleConfig(mute=True)}})
    causes = [cause(AlertKind.DRIFT, model=model) for model in ("churn", "fraud")]
    first = [change.after for change in fold([], causes, Rulebook(AlertsConfig()), 1)]
    assert all(alert.state is State.OPEN for alert in first)
    (change,) = fold(first, causes, Rulebook(config), 2)
    assert (change.after.model, change.after.state) == ("churn", State.RESOLVED)


def test_the_quiet_time_doubles_up_to_an_hour() -> None:
    """Each coming back doubles it."""
    rule = RULES[AlertKind.MODEL_FAILS]
    assert [quiet_us(rule, n) // MINUTE_US for n in (0, 1, 3, 60)] == [1, 2, 8, 60]


@pytest.mark.parametrize("kind", AlertKind)
def test_every_kind_has_a_rule(kind: AlertKind) -> None:
    """With a title, without configuration; a rule with a limit names its unit."""
    rule = RULES[kind]
    assert rule.title
    assert (rule.limit > 0) == bool(rule.unit)


def test_why_a_cause_is_over_is_told_with_the_end() -> None:
    """What is known to be over opens nothing; the alert that stands for it ends with those words, and nothing is to do."""
    watched = Watched(disk_full=RuleConfig(for_s=0, quiet_s=10))
    ended = cause(over="somebody made room")
    watched.look(ended)
    assert watched.alerts == {}
    watched.look(cause())
    watched.look(ended)
    assert watched.only.state is State.OPEN
    watched.look(ended, after_s=20)
    assert (watched.only.state, watched.only.words, watched.only.next) == (
        State.RESOLVED,
        "somebody made room",
        "",
    )
    watched.look(cause(), ended)
    assert (watched.only.state, watched.only.words) == (State.OPEN, "3 GB are free")
