"""Brings labels to the guards of running releases: reads them beside the log, away from the controller's own round.

A look costs as long as the labelled rows of a release take to read, so looks become rarer as they become dearer. What
was seen last stands until the next look; after a start it is made anew from the log, nothing has to be remembered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import LockgateError
from lockgate.predictions.labels import newest_label
from lockgate.predictions.query import frames, join
from lockgate.predictions.record import Kind
from lockgate.predictions.stored import Asked
from lockgate.registry.manifest import Manifest
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.release import store
from lockgate.release.guards import GuardName
from lockgate.release.label_evidence import KEPT, LabelEvidence, from_pairs, from_requests
from lockgate.release.phases import Phase, Release
from lockgate.release.shadow_pairs import answers_of, paired

ROUND_S = 2.0
REST = 20.0  # a look is followed by a rest of so many times its length
MOST_ROWS = 500_000  # labelled rows of a release, the newest
_LABELLED = "label IS NOT NULL AND status < 400"
_LOOKED_AT = frozenset({Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH, Phase.HELD})
_log = logging.getLogger(__name__)


class LabelFeed:
    """What labels say of every running release. `since`: from which request on a release's rows count, microseconds."""

    def __init__(self, home: Home, blobs: Blobs, db: Database, since: Callable[[Release], int]) -> None:
        self._home, self._blobs, self._db, self._since = home, blobs, db, since
        self._found: dict[int, LabelEvidence] = {}

    def of(self, release: int) -> LabelEvidence | None:
        """What was seen at the last look; None: nothing yet."""
        return self._found.get(release)

    def look(self) -> None:
        """Read the labels of every running release that is guarded by them."""
        with self._db.read() as tx:
            running = [release for release in store.running_releases(tx) if _guarded(release)]
            labelled = {release.id for release in running if newest_label(tx, release.model)}
        seen = {release.id: self._seen(release) for release in running if release.id in labelled}
        found = {number: evidence for number, evidence in seen.items() if evidence is not None}
        self._found = found  # in one step: the controller reads it from another thread

    def run(self, stop: threading.Event, *, round_s: float = ROUND_S) -> None:
        """Look again and again until told to stop; what fails is logged and tried again."""
        while not stop.is_set():
            began = time.monotonic()
            try:
                self.look()
            except LockgateError:
                _log.exception("which releases wait for labels could not be read; it is tried again")
            stop.wait(max(round_s, REST * (time.monotonic() - began)))

    def _seen(self, release: Release) -> LabelEvidence | None:
        """What labels say of a release; while that cannot be read, what was seen last, and the others go on."""
        try:
            evidence = self._evidence(release)
        except (LockgateError, OSError, pl.exceptions.PolarsError):  # no room for files put aside, say
            _log.exception("labels could not be read for the guards of %s; it is tried again", release.model)
            return self.of(release.id)
        return evidence and msgspec.structs.replace(evidence, void_seq=release.void_seq)

    def _evidence(self, release: Release) -> LabelEvidence | None:
        with self._db.read() as tx:
            versions = _versions(tx, release)
        asked = self._rows(release, Kind.ANSWER, _LABELLED).tail(MOST_ROWS)
        if not release.plan.paired_labels:
            return _single(asked, release, versions, self._voided_us(release))
        shadow = self._rows(release, Kind.SHADOW, f"release = {release.id}")
        old, new = versions
        return from_pairs(
            paired(asked, shadow.filter(pl.col("of").is_in(asked["id"])), old=old, new=new, kept=KEPT)
        )

    def _rows(self, release: Release, kind: Kind, where: str) -> pl.DataFrame:
        asked = Asked(release.model, self._since(release), kinds=(kind,))
        parts = frames(self._home, self._blobs, asked, where=where, database=self._db)
        return join([part.select(pl.exclude("^in\\..*$")) for part, _, _ in parts])

    def _voided_us(self, release: Release) -> int:
        """When somebody let a release go on whose split had been broken: what came before is no evidence."""
        if not release.void_seq:
            return 0
        with self._db.read() as tx:
            return next(m.at_us for m in store.moves_of(tx, release.id) if m.seq == release.void_seq)


def _guarded(release: Release) -> bool:
    return (
        release.phase in _LOOKED_AT
        and release.previous is not None
        and any(guard.name is GuardName.LABELS for guard in release.plan.guards)
    )


def _versions(tx: sa.Connection, release: Release) -> tuple[tuple[int, Manifest], tuple[int, Manifest]]:
    """The previous version and the new one, with their manifests."""
    numbers = (release.previous or 0, release.version)
    old, new = ((n, get_version(tx, VersionName(release.model, n)).manifest) for n in numbers)
    return old, new


def _single(
    asked: pl.DataFrame, release: Release, versions: tuple[tuple[int, Manifest], ...], voided_us: int
) -> LabelEvidence | None:
    """Evidence without a shadow: rows of this release whose request had a chance to go either way."""
    mine = asked.filter(
        (pl.col("release") == release.id)
        & ~pl.col("forced")
        & (pl.col("weight") > 0)
        & (pl.col("weight") < 1)
        & (pl.col("at_us") >= voided_us)
    )
    kept = (*KEPT, "weight", "assigned")
    rows = [answers_of(mine.filter(version=number), manifest, "id", kept) for number, manifest in versions]
    return from_requests(join(rows), heavy=release.frozen.heavy)
