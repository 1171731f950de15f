"""Sends records to somebody's HTTP address as CloudEvents, each at least once. A reader of the log like any other.

It keeps its own offset and commits it after the receiver has taken the events, so a crash or a receiver that is away
costs time, never an event. It reads files and slows no request; while the receiver is away the log keeps what waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.clock import Clock
from lockgate.config import EventsConfig
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.predictions.cloudevents import BATCH_TYPE, event_of
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import commit_offsets, offsets_of, register_reader

if TYPE_CHECKING:
    import httpx
else:
    httpx = late("httpx")

READER = "events"
AT_ONCE = 500  # events in one request
IDLE_S = 0.5  # between looks at a log that does not grow
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
TIMEOUT_S = 30.0
# These may pass; any other 4xx says that the receiver will never take what it was sent.
_LATER = frozenset((401, 403, 404, 408, 409, 425, 429))
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """Where events go. `source` is what they say they come from."""

    config: EventsConfig
    source: str

    def headers(self) -> dict[str, str]:
        """What goes with every request; the token is read anew, so that it can be renewed. Raises InvalidInput."""
        if self.config.token_file is None:
            return {"content-type": BATCH_TYPE}
        try:
            token = Path(self.config.token_file).read_text().strip()
        except OSError as error:
            raise InvalidInput(
                "the token for events cannot be read",
                got=error.strerror,
                fix="correct 'events.token_file' in config.yaml",
            ) from error
        return {"content-type": BATCH_TYPE, "authorization": f"Bearer {token}"}


class Forwarder:
    """Reads, sends, commits, for ever."""

    def __init__(self, db: Database, log: Path, receiver: Receiver, clock: Clock) -> None:
        self._db, self._log, self._receiver, self._clock = db, LogReader(log), receiver, clock
        self.refused = 0  # events that the receiver will never take
        with db.write() as tx:
            register_reader(tx, READER, clock.now_us())
        with db.read() as tx:
            self._offsets = offsets_of(tx, READER)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        with httpx.Client(timeout=TIMEOUT_S) as client:
            while not stop.is_set():
                if not self.round(client, stop):
                    stop.wait(IDLE_S)

    def round(self, client: httpx.Client, stop: threading.Event) -> int:
        """Send what is new, at most one request's worth, and commit; how many records were passed."""
        batch = self._log.read(self._offsets, AT_ONCE)
        config, source = self._receiver.config, self._receiver.source
        events = [event_of(record, source, payloads=config.payloads) for record, _ in batch.records]
        for start in range(0, len(events), AT_ONCE):  # a frame may hold more records than a request should
            if not self._deliver(client, events[start : start + AT_ONCE], stop):
                return 0
        if batch.offsets != self._offsets:
            with self._db.write() as tx:
                commit_offsets(tx, READER, batch.offsets, self._clock.now_us())
            self._offsets = batch.offsets
        return len(events)

    def _deliver(self, client: httpx.Client, events: Sequence[dict[str, Any]], stop: threading.Event) -> bool:
        """Send until it is taken; false when asked to stop before that."""
        if not events:
            return True
        body, pause_s = msgspec.json.encode(events), FIRST_PAUSE_S
        while True:
            status = self._send(client, body)
            if 200 <= status < 300:
                return True
            if 400 <= status < 500 and status not in _LATER:
                return self._divide(client, events, status, stop)
            if stop.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _send(self, client: httpx.Client, body: bytes) -> int:
        """One attempt: the receiver's status, 0 for none."""
        try:
            response = client.post(self._receiver.config.url, content=body, headers=self._receiver.headers())
        except (httpx.HTTPError, InvalidInput) as error:
            words = error.sentence() if isinstance(error, InvalidInput) else type(error).__name__
            _log.warning("events wait: %s", words)
            return 0
        if response.status_code >= 300:
            _log.warning("events wait: their receiver answers %d", response.status_code)
        return response.status_code

    def _divide(
        self, client: httpx.Client, events: Sequence[dict[str, Any]], status: int, stop: threading.Event
    ) -> bool:
        """A request that will never be taken: each half by itself, so that one event alone is left out."""
        if len(events) == 1:
            self.refused += 1
            _log.error("the event %s is refused for good (%d) and left out", events[0]["id"], status)
            return True
        half = len(events) // 2
        return self._deliver(client, events[:half], stop) and self._deliver(client, events[half:], stop)
