"""Puts records into the log before their answers go out; says so when it could not.

One write for each batch. With durability `power` a thread brings it on to the disk, together with whatever else was
written meanwhile, while the loop goes on; the answers wait. When the disk is full the answers either say that they are
not on record (`serve`), and the gap itself is recorded as soon as there is room, or callers get 503 (`strict`).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from lockgate.clock import MINUTE_US, Clock
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Kind, Record

Then = Callable[[bool], None]  # told whether the records are in the log
_Waiting = tuple[Sequence[Record], Then]
_log = logging.getLogger(__name__)


class Recorder:
    """The worker's pen. `gap` counts the requests since start whose record could not be written.

    Made and used on the event loop.
    """

    def __init__(self, writer: SegmentWriter, clock: Clock, make_id: Callable[[], str]) -> None:
        self._writer, self._clock, self._make_id = writer, clock, make_id
        self._missing: Counter[str] = Counter()  # by model, not yet on record as a gap
        self._reason = ""
        self._complained_us = 0
        self.gap = 0
        self._written: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        if writer.must_sync:
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._sync, name="log-sync", daemon=True)
            self._thread.start()

    def write(self, records: Sequence[Record], then: Then) -> None:
        """Commit the records of one batch and tell `then`: at once, or when they are on the disk."""
        try:
            self._writer.write([*self._gaps(), *records] if self._missing else records)
        except OSError as error:
            self._note(records, error)
            then(False)
            return
        self._missing.clear()
        if self._thread is None:
            then(True)
        else:
            self._written.put((records, then))

    def rest(self) -> None:
        """Nothing came for a while: end an old segment, and put a gap on record if there is room now."""
        try:
            if self._missing:
                self._writer.append(self._gaps())
                self._missing.clear()
            self._writer.roll_if_due()
        except OSError as error:
            self._reason = str(error)

    def close(self) -> None:
        """Wait for what is on its way to the disk, and end the segment."""
        if self._thread is not None:
            self._written.put(None)
            self._thread.join()
        try:
            self._writer.close()
        except OSError as error:
            _log.error("the log's last segment could not be ended: %s", error)

    def _sync(self) -> None:
        """The thread: whatever was written while the last sync ran shares the next one."""
        while (first := self._written.get()) is not None:
            group, last = [first], False
            while not self._written.empty():
                following = self._written.get()
                if following is None:
                    last = True
                    break
                group.append(following)
            failed: OSError | None = None
            try:
                self._writer.sync()
            except OSError as error:
                failed = error
            self._loop.call_soon_threadsafe(self._tell, group, failed)
            if last:
                return

    def _tell(self, group: list[_Waiting], failed: OSError | None) -> None:
        for records, then in group:
            if failed is not None:
                self._note(records, failed)
            then(failed is None)

    def _gaps(self) -> list[Record]:
        now_us = self._clock.now_us()
        return [
            Record(
                kind=Kind.GAP,
                id=self._make_id(),
                at_us=now_us,
                model=model,
                rows=count,
                status=0,
                error=f"{count} requests are not on record: {self._reason}",
            )
            for model, count in self._missing.items()
        ]

    def _note(self, records: Sequence[Record], error: OSError) -> None:
        self._reason = str(error)
        self.gap += len(records)
        self._missing.update(record.model for record in records)
        now_us = self._clock.now_us()
        if now_us - self._complained_us > MINUTE_US:
            self._complained_us = now_us
            _log.error("the prediction log cannot be written (%s): make room on the disk", error)
