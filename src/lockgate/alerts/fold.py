"""From what one look saw to what becomes of the alerts. Pure: the same look twice changes nothing the second time.

Damping. A cause must last `for_s` before it is an alert. It must be over for `quiet_s` before the alert is, and each time that
it came back meanwhile doubles that, up to an hour: what flaps is one open alert, not many. What comes back within an hour after
its alert was resolved opens that alert again.
"""

from __future__ import annotations

from collections.abc import Iterable, Set

import msgspec

from lockgate.alerts.alert import BY_ITSELF, Alert, Cause, Event, Happened, State, rank
from lockgate.alerts.rules import Rule, Rulebook
from lockgate.clock import HOUR_US, MINUTE_US, SECOND_US
from lockgate.config_alerts import AlertKind

LONGEST_QUIET_US = HOUR_US
MEMORY_US = HOUR_US  # what comes back within it is the same alert
WORDS_US = MINUTE_US  # figures in the words of an open alert are renewed this often


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of one alert. `after` None: it never was one, and is forgotten. `event`: a line of its history, if any."""

    before: Alert | None
    after: Alert | None
    event: Event | None = None


def fold(
    current: Iterable[Alert],
    causes: Iterable[Cause],
    rules: Rulebook,
    now_us: int,
    blind: Set[AlertKind] = frozenset(),
) -> list[Change]:
    """The changes that one look brings. `blind`: kinds that could not be looked at; their alerts stay as they are."""
    seen: dict[str, Cause] = {}
    over: dict[str, str] = {}
    for cause in causes:
        if cause.over:
            over[cause.fingerprint] = cause.over
        elif not rules.of(cause.kind, cause.model).mute and cause.kind not in blind:
            seen[cause.fingerprint] = cause
    changes = []
    for alert in current:
        found = seen.pop(alert.fingerprint, None)
        rule = rules.of(alert.kind, alert.model)
        if found is not None:
            changes.append(_still(alert, found, rule, now_us))
        elif alert.kind not in blind:
            changes.append(_gone(alert, rule, now_us, over.get(alert.fingerprint)))
    changes += [_new(cause, rules.of(cause.kind, cause.model), now_us) for cause in seen.values()]
    return [change for change in changes if change is not None]


def quiet_us(rule: Rule, flaps: int) -> int:
    """How long a cause must be over, after it came back so many times."""
    return min(round(rule.quiet_s * SECOND_US) << min(flaps, 20), LONGEST_QUIET_US)


def _new(cause: Cause, rule: Rule, now_us: int) -> Change:
    pending = rule.for_s > 0
    alert = Alert(
        fingerprint=cause.fingerprint, kind=cause.kind, model=cause.model, subject=cause.subject,
        severity=cause.severity or rule.severity, state=State.PENDING if pending else State.OPEN,
        words=cause.words, next=cause.next, link=cause.link, level=cause.level, first_us=now_us, changed_us=now_us,
    )  # fmt: skip
    return Change(before=None, after=alert, event=None if pending else _event(now_us, Happened.OPENED, cause))


def _still(alert: Alert, cause: Cause, rule: Rule, now_us: int) -> Change | None:
    """An alert whose cause is there."""
    severity = max(alert.severity, cause.severity or rule.severity, key=rank)
    told = msgspec.structs.replace(
        alert, words=cause.words, next=cause.next, link=cause.link, severity=severity
    )
    if alert.state is State.PENDING:
        if now_us - alert.first_us < rule.for_s * SECOND_US:
            return None
        opened = msgspec.structs.replace(told, state=State.OPEN, changed_us=now_us, level=cause.level)
        return Change(before=alert, after=opened, event=_event(now_us, Happened.OPENED, cause))
    if alert.state is State.RESOLVED:
        return _after_resolving(alert, told, cause, rule, now_us)
    worse = rank(severity) > rank(alert.severity)
    back = alert.gone_us is not None
    if not (worse or back or (cause.words != alert.words and now_us - alert.changed_us >= WORDS_US)):
        return None
    after = msgspec.structs.replace(
        told, gone_us=None, flaps=alert.flaps + back, changed_us=now_us, level=max(alert.level, cause.level),
        state=State.OPEN if worse else alert.state, handled_by=None if worse else alert.handled_by,
    )  # fmt: skip
    return Change(
        before=alert, after=after, event=_event(now_us, Happened.WORSENED, cause) if worse else None
    )


def _after_resolving(alert: Alert, told: Alert, cause: Cause, rule: Rule, now_us: int) -> Change | None:
    """A cause that is there though its alert was resolved: it came back, or a person said so while it was there."""
    by_person = alert.handled_by is not None and alert.gone_us is None
    if by_person and cause.level <= alert.level and told.severity == alert.severity:
        return None
    if (
        alert.gone_us is not None
        and now_us - alert.gone_us < quiet_us(rule, alert.flaps)
        and cause.level <= alert.level
    ):
        return Change(before=alert, after=msgspec.structs.replace(alert, gone_us=None))  # it only blinked
    after = msgspec.structs.replace(
        told, state=State.OPEN, gone_us=None, flaps=alert.flaps + (not by_person), changed_us=now_us,
        level=cause.level, handled_by=None, resolved_us=None,
    )  # fmt: skip
    return Change(before=alert, after=after, event=_event(now_us, Happened.REOPENED, cause))


def _gone(alert: Alert, rule: Rule, now_us: int, why: str | None) -> Change | None:
    """An alert whose cause is not there now; `why`, where that is known."""
    if alert.state is State.PENDING:
        return Change(before=alert, after=None)
    since_us = now_us if alert.gone_us is None else alert.gone_us
    if alert.state is State.RESOLVED:
        if now_us - since_us >= MEMORY_US:
            return Change(before=alert, after=msgspec.structs.replace(alert, current=False))
    elif now_us - since_us >= quiet_us(rule, alert.flaps):
        after = msgspec.structs.replace(
            alert,
            state=State.RESOLVED,
            gone_us=since_us,
            resolved_us=now_us,
            changed_us=now_us,
            handled_by=None,
        )
        if why is not None:
            after = msgspec.structs.replace(after, words=why, next="")
        words = why or "its cause is over"
        event = Event(at_us=now_us, what=Happened.RESOLVED, actor=BY_ITSELF, words=words)
        return Change(before=alert, after=after, event=event)
    if alert.gone_us is None:
        return Change(before=alert, after=msgspec.structs.replace(alert, gone_us=now_us))
    return None


def _event(now_us: int, what: Happened, cause: Cause) -> Event:
    return Event(at_us=now_us, what=what, actor=BY_ITSELF, words=cause.words)
