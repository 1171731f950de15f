"""The watcher of drift: counts what is new of one model, then judges the chunks that became whole."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import msgspec

from lockgate.clock import MINUTE_US
from lockgate.db import Database
from lockgate.monitor.chunks import ChunkSize
from lockgate.monitor.counting import Counter, Known
from lockgate.monitor.elsewhere import Elsewhere
from lockgate.monitor.forgetting import erasures_noted, forget_again
from lockgate.monitor.judging import Judge
from lockgate.monitor.profiles import forget, roll_up, versions_with_rows
from lockgate.monitor.reading import Log, ModelLog, Piece
from lockgate.monitor.reference import Reference
from lockgate.monitor.watcher import Looked
from lockgate.predictions.keyring import Keyring

AT_ONCE_S = 5.0  # of reading, then it is another's turn
GRACE_US = 10 * MINUTE_US  # records may come so late: far hosts send whole segments
_SELDOM = 500  # looks between two times in which old hours become days


class DriftWatcher:
    """Watches one model. `known` says what is known of a version: it is asked at the begin of each look, so be quick.
    `elsewhere`: where a long history is counted, if not here; `size`: says how large chunks are from now on."""

    def __init__(
        self, db: Database, log: Log, keys: Keyring, model: str, known: Callable[[int], Known],
        *, size: Callable[[], ChunkSize] = ChunkSize, grace_us: int = GRACE_US, elsewhere: Elsewhere | None = None,
    ) -> None:  # fmt: skip
        self.model, self._db, self._known, self._grace_us, self._size = model, db, known, grace_us, size
        self._parts: Callable[[], tuple[Counter, Judge]] = lambda: (
            Counter(db, ModelLog(log, model), keys, model, known, elsewhere=elsewhere),
            Judge(db, model),
        )
        self._counter, self._judge = self._parts()
        self.name, self._looks = self._counter.name, 0
        self._erased: frozenset[int] = frozenset()

    def look(self, now_us: int) -> Looked:
        """Count for some seconds, judge what is whole."""
        self._forget_erased()
        self._begin_again_if_needed()
        piece = self._count(now_us)
        complete_us = piece.until_us if piece.more else now_us - self._grace_us
        if complete_us is not None:
            self._judge.size = self._size()  # settings may have changed
            self._judge.look(self._references(), complete_us, now_us)
        self._looks += 1
        if self._looks % _SELDOM == 1:
            with self._db.write() as tx:
                roll_up(tx, self.model, now_us)
        return Looked(more=piece.more, words=piece.said)

    def _count(self, now_us: int) -> Piece:
        started = time.monotonic()
        try:
            while True:
                piece = self._counter.step(now_us, ahead=True)
                if not piece.more or time.monotonic() - started > AT_ONCE_S:
                    break
        finally:
            trouble = self._counter.settle(now_us)
        return replace(piece, said=piece.said or trouble)

    def _references(self) -> dict[int, Reference]:
        with self._db.read() as tx:
            versions = versions_with_rows(tx, self.model)
        found = {version: self._counter.reference(version) for version in versions}
        return {
            version: msgspec.structs.replace(reference, seasonal=self._known(version).seasonal)
            for version, reference in found.items() if reference is not None
        }  # fmt: skip

    def _forget_erased(self) -> None:
        """What was on its way while somebody was erased goes too, and what this process holds is read again."""
        with self._db.read() as tx:
            erased = erasures_noted(tx, self.model)
        if erased:
            with self._db.write() as tx:
                forget_again(tx, self.model, erased)
        if erased.keys() - self._erased:
            self._counter, self._judge = self._parts()
        self._erased = frozenset(erased)

    def _begin_again_if_needed(self) -> None:
        """Count the past anew: of a version that was held against its own first rows and has a validation now, and where
        other inputs are personal than were."""
        for version, reference in self._references().items():
            known = self._known(version)
            if (not reference.validated and known.validated is not None) or not known.veil.fits(reference):
                with self._db.write() as tx:
                    forget(tx, self.model, self.name)
                self._counter, self._judge = self._parts()
                return
