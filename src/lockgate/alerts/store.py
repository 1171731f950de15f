"""Alerts in the database. What a look changes, and what people say, is one transaction with its history and audit row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import sqlalchemy as sa

from lockgate.alerts.alert import BOX, Alert, Event, Happened, State
from lockgate.alerts.fold import Change
from lockgate.alerts.tables import alert_events, alert_told, alerts
from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit

_OPEN = (State.OPEN, State.ACKNOWLEDGED)


def current_alerts(tx: sa.Connection) -> list[Alert]:
    """Every alert that stands for its fingerprint, pending and lately resolved ones too; nobody changes them meanwhile."""
    query = sa.select(alerts).where(alerts.c.current.is_not(None)).order_by(alerts.c.id).with_for_update()
    return [_read(row) for row in tx.execute(query)]


def alerts_to_tell(tx: sa.Connection, sinks: Sequence[str]) -> list[Alert]:
    """Every alert that some address may have to hear of: the current ones, and those whose end it was not told."""
    unfinished = sa.select(alert_told.c.alert).where(alert_told.c.open, alert_told.c.sink.in_(sinks))
    query = sa.select(alerts).where(sa.or_(alerts.c.current.is_not(None), alerts.c.id.in_(unfinished)))
    return [_read(row) for row in tx.execute(query.order_by(alerts.c.id))]


def list_alerts(
    tx: sa.Connection, *, only_open: bool = False, models: Sequence[str] | None = None, limit: int = 200
) -> list[Alert]:
    """Alerts of everything or of some models as people see them, the newest change first; none that is only pending."""
    states = [str(state) for state in (_OPEN if only_open else (*_OPEN, State.RESOLVED))]
    query = sa.select(alerts).where(alerts.c.state.in_(states))
    if models is not None:
        query = query.where(alerts.c.model.in_(models))
    query = query.order_by(alerts.c.changed_us.desc(), alerts.c.id.desc()).limit(limit)
    return [_read(row) for row in tx.execute(query)]


def get_alert(tx: sa.Connection, number: int) -> Alert:
    """One alert by its number. Raises NotFound."""
    row = tx.execute(sa.select(alerts).where(alerts.c.id == number)).one_or_none()
    if row is None or row.state == State.PENDING:
        raise NotFound(f"there is no alert {number}", fix="lockgate alerts")
    return _read(row)


def events_of(tx: sa.Connection, number: int) -> list[Event]:
    """An alert's history, the oldest first."""
    c = alert_events.c
    query = sa.select(c.at_us, c.what, c.actor, c.words).where(c.alert == number).order_by(c.id)
    return [
        Event(at_us=row.at_us, what=Happened(row.what), actor=row.actor, words=row.words)
        for row in tx.execute(query)
    ]


def apply(tx: sa.Connection, changes: Iterable[Change]) -> list[Alert]:
    """Write what a look changed; returns the alerts as they are now."""
    found, audited = [], []
    for change in changes:
        if change.after is None:
            assert change.before is not None  # noqa: S101 - only what was there is forgotten
            tx.execute(sa.delete(alerts).where(alerts.c.id == change.before.id))
            continue
        after = _write(tx, change.after)
        found.append(after)
        if change.event is not None:
            _record(tx, after.id, change.event)
            audited.append((after, change.event))
    for alert, event in audited:  # the audit rows last: whoever writes one waits for the writer before
        _audit(tx, alert, event)
    return found


def acknowledge(tx: sa.Connection, number: int, reason: str, *, by: str, at_us: int) -> Alert:
    """Somebody looks after it: nobody is reminded until it becomes worse. Raises NotFound, Conflict."""
    alert = _open_one(tx, number)
    if alert.state is State.ACKNOWLEDGED:
        raise Conflict(f"alert {number} was acknowledged already", got=f"by {alert.handled_by}")
    after = msgspec.structs.replace(alert, state=State.ACKNOWLEDGED, handled_by=by, changed_us=at_us)
    return _say(tx, after, Event(at_us=at_us, what=Happened.ACKNOWLEDGED, actor=by, words=reason))


def resolve(tx: sa.Connection, number: int, reason: str, *, by: str, at_us: int) -> Alert:
    """A person says that it is over. While its cause stays as it is, it does not open again. Raises NotFound, Conflict."""
    alert = _open_one(tx, number)
    after = msgspec.structs.replace(
        alert, state=State.RESOLVED, handled_by=by, changed_us=at_us, resolved_us=at_us
    )
    return _say(tx, after, Event(at_us=at_us, what=Happened.RESOLVED, actor=by, words=reason))


def count_open(tx: sa.Connection, models: Sequence[str] | None = None) -> int:
    """How many alerts are open, of everything or of some models."""
    query = sa.select(sa.func.count()).where(alerts.c.state.in_([str(state) for state in _OPEN]))
    if models is not None:
        query = query.where(alerts.c.model.in_(models))
    return int(tx.execute(query).scalar_one())


def record_past(tx: sa.Connection, alert: Alert, events: Iterable[Event]) -> Alert:
    """Enter an alert that could not be written while it was open, with its history; the one that is there if it is already."""
    same = sa.and_(alerts.c.fingerprint == alert.fingerprint, alerts.c.first_us == alert.first_us)
    row = tx.execute(sa.select(alerts).where(same)).one_or_none()
    if row is not None:
        return _read(row)
    written = _write(tx, alert)
    for event in events:
        _record(tx, written.id, event)
        _audit(tx, written, event)
    return written


def _open_one(tx: sa.Connection, number: int) -> Alert:
    tx.execute(sa.select(alerts.c.id).where(alerts.c.id == number).with_for_update())
    alert = get_alert(tx, number)
    if not alert.is_open:
        raise Conflict(f"alert {number} is resolved", got=f"by {alert.handled_by or 'itself'}")
    return alert


def _say(tx: sa.Connection, after: Alert, event: Event) -> Alert:
    _write(tx, after)
    _record(tx, after.id, event)
    _audit(tx, after, event)
    return after


def _write(tx: sa.Connection, alert: Alert) -> Alert:
    row = msgspec.to_builtins(alert)
    row["current"] = alert.fingerprint if alert.current else None
    number = row.pop("id")
    if number:
        tx.execute(sa.update(alerts).where(alerts.c.id == number).values(**row))
        return alert
    number = tx.execute(sa.insert(alerts).values(**row).returning(alerts.c.id)).scalar_one()
    return msgspec.structs.replace(alert, id=number)


def _record(tx: sa.Connection, number: int, event: Event) -> None:
    tx.execute(sa.insert(alert_events).values(alert=number, **msgspec.to_builtins(event)))


def _audit(tx: sa.Connection, alert: Alert, event: Event) -> None:
    audit.append(
        tx,
        at_us=event.at_us,
        actor=event.actor,
        action=f"alerts:{alert.kind}:{event.what}",
        subject="box" if alert.model == BOX else alert.model,
        details={"alert": alert.id, "about": alert.subject, "severity": alert.severity, "words": event.words},
    )


def _read(row: sa.Row[tuple[object, ...]]) -> Alert:
    values = {name: getattr(row, name) for name in Alert.__struct_fields__}
    return msgspec.convert({**values, "current": values["current"] is not None}, Alert)
