"""What monitors say: one notice for each thing that holds, opened once, kept while it holds, ended when it is over.

A watcher hands over everything that holds now (`settle`); what is new is opened, what it no longer names is ended. So a
cause that lasts for weeks is one notice, however often it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.monitor.tables import monitor_notices


class Severity(StrEnum):
    """How much a notice matters, the worst first."""

    ALARM = "alarm"  # somebody should act: answers, or what comes in, are not what was validated
    WARN = "warn"  # somebody should look
    NOTE = "note"  # worth knowing; no call to anyone


class Notice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that holds for a model. `source`: whose (`drift`, `performance`, ...); `subject`: about what.

    There is one open notice for a source, model, version and subject. `since_us`: from which record's time on it holds;
    `figures`: what was measured, by name; `columns`: the columns it is about, the most important first; `runbook`: a page
    of the documentation, with its place on it; `over`: of one that ended, why, where there is something to tell.
    """

    source: str
    model: str
    version: int
    subject: str
    severity: Severity
    words: str
    since_us: int
    advice: str = ""
    columns: tuple[str, ...] = ()
    figures: dict[str, float] = {}
    runbook: str | None = None
    over: str = ""


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """A notice with its history. Times are those of the machine, not of the records."""

    id: int
    opened_us: int
    seen_us: int
    ended_us: int | None
    notice: Notice


def unsaid(_notice: Notice) -> str:
    """Why a notice ended where there is nothing to tell of it."""
    return ""


def settle(
    tx: sa.Connection,
    source: str,
    model: str,
    version: int,
    found: Iterable[Notice],
    *,
    at_us: int,
    why: Callable[[Notice], str] = unsaid,
) -> None:
    """What holds now for one source and version of a model: opens, refreshes and ends notices, in the caller's transaction.

    A severity that rises or falls and words that change are those of the same notice. `why`: what to tell of one that ends.
    """
    c = monitor_notices.c
    mine = (c.source == source) & (c.model == model) & (c.version == version) & c.ended_us.is_(None)
    known = {row.subject: row for row in tx.execute(sa.select(c.id, c.subject, c.body).where(mine))}
    for notice in found:
        values = {"seen_us": at_us, "body": msgspec.json.encode(notice).decode()}
        row = known.pop(notice.subject, None)
        if row is not None:
            tx.execute(sa.update(monitor_notices).where(c.id == row.id).values(values))
        else:
            fixed = {"source": source, "model": model, "version": version, "subject": notice.subject}
            tx.execute(sa.insert(monitor_notices).values(fixed | values | {"opened_us": at_us}))
    for row in known.values():
        last = msgspec.json.decode(row.body, type=Notice)
        body = msgspec.json.encode(msgspec.structs.replace(last, over=why(last))).decode()
        tx.execute(sa.update(monitor_notices).where(c.id == row.id).values(ended_us=at_us, body=body))


def end_all(
    tx: sa.Connection, source: str, model: str, *, at_us: int, but_versions: Iterable[int] = ()
) -> None:
    """End a source's notices on a model, but for those of versions that are still watched."""
    c = monitor_notices.c
    mine = (c.source == source) & (c.model == model) & c.ended_us.is_(None)
    gone = c.version.not_in(list(but_versions))
    tx.execute(sa.update(monitor_notices).where(mine, gone).values(ended_us=at_us))


def open_notices(tx: sa.Connection, model: str | None = None) -> list[Said]:
    """What holds now, of one model or of all, the worst first, then the oldest."""
    c = monitor_notices.c
    query = sa.select(monitor_notices).where(c.ended_us.is_(None))
    found = _said(tx, query if model is None else query.where(c.model == model))
    order = {severity: place for place, severity in enumerate(Severity)}
    return sorted(found, key=lambda said: (order[said.notice.severity], said.opened_us, said.id))


def notices_of(tx: sa.Connection, model: str, *, limit: int = 100) -> list[Said]:
    """Every notice of a model, open and ended, the newest first."""
    c = monitor_notices.c
    query = sa.select(monitor_notices).where(c.model == model).order_by(c.opened_us.desc(), c.id.desc())
    return _said(tx, query.limit(limit))


def changed_since(tx: sa.Connection, after_us: int) -> list[Said]:
    """Notices that were opened, seen or ended at or after a time: what whoever raises alerts has to look at."""
    c = monitor_notices.c
    query = sa.select(monitor_notices).where((c.seen_us >= after_us) | (c.ended_us >= after_us))
    return _said(tx, query.order_by(c.id))


def _said(tx: sa.Connection, query: sa.Select[tuple[object, ...]]) -> list[Said]:
    return [
        Said(
            id=row.id,
            opened_us=row.opened_us,
            seen_us=row.seen_us,
            ended_us=row.ended_us,
            notice=msgspec.json.decode(row.body, type=Notice),
        )
        for row in tx.execute(query)
    ]
