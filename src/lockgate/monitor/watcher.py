"""Watchers and the loop that lets them look, one after the other, each with its own place and its own failures.

A watcher that raises is said (in the log and in the database), is tried again after a pause that grows, and takes no
other down. What it has done it commits itself, its place in the same transaction, so that it may die anywhere.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import sqlalchemy as sa

from lockgate.clock import MINUTE_US, SECOND_US, Clock
from lockgate.db import Database
from lockgate.errors import LockgateError
from lockgate.monitor.tables import monitor_places, monitor_watchers

POLL_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 300.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looked:
    """What a look came to. `more`: there is more to read now; `words`: what the watcher cannot see, empty when all is well."""

    more: bool = False
    words: str = ""


class Watcher(Protocol):
    """Somebody who looks at one model. `name` is unique and lasts: `drift:churn`."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def model(self) -> str:
        """Whom it watches."""
        ...

    def look(self, now_us: int) -> Looked:
        """Read what is new, up to some seconds' work, and commit what comes of it together with the place reached."""
        ...


class WatcherStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a watcher fares. `failures`: in a row; `error`: of the last."""

    name: str
    model: str
    looked_us: int
    ok_us: int | None
    failures: int
    retry_us: int
    error: str | None
    words: str


class Watch:
    """Lets every watcher look when its turn has come. `watchers` says who there is now, by name; those kept look again."""

    def __init__(
        self, db: Database, clock: Clock, watchers: Callable[[Mapping[str, Watcher]], Mapping[str, Watcher]]
    ) -> None:
        self._db, self._clock, self._wanted = db, clock, watchers
        self._watchers: dict[str, Watcher] = {}
        with db.read() as tx:
            self._standing = {each.name: each for each in standings(tx)}

    def round(self) -> bool:
        """One look of each who is due; whether somebody has more to read. Raises Unavailable when the database is away."""
        self._watchers = dict(self._wanted(self._watchers))
        more = False
        for name, watcher in self._watchers.items():
            before = self._standing.get(name)
            if before is None or before.retry_us <= self._clock.now_us():
                after, unfinished = self._look(watcher, before)
                more |= unfinished
                self._note(before, after)
        gone = self._standing.keys() - self._watchers.keys()
        if gone:
            with self._db.write() as tx:
                tx.execute(sa.delete(monitor_watchers).where(monitor_watchers.c.name.in_(gone)))
            for name in gone:
                del self._standing[name]
        return more

    def run(self, stop: threading.Event, *, poll_s: float = POLL_S) -> None:
        """Look until told to stop."""
        while not stop.is_set():
            more = False
            try:
                more = self.round()
            except LockgateError as error:
                _log.error("the monitor waits %g s: %s", poll_s, error.sentence())
            stop.wait(0.0 if more else poll_s)

    def _look(self, watcher: Watcher, before: WatcherStanding | None) -> tuple[WatcherStanding, bool]:
        failures = before.failures if before else 0
        ok_us = before.ok_us if before else None
        try:
            looked = watcher.look(self._clock.now_us())
        except Exception as error:  # noqa: BLE001  whatever one watcher meets, the others look on
            words = (
                error.sentence() if isinstance(error, LockgateError) else f"{type(error).__name__}: {error}"
            )
            _log.exception("the watcher %s failed, %d in a row", watcher.name, failures + 1)
            pause_s = min(FIRST_PAUSE_S * 2 ** min(failures, 16), LONGEST_PAUSE_S)
            now_us = self._clock.now_us()
            return WatcherStanding(
                name=watcher.name, model=watcher.model, looked_us=now_us, ok_us=ok_us, failures=failures + 1,
                retry_us=now_us + round(pause_s * SECOND_US), error=words, words="",
            ), False  # fmt: skip
        now_us = self._clock.now_us()
        return WatcherStanding(
            name=watcher.name, model=watcher.model, looked_us=now_us, ok_us=now_us, failures=0, retry_us=0,
            error=None, words=looked.words,
        ), looked.more  # fmt: skip

    def _note(self, before: WatcherStanding | None, after: WatcherStanding) -> None:
        """Into the database when there is something to say, and otherwise now and then."""
        same = before is not None and (before.error, before.words) == (after.error, after.words)
        if before is None or not same or after.failures or after.looked_us - before.looked_us >= MINUTE_US:
            with self._db.write() as tx:
                _put(tx, after)
            self._standing[after.name] = after
        else:
            self._standing[after.name] = msgspec.structs.replace(after, looked_us=before.looked_us)


def standings(tx: sa.Connection, model: str | None = None) -> list[WatcherStanding]:
    """How every watcher fares, of one model or of all."""
    query = sa.select(monitor_watchers).order_by(monitor_watchers.c.name)
    if model is not None:
        query = query.where(monitor_watchers.c.model == model)
    return [WatcherStanding(**row) for row in tx.execute(query).mappings()]


def place_of(tx: sa.Connection, watcher: str) -> bytes | None:
    """Where a watcher is, as it wrote it; None for a new one."""
    c = monitor_places.c
    body: str | None = tx.execute(sa.select(c.body).where(c.watcher == watcher)).scalar_one_or_none()
    return None if body is None else body.encode()


def put_place(tx: sa.Connection, watcher: str, body: bytes, now_us: int) -> None:
    """Note where a watcher is, in the transaction that holds what it made of the records up to there."""
    c = monitor_places.c
    values = {"body": body.decode(), "at_us": now_us}
    if tx.execute(sa.update(monitor_places).where(c.watcher == watcher).values(values)).rowcount == 0:
        tx.execute(sa.insert(monitor_places).values(watcher=watcher, **values))


def _put(tx: sa.Connection, standing: WatcherStanding) -> None:
    values = msgspec.structs.asdict(standing)
    c = monitor_watchers.c
    if tx.execute(sa.update(monitor_watchers).where(c.name == standing.name).values(values)).rowcount == 0:
        tx.execute(sa.insert(monitor_watchers).values(values))
