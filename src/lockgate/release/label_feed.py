"""Brings to the guards what the controller's own round does not read: labels, business values, how answers were before.

Reads beside the log, away from the controller's round. A look costs as much as the rows of a release take to read, so looks
become rarer as they become dearer, by the processor time that they take: on a machine that others keep busy a look lasts
long and is none the dearer. What was seen last stands until the next look; after a start it is made anew from the
log, nothing has to be remembered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import LockgateError
from lockgate.predictions.labels import attach, latest_labels, newest_label
from lockgate.predictions.query import frames, join
from lockgate.predictions.record import Kind
from lockgate.predictions.stored import Asked
from lockgate.registry.manifest import Manifest
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.release import store
from lockgate.release.business_evidence import from_values
from lockgate.release.guards import GuardName
from lockgate.release.label_evidence import KEPT, LabelEvidence, from_pairs, from_requests
from lockgate.release.label_means import at_one_weight, from_numbers
from lockgate.release.outputs import Outputs, has_score
from lockgate.release.outputs_before import outputs_of
from lockgate.release.phases import Phase, Release
from lockgate.release.shadow_pairs import NEWEST, answers_of, paired, pairs_of
from lockgate.stats.means import Arms

ROUND_S = 2.0
REST = 20.0  # a look is followed by a rest of so many times the processor time that it took
MOST_ROWS = 500_000  # labelled rows of a release, the newest
_LABELLED = "label IS NOT NULL AND status < 400"
_LOOKED_AT = frozenset({Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH, Phase.HELD})
_BEFORE = frozenset({Phase.SHADOW, Phase.APPROVAL})
_VALUED = ("id", "key", "row", "stage", "assigned", "weight", "inference_id")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Known:
    """What there is to be read for a release."""

    labels: bool = False
    business: bool = False

    def __bool__(self) -> bool:
        return self.labels or self.business


class LabelFeed:
    """What labels say of every running release. `since`: from which request on a release's rows count, microseconds."""

    def __init__(self, home: Home, blobs: Blobs, db: Database, since: Callable[[Release], int]) -> None:
        self._home, self._blobs, self._db, self._since = home, blobs, db, since
        self._found: dict[int, LabelEvidence] = {}

    def of(self, release: int) -> LabelEvidence | None:
        """What was seen at the last look; None: nothing yet."""
        return self._found.get(release)

    def look(self) -> None:
        """Read what there is for every running release."""
        with self._db.read() as tx:
            running = [release for release in store.running_releases(tx) if _looked_at(release)]
            known = {release.id: _known(tx, release) for release in running}
        seen = {release.id: self._seen(release, known[release.id]) for release in running}
        found = {number: evidence for number, evidence in seen.items() if evidence is not None}
        self._found = found  # in one step: the controller reads it from another thread

    def run(self, stop: threading.Event, *, round_s: float = ROUND_S) -> None:
        """Look again and again until told to stop; what fails is logged and tried again."""
        while not stop.is_set():
            began_s = time.process_time()
            try:
                self.look()
            except LockgateError:
                _log.exception("which releases wait for labels could not be read; it is tried again")
            stop.wait(max(round_s, REST * (time.process_time() - began_s)))

    def _seen(self, release: Release, known: _Known) -> LabelEvidence | None:
        """What there is about a release; while that cannot be read, what was seen last, and the others go on."""
        try:
            with self._db.read() as tx:
                versions = _versions(tx, release)
            outputs = self._outputs(release, versions) if release.at in _BEFORE else None
            if not known:
                return LabelEvidence(outputs=outputs, void_seq=release.void_seq) if outputs else None
            evidence = self._labels(release, versions) if known.labels else None
            return msgspec.structs.replace(
                evidence or LabelEvidence(),
                business=self._business(release) if known.business else {},
                outputs=outputs,
                void_seq=release.void_seq,
            )
        except (LockgateError, OSError, pl.exceptions.PolarsError):  # no room for files put aside, say
            _log.exception("labels could not be read for the guards of %s; it is tried again", release.model)
            return self.of(release.id)

    def _labels(self, release: Release, versions: tuple[tuple[int, Manifest], ...]) -> LabelEvidence:
        """Wrong answers of both versions."""
        asked = self._rows(release, Kind.ANSWER, _LABELLED)
        if not release.plan.paired_labels:
            return _single(asked, release, versions, self._voided_us(release))
        mine = pl.when(pl.col("release") == release.id).then("stage").otherwise(0)
        asked = asked.with_columns(mine.alias("stage"))  # another release's stages are not this one's
        shadow = self._rows(release, Kind.SHADOW, f"release = {release.id}", beside=asked["id"])
        old, new = versions
        both = paired(asked, shadow, old=old, new=new, kept=KEPT)
        plan = release.plan
        return from_pairs(both, costs=plan.costs, quantile=plan.quantile, watch=len(plan.stages) + 1)

    def _business(self, release: Release) -> dict[int, Arms]:
        """The business metric of the callers whose request had a chance to go either way."""
        business = release.plan.business
        if business is None:
            return {}
        with self._db.read() as tx:
            values = latest_labels(tx, release.model, business.metric)
        inputs = [name for name in values["on_column"].unique().to_list() if name.startswith("in.")]
        asked = Asked(release.model, release.created_us, kinds=(Kind.ANSWER,))
        found = [pl.DataFrame()]
        for part, _, _ in frames(
            self._home, self._blobs, asked, where=_of_canary(release), database=self._db
        ):
            late = part.filter(pl.col("at_us") >= self._voided_us(release))
            narrow = late.select(*_VALUED, *(name for name in inputs if name in late.columns))
            found.append(attach(narrow, values).drop_nulls("label"))
        rows = join([part for part in found if part.height] or [found[-1]])
        return (
            from_values(at_one_weight(rows), business, stick=release.plan.stick, heavy=release.frozen.heavy)
            if rows.height
            else {}
        )

    def _outputs(self, release: Release, versions: tuple[tuple[int, Manifest], ...]) -> Outputs | None:
        """How live answers, and how differently the new version on the same requests."""
        old, new = versions
        if release.plan.shadow:
            pairs = pairs_of(
                self._home, self._blobs, release.model, old=old, new=new, release=release.id,
                since_us=self._since(release),
            )  # fmt: skip
            return outputs_of(pairs, scored=has_score(new[1]))
        asked = self._rows(release, Kind.ANSWER, f"version = {old[0]} AND status < 400", most=NEWEST)
        alone = answers_of(asked, old[1], "id").rename({"decision": "old", "score": "old_score"})
        unpaired = alone.with_columns(
            new=pl.lit(None, alone["old"].dtype), new_score=pl.lit(None, pl.Float64)
        )
        return outputs_of(unpaired, scored=has_score(new[1]))

    def _rows(
        self,
        release: Release,
        kind: Kind,
        where: str,
        *,
        beside: pl.Series | None = None,
        most: int = MOST_ROWS,
    ) -> pl.DataFrame:
        """The newest rows without their inputs. `beside`: only shadow answers to these requests."""
        asked = Asked(release.model, self._since(release), kinds=(kind,))
        kept: list[pl.DataFrame] = []
        labels = (
            None if kind is Kind.SHADOW else self._db
        )  # a shadow's answers are labelled by what they answer again
        for part, _, _ in frames(self._home, self._blobs, asked, where=where, database=labels):
            rows = part.select(pl.exclude("^in\\..*$"))
            kept.append(rows if beside is None else rows.filter(pl.col("of").is_in(beside.implode())))
            if beside is None and sum(held.height for held in kept) > 2 * most:
                kept = [join(kept).tail(most)]
        return join(kept) if beside is not None else join(kept).tail(most)

    def _voided_us(self, release: Release) -> int:
        """When somebody let a release go on whose split had been broken: what came before is no evidence."""
        if not release.void_seq:
            return 0
        with self._db.read() as tx:
            return next(m.at_us for m in store.moves_of(tx, release.id) if m.seq == release.void_seq)


def _looked_at(release: Release) -> bool:
    return release.phase in _LOOKED_AT and release.previous is not None


def _known(tx: sa.Connection, release: Release) -> _Known:
    """Which of its late guards have something to read."""
    guards, business = {guard.name for guard in release.plan.guards}, release.plan.business
    return _Known(
        labels=GuardName.LABELS in guards and newest_label(tx, release.model) is not None,
        business=business is not None and newest_label(tx, release.model, business.metric) is not None,
    )


def _versions(tx: sa.Connection, release: Release) -> tuple[tuple[int, Manifest], tuple[int, Manifest]]:
    """The previous version and the new one, with their manifests."""
    numbers = (release.previous or 0, release.version)
    old, new = ((n, get_version(tx, VersionName(release.model, n)).manifest) for n in numbers)
    return old, new


def _of_canary(release: Release) -> str:
    """Rows of this release whose request had a chance to go either way."""
    return f"release = {release.id} AND forced = false AND weight > 0 AND weight < 1"


def _single(
    asked: pl.DataFrame, release: Release, versions: tuple[tuple[int, Manifest], ...], voided_us: int
) -> LabelEvidence:
    """Evidence without a shadow: rows of this release whose request had a chance to go either way."""
    in_canary = (
        (pl.col("release") == release.id)
        & ~pl.col("forced")
        & (pl.col("weight") > 0)
        & (pl.col("weight") < 1)
    )
    mine = asked.filter(in_canary & (pl.col("at_us") >= voided_us))
    kept = (*KEPT, "weight", "assigned")
    heavy, plan = release.frozen.heavy, release.plan
    rows = join(
        [answers_of(mine.filter(version=number), manifest, "id", kept) for number, manifest in versions]
    )
    if not plan.numbers:
        return from_requests(rows, heavy=heavy)
    live, manifest = versions[0]
    before = answers_of(asked.filter(~in_canary & (pl.col("version") == live)), manifest, "id", kept)
    return from_numbers(rows, before, stick=plan.stick, quantile=plan.quantile, heavy=heavy)
