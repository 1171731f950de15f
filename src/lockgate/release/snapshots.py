"""Snapshots of evidence: what was counted, and how far the log was read, in one transaction."""

from __future__ import annotations

from typing import TypeVar

import msgspec
import sqlalchemy as sa

from lockgate.release.baseline import Baseline, Day, Traffic
from lockgate.release.counts import Counts
from lockgate.release.tables import release_snapshots
from lockgate.release.verdict import Verdict

T = TypeVar("T")


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What the controller last saw and decided about a release, for people."""

    at_us: int
    reason: str  # why it stays, or what it did last
    verdicts: tuple[Verdict, ...] = ()
    requests: int = 0
    pairs: int = 0
    fallbacks: int = 0
    blocked: str | None = None


def save(tx: sa.Connection, scope: str, value: object, *, at_us: int) -> None:
    """Put a value in place of the scope's old one."""
    body = msgspec.msgpack.encode(value)
    c = release_snapshots.c
    changed = tx.execute(sa.update(release_snapshots).where(c.scope == scope).values(body=body, at_us=at_us))
    if changed.rowcount == 0:
        tx.execute(sa.insert(release_snapshots).values(scope=scope, body=body, at_us=at_us))


def find(tx: sa.Connection, scope: str, kind: type[T]) -> T | None:
    """A scope's value, if there is one."""
    body = tx.execute(
        sa.select(release_snapshots.c.body).where(release_snapshots.c.scope == scope)
    ).scalar_one_or_none()
    return msgspec.msgpack.decode(body, type=kind) if body is not None else None


def find_all(tx: sa.Connection, prefix: str, kind: type[T]) -> dict[str, T]:
    """The values of all scopes that begin so, by what follows."""
    c = release_snapshots.c
    rows = tx.execute(sa.select(c.scope, c.body).where(c.scope.startswith(prefix, autoescape=True)))
    return {row.scope.removeprefix(prefix): msgspec.msgpack.decode(row.body, type=kind) for row in rows}


def traffic_of(tx: sa.Connection, model: str) -> Traffic:
    """A model's measured traffic; empty when none was seen."""
    found = find(tx, f"model:{model}", Baseline)
    return found.traffic() if found else Traffic()


def day_of(tx: sa.Connection, model: str, now_us: int) -> Day:
    """What a model's callers saw in the last 24 hours, as the controller has read the log, at most seconds ago."""
    found = find(tx, f"model:{model}", Baseline)
    return found.day(now_us) if found else Day()


def counts_of(tx: sa.Connection, release: int) -> Counts:
    """A release's evidence as last snapshot, at most seconds old."""
    return find(tx, f"release:{release}", Counts) or Counts(release=release)


def status_of(tx: sa.Connection, release: int) -> Status | None:
    """What the controller last said about a release."""
    return find(tx, f"status:{release}", Status)
