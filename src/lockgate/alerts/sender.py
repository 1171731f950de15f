"""Carries messages out of the outbox, address by address: one that hangs or is away holds up no other.

At least once: a message is marked as sent after its receiver took it; a crash in between sends it once more, under the same key.
While the database is away, what was taken meanwhile is remembered and marked first when it is back.
"""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path

from lockgate.alerts import mail, outbox, services, webhook
from lockgate.alerts.outbox import Parcel
from lockgate.alerts.telling import Message
from lockgate.alerts.trouble import NotTaken, Refused
from lockgate.clock import Clock
from lockgate.config_alerts import AlertsConfig, EmailSink, Sink, WebhookSink
from lockgate.db import Database
from lockgate.errors import LockgateError

IDLE_S = 1.0
REFUSALS = 8  # so often is tried what its receiver says it will never take: people set wrong addresses right
_log = logging.getLogger(__name__)


def deliver(sink: Sink, message: Message, key: str, config: AlertsConfig, now_us: int) -> None:
    """One attempt to one address. Raises NotTaken or Refused, whose words hold no secret.

    What a setting makes a library raise (a secret that is no base64, a password that is no ASCII) is trouble like any other:
    kept, shown and tried again.
    """
    try:
        if isinstance(sink, WebhookSink):
            webhook.send(sink, message, key, config, now_us)
        elif isinstance(sink, EmailSink):
            mail.send(sink, message, key, config)
        else:
            services.send(sink, message, config)
    except NotTaken:
        raise
    except Exception as error:  # noqa: BLE001 - its words may hold a secret: only kind and place are told
        raise NotTaken(
            f"an attempt failed by a setting or a defect: {type(error).__name__} at {_place(error)}"
        ) from None


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


class Sender:
    """One address's sender."""

    def __init__(self, db: Database, name: str, config: AlertsConfig, clock: Clock) -> None:
        self._db, self._name, self._config, self._clock = db, name, config, clock
        self._sink = config.sinks[name]
        self._taken: int | None = None  # was taken, and could not be marked yet

    def run(self, stop: threading.Event, acts: Callable[[], bool] = lambda: True) -> None:
        """Until `stop` is set, whenever this process is the one that acts. A database that is away costs time and no message."""
        while not stop.is_set():
            if not acts():
                stop.wait(IDLE_S)
                continue
            try:
                busy = self.round()
            except LockgateError as error:
                busy = False
                _log.warning("alerts to %s wait: %s", self._name, error.sentence())
            except Exception as error:  # noqa: BLE001 - a defect of one address stops no other; its words may hold a secret
                busy = False
                _log.error(
                    "alerts to %s wait, for a defect: %s at %s",
                    self._name,
                    type(error).__name__,
                    _place(error),
                )
                stop.wait(outbox.FIRST_PAUSE_S)
            if not busy:
                stop.wait(IDLE_S)

    def round(self) -> bool:
        """Try the oldest message, if it is due; whether it was delivered. Raises Unavailable without the database."""
        if self._taken is not None:
            self._mark()
        with self._db.read() as tx:
            parcel = outbox.oldest(tx, self._name)
        if parcel is None or parcel.due_us > self._clock.now_us():
            return False
        try:
            deliver(self._sink, parcel.message, parcel.key, self._config, self._clock.now_us())
        except NotTaken as trouble:
            self._failed(parcel, trouble)
            return False
        self._taken = parcel.id
        self._mark()
        return True

    def _mark(self) -> None:
        assert self._taken is not None  # noqa: S101 - both callers set it
        with self._db.write() as tx:
            outbox.delivered(tx, self._taken, self._clock.now_us())
        self._taken = None

    def _failed(self, parcel: Parcel, trouble: NotTaken) -> None:
        given_up = isinstance(trouble, Refused) and parcel.attempts + 1 >= REFUSALS
        now_us = self._clock.now_us()
        with self._db.write() as tx:
            if given_up:
                outbox.set_aside(tx, parcel, str(trouble), now_us)
            else:
                outbox.put_off(tx, parcel, str(trouble), now_us)
        said = "is refused for good and set aside" if given_up else "waits"
        _log.warning("message %d to %s %s: %s", parcel.id, self._name, said, trouble)
