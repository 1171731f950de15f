"""Puts records into the log before their answers go out; says so when it could not.

One write for each batch. When the disk is full the answers either say that they are not on record (`serve`), and the gap
itself is recorded as soon as there is room, or callers get 503 (`refuse`).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from lockgate.clock import MINUTE_US, Clock
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Kind, Record

_log = logging.getLogger(__name__)


class Recorder:
    """The worker's pen. `gap` counts the requests since start whose record could not be written."""

    def __init__(self, writer: SegmentWriter, clock: Clock, make_id: Callable[[], str]) -> None:
        self._writer, self._clock, self._make_id = writer, clock, make_id
        self._missing: Counter[str] = Counter()  # by model, not yet on record as a gap
        self._reason = ""
        self._complained_us = 0
        self.gap = 0

    def write(self, records: Sequence[Record]) -> bool:
        """Commit the records of one batch; false when they are not in the log."""
        try:
            self._writer.append([*self._gaps(), *records] if self._missing else records)
        except OSError as error:
            self._note(records, error)
            return False
        self._missing.clear()
        return True

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
        """End the segment."""
        try:
            self._writer.close()
        except OSError as error:
            _log.error("the log's last segment could not be ended: %s", error)

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
