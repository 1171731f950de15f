"""What has to be sent, kept until it is delivered. A message and what its address knows thereby are written together.

A message keeps one key for all its attempts, by which a receiver tells a repeat. What waits is never given up for being old; what
a receiver refuses for good is set aside, with its answer, shown, and forgotten after three months.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

import msgspec
import sqlalchemy as sa

from lockgate.alerts.tables import alert_outbox, alert_told
from lockgate.alerts.telling import Message, News, Told
from lockgate.clock import DAY_US, SECOND_US

KEPT_US = 30 * DAY_US  # what was sent is forgotten after this
REFUSED_KEPT_US = 90 * DAY_US  # what was refused for good: its alert told of it again and again by then
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 900.0


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """One message on its way."""

    id: int
    key: str
    message: Message
    made_us: int
    due_us: int
    attempts: int
    trouble: str | None


class SinkStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How an address fares. `trouble`: why the oldest waiting message could not be sent; `since_us`: how old that is."""

    name: str
    waiting: int = 0
    refused: int = 0
    trouble: str | None = None
    since_us: int | None = None
    sent_us: int | None = None


def told_so_far(tx: sa.Connection, numbers: Iterable[int]) -> dict[tuple[str, int], Told]:
    """What each address knows of some alerts."""
    query = sa.select(alert_told).where(alert_told.c.alert.in_(list(numbers)))
    return {
        (row.sink, row.alert): Told(open=row.open, severity=row.severity, at_us=row.at_us)
        for row in tx.execute(query)
    }


def post(tx: sa.Connection, messages: Iterable[Message]) -> None:
    """Put messages into the outbox, and note what their addresses will know by them."""
    for message in messages:
        insert(tx, message, secrets.token_hex(16))
        for notice in message.notices:
            note_told(
                tx,
                message,
                notice.alert.id,
                open_=notice.news is not News.OVER,
                severity=notice.alert.severity,
            )


def insert(tx: sa.Connection, message: Message, key: str) -> None:
    """One message under a key of its own; nothing when it is there already."""
    if tx.execute(sa.select(alert_outbox.c.id).where(alert_outbox.c.key == key)).first() is None:
        tx.execute(
            sa.insert(alert_outbox).values(
                sink=message.sink, key=key, body=msgspec.json.encode(message).decode(), made_us=message.at_us,
                due_us=message.at_us, attempts=0,
            )
        )  # fmt: skip


def note_told(tx: sa.Connection, message: Message, alert: int, *, open_: bool, severity: str) -> None:
    """Note what an address knows of one alert."""
    c = alert_told.c
    values = {"open": open_, "severity": str(severity), "at_us": message.at_us}
    same = sa.and_(c.sink == message.sink, c.alert == alert)
    if not tx.execute(sa.update(alert_told).where(same).values(**values)).rowcount:
        tx.execute(sa.insert(alert_told).values(sink=message.sink, alert=alert, **values))


def oldest(tx: sa.Connection, sink: str) -> Parcel | None:
    """The next message of an address: they go in the order in which they were made."""
    c = alert_outbox.c
    waiting = sa.and_(c.sink == sink, c.sent_us.is_(None), c.refused_us.is_(None))
    row = tx.execute(sa.select(alert_outbox).where(waiting).order_by(c.id).limit(1)).one_or_none()
    if row is None:
        return None
    message = msgspec.json.decode(row.body, type=Message)
    return Parcel(id=row.id, key=row.key, message=message, made_us=row.made_us, due_us=row.due_us,
                  attempts=row.attempts, trouble=row.trouble)  # fmt: skip


def delivered(tx: sa.Connection, number: int, at_us: int) -> None:
    """A message was taken."""
    _update(tx, number, sent_us=at_us, trouble=None)


def put_off(tx: sa.Connection, parcel: Parcel, trouble: str, at_us: int) -> None:
    """A message was not taken now: the next attempt comes later each time."""
    due_us = at_us + round(pause_s(parcel.attempts) * SECOND_US)
    _update(tx, parcel.id, attempts=parcel.attempts + 1, due_us=due_us, trouble=trouble)


def set_aside(tx: sa.Connection, parcel: Parcel, trouble: str, at_us: int) -> None:
    """A message will never be taken; those behind it need not wait."""
    _update(tx, parcel.id, attempts=parcel.attempts + 1, refused_us=at_us, trouble=trouble)


def pause_s(attempts: int) -> float:
    """Before the next attempt, after so many.

    >>> [pause_s(n) for n in (0, 1, 2, 50)]
    [5.0, 10.0, 20.0, 900.0]
    """
    return float(min(FIRST_PAUSE_S * 2.0 ** min(attempts, 30), LONGEST_PAUSE_S))


def standings(tx: sa.Connection, names: Iterable[str]) -> list[SinkStanding]:
    """How each address fares."""
    c = alert_outbox.c
    found = []
    for name in names:
        mine = c.sink == name
        waiting = sa.and_(mine, c.sent_us.is_(None), c.refused_us.is_(None))
        first = tx.execute(
            sa.select(c.made_us, c.trouble).where(waiting).order_by(c.id).limit(1)
        ).one_or_none()
        failing = first is not None and first.trouble is not None
        found.append(
            SinkStanding(
                name=name,
                waiting=_count(tx, waiting),
                refused=_count(tx, sa.and_(mine, c.refused_us.is_not(None))),
                trouble=first.trouble if failing and first else None,
                since_us=first.made_us if failing and first else None,
                sent_us=tx.execute(sa.select(sa.func.max(c.sent_us)).where(mine)).scalar_one(),
            )
        )
    return found


def tidy(tx: sa.Connection, now_us: int) -> None:
    """Forget what was sent, or refused for good, long ago; the alerts themselves stay."""
    c = alert_outbox.c
    over = sa.or_(c.sent_us < now_us - KEPT_US, c.refused_us < now_us - REFUSED_KEPT_US)
    tx.execute(sa.delete(alert_outbox).where(over))


def _count(tx: sa.Connection, where: sa.ColumnElement[bool]) -> int:
    return int(tx.execute(sa.select(sa.func.count()).select_from(alert_outbox).where(where)).scalar_one())


def _update(tx: sa.Connection, number: int, **values: object) -> None:
    tx.execute(sa.update(alert_outbox).where(alert_outbox.c.id == number).values(**values))
