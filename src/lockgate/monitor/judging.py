"""When to judge, and what with: counted hours become chunks, each judged once, notices opened and ended.

A chunk ends with the hour in which it has enough rows and, so that day and night are in it, enough time. Each chunk is one
transaction: the verdict, the state and the notices. Before a chunk is whole, columns that lie far from the reference are
looked for among the hours that are (like with like: only where the same hours of earlier days can be held against them).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import takewhile

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US
from lockgate.db import Database
from lockgate.monitor.chunks import Chunk, ChunkSize, State, Told, first_chunk, held_over, run_with
from lockgate.monitor.drift import OUT, SCALES, Fault, Found, as_reference, far_moved, has_jumped, judge
from lockgate.monitor.judged import verdict_of
from lockgate.monitor.notices import Notice, end_all, settle
from lockgate.monitor.profile import Profile, merged_profiles
from lockgate.monitor.profiles import Span, profile_between, spans_of, versions_with_rows
from lockgate.monitor.reference import Reference
from lockgate.monitor.saying import notices_of_verdict
from lockgate.monitor.saying_week import notices_of_week
from lockgate.monitor.seasons import without_season
from lockgate.monitor.unsteady import unsteady
from lockgate.monitor.usual import PERIODS, without_usual
from lockgate.monitor.verdicts import SOURCE, Verdict, put_verdict, verdicts_of
from lockgate.monitor.watcher import place_of, put_place
from lockgate.monitor.week import jumps, week_before

KEPT_CHUNKS = 63  # in memory: nine weeks of days
FIRST_EARLY = 200  # rows of a chunk that is not whole: then at twice as many, and so on
EARLIER_DAYS = range(1, 15)  # whose same hours say what is usual of a chunk that is not whole
RETIRED_US = 7 * DAY_US  # a version that got no row for that long, while others did, is watched no longer


@dataclass(eq=False)
class _Past:
    """A version's judged chunks: their verdicts, and the newest ones as they were counted."""

    verdicts: list[Verdict]
    chunks: list[Chunk] = field(default_factory=list)

    def add(self, verdict: Verdict, profile: Profile) -> None:
        """One more."""
        self.verdicts.append(verdict)
        self.chunks = [*self.chunks, _chunk(verdict, profile)][-KEPT_CHUNKS:]


def _is_news(notice: Notice, held: Notice | None) -> bool:
    """Whether a look at a part of a chunk says more than what holds of whole ones, which saw more rows."""
    return held is None or not set(notice.columns) <= set(held.columns)


def _chunk(verdict: Verdict, profile: Profile) -> Chunk:
    causes = frozenset(cause.column for cause in verdict.causes)
    cut = verdict.cut or ChunkSize().said  # of before chunks could be told their size
    return Chunk(verdict.start_us, verdict.until_us, profile, causes, verdict.jumped, cut)


class Judge:
    """Judges one model's versions."""

    def __init__(self, db: Database, model: str, size: ChunkSize = ChunkSize()) -> None:  # noqa: B008
        self._db, self._model, self.size = db, model, size
        self._pasts: dict[int, _Past] = {}

    def look(self, references: Mapping[int, Reference], complete_us: int, now_us: int) -> int:
        """Judge every chunk that is whole; all records before `complete_us` are counted. Returns how many were judged."""
        with self._db.read() as tx:
            newest = versions_with_rows(tx, self._model)
        watched = [number for number, start in newest.items() if start >= max(newest.values()) - RETIRED_US]
        judged = 0
        for version in watched:
            if version in references:
                judged += self._version(version, references[version], complete_us, now_us)
        with self._db.write() as tx:
            end_all(tx, SOURCE, self._model, at_us=now_us, but_versions=watched)
        return judged

    def _version(self, version: int, reference: Reference, complete_us: int, now_us: int) -> int:
        judged = 0
        while True:
            state = self._state(version)
            with self._db.read() as tx:
                spans = spans_of(tx, self._model, version, state.cursor_us)
            whole = list(takewhile(lambda span: span.until_us <= complete_us, spans))
            chunk = first_chunk(whole, self.size)
            if not chunk:
                self._early(version, reference, state, whole, now_us)
                return judged
            self._judge(version, reference, state, chunk, now_us)
            judged += 1

    def _judge(
        self, version: int, reference: Reference, state: State, chunk: Sequence[Span], now_us: int
    ) -> None:
        """One whole chunk, with the longer stretches that end with it, and against the week before it."""
        past, look, cut = self._past(version), state.looks + 1, self.size.said
        told = self._told(version, chunk)
        newest, before = told.chunks[-1].profile, week_before(told)
        week = before is not None
        jumped = has_jumped(reference, newest, look, week=week)
        run = run_with(past.chunks, jumped=jumped, cut=cut)
        stretches = {1: newest} | {
            scale: merged_profiles([*run[1 - scale :], newest])
            for scale in SCALES[1:]
            if len(run) >= scale - 1
        }
        found = judge(reference, stretches, look, week=week)
        since = None
        if before is not None:
            broken = [each.column for each in found.broken if each.fault is not Fault.NEW]
            since = jumps(reference, newest, before, look, past=past.verdicts, but=broken)
        sure = since.named if since is not None else frozenset[str]()
        found, seasonal = without_usual(found, reference, told, len(past.verdicts) + 1, but=sure)
        found, season = without_season(found, reference, told)
        verdict = verdict_of(
            reference, found, stretches, past=past.verdicts, chunk=chunk, look=look, seasonal=seasonal, season=season,
            week=since.without(season) if since is not None else None,
        )  # fmt: skip
        verdict = msgspec.structs.replace(verdict, jumped=jumped, cut=cut)
        self._conclude(version, reference, state, verdict, now_us)
        past.add(verdict, newest)

    def _conclude(
        self, version: int, reference: Reference, state: State, verdict: Verdict, now_us: int
    ) -> None:
        """Store a verdict with what is said of it and where the judging is, in one transaction."""
        said = [
            *notices_of_verdict(self._model, version, verdict, reference),
            *notices_of_week(self._model, version, verdict, reference),
        ]
        notices, after = held_over(state, said)
        after = msgspec.structs.replace(after, looks=verdict.look, cursor_us=verdict.until_us, early_rows=0)
        with self._db.write() as tx:
            put_verdict(tx, self._model, version, verdict, now_us)
            settle(tx, SOURCE, self._model, version, notices, at_us=now_us)
            self._keep(tx, version, after, now_us)

    def _early(
        self, version: int, reference: Reference, state: State, spans: Sequence[Span], now_us: int
    ) -> None:
        """A look at a chunk that is not whole, each time that its rows have doubled."""
        rows = sum(span.rows for span in spans)
        if rows < max(FIRST_EARLY, 2 * state.early_rows):
            return
        told = self._told(version, spans)
        newest, same = told.chunks[-1].profile, told.days_before(EARLIER_DAYS)
        look, found = state.looks + 1, Found()
        if len(same) >= PERIODS:
            far = far_moved(reference, newest, look)
            usual = far_moved(as_reference(reference, merged_profiles(same)), newest, look)
            calendar = unsteady(reference, [*same[::-1], newest], far)
            sure = {name: (each, 1) for name, each in far.items() if name in usual and name not in calendar}
            answers = {name.removeprefix(OUT): each for name, each in sure.items() if name.startswith(OUT)}
            columns = {name: each for name, each in sure.items() if not name.startswith(OUT)}
            left, _ = without_season(Found(columns, answers), reference, told)
            found = left if left.moved else Found()  # answers by themselves wait for the whole chunk
        verdict = verdict_of(
            reference, found, {1: newest}, past=self._past(version).verdicts, chunk=spans, look=look
        )
        notices = notices_of_verdict(self._model, version, verdict, reference)
        notices = [each for each in notices if _is_news(each, state.held.get(each.subject))]
        held = {**state.held, **{notice.subject: notice for notice in notices}}
        after = msgspec.structs.replace(state, looks=look, early_rows=rows, held=held)
        with self._db.write() as tx:
            if notices:
                settle(tx, SOURCE, self._model, version, held.values(), at_us=now_us)
            self._keep(tx, version, after, now_us)

    def _told(self, version: int, spans: Sequence[Span]) -> Told:
        """What was counted of a version, the newest chunk last."""
        between = cache(self._between(version))
        start_us, until_us = spans[0].start_us, spans[-1].until_us
        newest = Chunk(start_us, until_us, between(start_us, until_us))
        return Told([*self._past(version).chunks, newest], between)

    def _between(self, version: int) -> Callable[[int, int], Profile]:
        def between(since_us: int, until_us: int) -> Profile:
            with self._db.read() as tx:
                return profile_between(tx, self._model, version, since_us, until_us)

        return between

    def _past(self, version: int) -> _Past:
        """Read once: verdicts, and the newest chunks' sums."""
        if version not in self._pasts:
            with self._db.read() as tx:
                known = verdicts_of(tx, self._model, version)
                chunks = [
                    _chunk(each, profile_between(tx, self._model, version, each.start_us, each.until_us))
                    for each in known[-KEPT_CHUNKS:]
                ]
            self._pasts[version] = _Past(known, chunks)
        return self._pasts[version]

    def _state(self, version: int) -> State:
        with self._db.read() as tx:
            body = place_of(tx, f"judged:{self._model}/{version}")
        return State() if body is None else msgspec.json.decode(body, type=State)

    def _keep(self, tx: sa.Connection, version: int, state: State, now_us: int) -> None:
        put_place(tx, f"judged:{self._model}/{version}", msgspec.json.encode(state), now_us)
