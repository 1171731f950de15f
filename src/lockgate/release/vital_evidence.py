"""The vital signs of every live version, read from the log with the other evidence and kept beside it."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.predictions.record import Record
from lockgate.release import snapshots, store
from lockgate.release.baseline import Baseline
from lockgate.release.vitals import SLOW_REQUESTS, STEP_US, T99, Promise, Vitals, begun, counts, promise_of

SCOPE = "vitals:"


class VitalEvidence:
    """What the log says of live versions. As all evidence it is saved with the place up to which the log was read."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._vitals: dict[str, Vitals] = {}
        self._promises: dict[tuple[str, int], Promise] = {}

    def load(self, tx: sa.Connection) -> None:
        """Go back to what was saved."""
        self._vitals = snapshots.find_all(tx, SCOPE, Vitals)

    def add(self, record: Record) -> None:
        """Count one request that a caller sent. A newer plan may make another version live; a late record of an older is left."""
        if not counts(record):
            return
        known = self._vitals.get(record.model)
        if known is None or (known.version != record.version and record.epoch > known.epoch):
            promise = self._promise(record.model, record.version)
            if promise is None:
                return
            known = self._vitals[record.model] = begun(record, promise)
        if known.version == record.version:
            known.add(record)

    def close(self, baselines: Mapping[str, Baseline], now_us: int) -> None:
        """Time has gone on: steps are over although no request came, and enough may be known to hold a version against itself."""
        for model, vitals in self._vitals.items():
            vitals.close(now_us // STEP_US)
            if not vitals.own or vitals.slow is None:
                vitals.learn(_within_us(baselines.get(model)))

    def save(self, tx: sa.Connection, now_us: int) -> None:
        """Keep it, in the transaction that keeps the place in the log."""
        for model, vitals in self._vitals.items():
            snapshots.save(tx, f"{SCOPE}{model}", vitals, at_us=now_us)

    def _promise(self, model: str, version: int) -> Promise | None:
        """What it was released with; None while the database is away and cannot say."""
        if (model, version) not in self._promises:
            try:
                with self._db.read() as tx:
                    releases = store.releases_of(tx, model)
            except Unavailable:
                return None
            found = next((release for release in releases if release.version == version), None)
            self._promises[model, version] = Promise() if found is None else promise_of(found)
        return self._promises[model, version]


def vitals_of(tx: sa.Connection, model: str) -> Vitals | None:
    """How a model's live version fares, at most seconds old; None before its first request."""
    return snapshots.find(tx, f"{SCOPE}{model}", Vitals)


def _within_us(baseline: Baseline | None) -> int | None:
    """The time within which 99 % of a live version's answers came, where there are enough of them."""
    return baseline.within_us(T99) if baseline is not None and baseline.latencies >= SLOW_REQUESTS else None
