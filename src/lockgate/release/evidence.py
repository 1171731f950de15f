"""Evidence from the prediction log: a reader with a committed offset that folds records into counts.

Snapshots hold the counts and the offset in one transaction, so a crash costs a few seconds of reading again, and the
replay gives the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlalchemy as sa

from lockgate.clock import SECOND_US
from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import commit_offsets, offsets_of, register_reader
from lockgate.predictions.record import Kind, Record
from lockgate.registry.manifest import Manifest
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.release import snapshots, store
from lockgate.release.baseline import Baseline, Traffic
from lockgate.release.counts import Counts, fold
from lockgate.release.outputs import Answered, answered
from lockgate.release.phases import Release
from lockgate.release.taking_back import set_back, void
from lockgate.release.vital_evidence import VitalEvidence

READER = "release"
SNAPSHOT_S = 5.0
BATCH = 5_000
ROUNDS = 20  # per poll: 100,000 records at most, so that decisions are never far behind


class Evidence:
    """What the log says of every model's traffic and every running release. One process at a time saves it."""

    def __init__(self, db: Database, reader: LogReader, *, now_us: int) -> None:
        self._db, self._reader = db, reader
        with db.write() as tx:
            register_reader(tx, READER, now_us)
        self._saved_us = now_us
        self._manifests: dict[tuple[str, int], Manifest] = {}
        self._vitals = VitalEvidence(db)
        self.load()

    def load(self) -> None:
        """Go back to the last snapshot."""
        with self._db.read() as tx:
            self._offsets = offsets_of(tx, READER)
            self._baselines = snapshots.find_all(tx, "model:", Baseline)
            self._vitals.load(tx)
            running = store.running_releases(tx)
            self._counts = {release.id: snapshots.counts_of(tx, release.id) for release in running}

    def counts(self, release: Release) -> Counts:
        """The counts of a release."""
        return self._counts.setdefault(release.id, Counts(release=release.id))

    def traffic(self, model: str) -> Traffic:
        """What a model's traffic is like."""
        return self._baselines[model].traffic() if model in self._baselines else Traffic()

    def poll(self, running: Iterable[Release], now_us: int | None = None) -> int:
        """Read what is new in the log and fold it; returns how many records were read.

        `now_us`: no record is taken to be newer than this. A clock that stepped ahead and came back would else have told the
        newest request for all that time, and silence would not be seen.
        """
        releases = {release.id: release for release in running}
        for release in releases.values():
            counts = self.counts(release)
            if release.void_seq > counts.voided:
                void(counts, release.stage, release.void_seq)
        total = 0
        for _ in range(ROUNDS):
            batch = self._reader.read(self._offsets, BATCH)
            self._offsets = batch.offsets
            self._fold([record for record, _ in batch.records], releases)
            total += len(batch.records)
            if len(batch.records) < BATCH:
                break
        if now_us is not None:
            for number in releases:
                set_back(self._counts[number], now_us)
            for baseline in self._baselines.values():
                baseline.set_back(now_us)
            self._vitals.close(self._baselines, now_us)
        return total

    def save(self, now_us: int, fence: Callable[[sa.Connection], None], *, force: bool = False) -> bool:
        """Snapshot counts and offset together, at most every few seconds unless forced.

        `fence` raises in the same transaction when another process took over the reading.
        """
        if not force and now_us - self._saved_us < SNAPSHOT_S * SECOND_US:
            return False
        with self._db.write() as tx:
            fence(tx)
            for model, baseline in self._baselines.items():
                snapshots.save(tx, f"model:{model}", baseline, at_us=now_us)
            self._vitals.save(tx, now_us)
            for number, counts in self._counts.items():
                snapshots.save(tx, f"release:{number}", counts, at_us=now_us)
            commit_offsets(tx, READER, self._offsets, now_us)
        self._saved_us = now_us
        return True

    def forget(self, running: Iterable[Release]) -> None:
        """Keep only counts of running releases in memory; those of others stay as saved."""
        kept = {release.id: release for release in running}
        self._counts = {number: counts for number, counts in self._counts.items() if number in kept}
        models = {release.model for release in kept.values()}
        self._manifests = {named: found for named, found in self._manifests.items() if named[0] in models}

    def _fold(self, records: list[Record], releases: dict[int, Release]) -> None:
        mine: dict[int, list[Record]] = {number: [] for number in releases}
        for record in records:
            if record.kind is Kind.ANSWER and record.model:
                self._baselines.setdefault(record.model, Baseline()).add(record)
                self._vitals.add(record)
            if record.release in mine:
                mine[record.release].append(record)
        for number, found in mine.items():
            release = releases[number]
            fold(self.counts(release), found, release.plan, release.frozen, self._read)

    def _read(self, record: Record) -> Answered | None:
        """What a record says of its version's answers; None while the database is away and cannot say how to read them."""
        version = (record.model, record.version)
        if version not in self._manifests:
            try:
                with self._db.read() as tx:
                    self._manifests[version] = get_version(tx, VersionName(*version)).manifest
            except Unavailable:
                return None  # the guards on errors and times go on
        return answered(record, self._manifests[version])
