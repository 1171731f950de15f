"""While the database is away nothing can be written into it, so this one alert is kept in a file of the home and sent from there.

When the database is back, the alert is entered as it was, with its end, and those who were told of it are told that it is over.
The file goes after that transaction; entering it twice is one alert, and the end's message has a key made of the first one's.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lockgate.alerts import outbox, store
from lockgate.alerts.alert import BOX, BY_ITSELF, Alert, Event, Happened, State
from lockgate.alerts.rules import Rulebook
from lockgate.alerts.sender import deliver
from lockgate.alerts.telling import Message, News, Notice, wants
from lockgate.alerts.trouble import NotTaken
from lockgate.clock import SECOND_US
from lockgate.config_alerts import AlertKind, AlertsConfig

FILE = "alerts-database-away.json"
NEXT = "start the database again and see that its address in config.yaml is right; the gateway serves on meanwhile"
_log = logging.getLogger(__name__)


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """How far one address is with it. The key is kept before the first attempt."""

    key: str
    attempts: int = 0
    due_us: int = 0
    told_us: int | None = None


class Absence(msgspec.Struct, frozen=True, kw_only=True):
    """Since when the database is away, why, and who was told."""

    since_us: int
    words: str
    sinks: dict[str, Attempt] = {}


def read_absence(run: Path) -> Absence | None:
    """What is noted; None when the database is not known to be away."""
    try:
        return msgspec.json.decode((run / FILE).read_bytes(), type=Absence)
    except FileNotFoundError:
        return None


def step(run: Path, config: AlertsConfig, words: str, now_us: int) -> Absence:
    """The database is away now: note it, and after the rule's time tell every address that wants to hear of it, each once."""
    absence = read_absence(run) or _noted(run, Absence(since_us=now_us, words=words))
    rule = Rulebook(config).of(AlertKind.DATABASE_AWAY, BOX)
    if rule.mute or now_us - absence.since_us < rule.for_s * SECOND_US:
        return absence
    alert = _alert(absence, config)
    for name, sink in config.sinks.items():
        tried = absence.sinks.get(name) or Attempt(key=secrets.token_hex(16))
        if not wants(sink, alert) or tried.told_us is not None or tried.due_us > now_us:
            continue
        absence = _noted(run, _with(absence, name, tried))
        message = Message(sink=name, group=BOX, notices=(Notice(news=News.BEGAN, alert=alert),), at_us=now_us)
        try:
            deliver(sink, message, tried.key, config, now_us)
            tried = msgspec.structs.replace(tried, told_us=now_us)
        except NotTaken as trouble:
            due_us = now_us + round(outbox.pause_s(tried.attempts) * SECOND_US)
            tried = msgspec.structs.replace(tried, attempts=tried.attempts + 1, due_us=due_us)
            _log.warning("the alert that the database is away, to %s, waits: %s", name, trouble)
        absence = _noted(run, _with(absence, name, tried))
    return absence


def settle(tx: sa.Connection, run: Path, config: AlertsConfig, now_us: int) -> bool:
    """The database is back: enter what was, and its end. True: call `forget` after the transaction."""
    absence = read_absence(run)
    if absence is None:
        return False
    rule = Rulebook(config).of(AlertKind.DATABASE_AWAY, BOX)
    if rule.mute or now_us - absence.since_us < rule.for_s * SECOND_US:
        return True  # too short to be told
    open_ = _alert(absence, config)
    resolved = msgspec.structs.replace(
        open_, state=State.RESOLVED, current=False, changed_us=now_us, gone_us=now_us, resolved_us=now_us
    )
    began = Event(at_us=absence.since_us, what=Happened.OPENED, actor=BY_ITSELF, words=absence.words)
    over = Event(at_us=now_us, what=Happened.RESOLVED, actor=BY_ITSELF, words="the database is back")
    written = store.record_past(tx, resolved, (began, over))
    for name, tried in absence.sinks.items():
        if tried.told_us is not None and name in config.sinks:
            notice = Notice(news=News.OVER, alert=written)
            message = Message(sink=name, group=BOX, notices=(notice,), at_us=now_us)
            outbox.insert(tx, message, f"{tried.key}-over")
            outbox.note_told(tx, message, written.id, open_=False, severity=written.severity)
    return True


def forget(run: Path) -> None:
    """The absence is on record now."""
    (run / FILE).unlink(missing_ok=True)


def _alert(absence: Absence, config: AlertsConfig) -> Alert:
    rule = Rulebook(config).of(AlertKind.DATABASE_AWAY, BOX)
    return Alert(
        fingerprint=f"{AlertKind.DATABASE_AWAY}:{BOX}:database", kind=AlertKind.DATABASE_AWAY, model=BOX,
        subject="the metadata database", severity=rule.severity, state=State.OPEN, words=absence.words, next=NEXT,
        link="/", first_us=absence.since_us, changed_us=absence.since_us,
    )  # fmt: skip


def _with(absence: Absence, name: str, attempt: Attempt) -> Absence:
    return msgspec.structs.replace(absence, sinks={**absence.sinks, name: attempt})


def _noted(run: Path, absence: Absence) -> Absence:
    temporary = run / f".{FILE}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(msgspec.json.encode(absence))
        file.flush()
        os.fsync(file.fileno())  # an empty file after a loss of power would stop every later look
    temporary.rename(run / FILE)
    return absence
