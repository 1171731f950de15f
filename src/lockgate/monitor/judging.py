"""When to judge, and what with: counted hours become chunks, each judged once, notices opened and ended.

A chunk ends with the hour in which it has enough rows and, so that day and night are in it, enough time. Each chunk is one
transaction: the verdict, the state and the notices. Before a chunk is whole, columns that lie far from the reference are
looked for among the hours that are (like with like: only where the same hours of earlier days can be held against them).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import takewhile

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US
from lockgate.db import Database
from lockgate.monitor.chunks import ChunkSize, State, first_chunk, held_over, is_day, run_with, same_days
from lockgate.monitor.drift import (
    SCALES,
    Found,
    as_reference,
    far_moved,
    has_jumped,
    judge,
    shifts_of,
    without_seasons,
)
from lockgate.monitor.judged import verdict_of
from lockgate.monitor.notices import end_all, settle
from lockgate.monitor.profile import Profile, merged_profiles
from lockgate.monitor.profiles import Span, profile_between, spans_of, versions_with_rows
from lockgate.monitor.reference import Reference
from lockgate.monitor.saying import notices_of_verdict
from lockgate.monitor.seasons import Chunk, Told, without_season
from lockgate.monitor.unsteady import unsteady, without_calendar
from lockgate.monitor.verdicts import SOURCE, Verdict, put_verdict, verdicts_of
from lockgate.monitor.watcher import place_of, put_place

PERIODS = 3  # so many days of the same name, or same hours, say what is usual
KEPT_CHUNKS = 63  # in memory: nine weeks of days
FIRST_EARLY = 200  # rows of a chunk that is not whole: then at twice as many, and so on
RETIRED_US = 7 * DAY_US  # a version that got no row for that long, while others did, is watched no longer


@dataclass(eq=False)
class _Past:
    """A version's judged chunks: their verdicts, and the sums of the newest ones, with their begins."""

    verdicts: list[Verdict]
    chunks: list[tuple[Verdict, Profile]] = field(default_factory=list)

    def with_newest(self, spans: Sequence[Span], newest: Profile) -> list[Chunk]:
        """What was judged and what is looked at now, as seasons are looked for in it."""
        before = [
            Chunk(each.start_us, each.until_us, profile, frozenset(cause.column for cause in each.causes))
            for each, profile in self.chunks
        ]
        return [*before, Chunk(spans[0].start_us, spans[-1].until_us, newest)]


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
        """One whole chunk, with the longer stretches that end with it."""
        past = self._past(version)
        with self._db.read() as tx:
            newest = profile_between(tx, self._model, version, chunk[0].start_us, chunk[-1].until_us)
        jumped = has_jumped(reference, newest, state.looks + 1)
        before = run_with(past.chunks, jumped=jumped)
        stretches = {1: newest} | {
            scale: merged_profiles([*before[1 - scale :], newest])
            for scale in SCALES[1:]
            if len(before) >= scale - 1
        }
        found = judge(reference, stretches, state.looks + 1)
        found, seasonal = self._without_seasons(found, past, reference, chunk, newest)
        found, season = without_season(found, reference, self._told(version, chunk, newest))
        verdict = verdict_of(
            reference,
            found,
            stretches,
            past=past.verdicts,
            chunk=chunk,
            look=state.looks + 1,
            seasonal=seasonal,
            season=season,
        )
        verdict = msgspec.structs.replace(
            verdict, jumped=jumped, week=self._week(past, reference, chunk, newest, verdict)
        )
        notices, after = held_over(state, notices_of_verdict(self._model, version, verdict, reference))
        after = msgspec.structs.replace(
            after, looks=state.looks + 1, cursor_us=chunk[-1].until_us, early_rows=0
        )
        with self._db.write() as tx:
            put_verdict(tx, self._model, version, verdict, now_us)
            settle(tx, SOURCE, self._model, version, notices, at_us=now_us)
            self._keep(tx, version, after, now_us)
        past.verdicts.append(verdict)
        past.chunks = [*past.chunks, (verdict, newest)][-KEPT_CHUNKS:]

    def _without_seasons(
        self, found: Found, past: _Past, reference: Reference, chunk: Sequence[Span], newest: Profile
    ) -> tuple[Found, tuple[str, ...]]:
        """Days of the week differ: a day counts as moved where it differs from earlier ones of its name, or, before there are
        enough of them, where the week that ends with it moved as a whole. Inputs of the calendar say nothing."""
        if not is_day(chunk):
            return found, ()
        found, calendar = without_calendar(
            found, reference, [*(profile for _, profile in past.chunks), newest]
        )
        left, seasonal = self._without_weeks(found, past, reference, chunk, newest)
        return left, (*calendar, *seasonal)

    def _without_weeks(
        self, found: Found, past: _Past, reference: Reference, chunk: Sequence[Span], newest: Profile
    ) -> tuple[Found, tuple[str, ...]]:
        look, same = len(past.verdicts) + 1, same_days(past.chunks, chunk)
        if len(same) >= PERIODS:
            return without_seasons(found, as_reference(reference, merged_profiles(same)), newest, look)
        week = [profile for _, profile in past.chunks[-6:]]
        if len(week) < 6:
            everything = [name for name, (_, chunks) in found.moved.items() if chunks == 1]
            left = {name: pair for name, pair in found.moved.items() if pair[1] > 1}
            answers = {name: pair for name, pair in found.answers.items() if pair[1] > 1}
            return replace(found, moved=left, answers=answers), tuple(everything)
        return without_seasons(found, reference, merged_profiles([*week, newest]), look)

    def _week(
        self, past: _Past, reference: Reference, chunk: Sequence[Span], newest: Profile, verdict: Verdict
    ) -> dict[str, float]:
        """How far moved columns lie from the seven days before this chunk."""
        since_us = chunk[0].start_us - 7 * DAY_US
        before = [profile for judged, profile in past.chunks if judged.start_us >= since_us]
        if not before or not verdict.causes:
            return {}
        held = as_reference(reference, merged_profiles(before))
        shifts, _ = shifts_of(held, newest)
        return {
            cause.column: round(shifts[cause.column].effect, 4)
            for cause in verdict.causes
            if cause.column in shifts
        }

    def _early(
        self, version: int, reference: Reference, state: State, spans: Sequence[Span], now_us: int
    ) -> None:
        """A look at a chunk that is not whole, each time that its rows have doubled."""
        rows = sum(span.rows for span in spans)
        if rows < max(FIRST_EARLY, 2 * state.early_rows):
            return
        with self._db.read() as tx:
            newest = profile_between(tx, self._model, version, spans[0].start_us, spans[-1].until_us)
            same = [
                profile for days in range(1, 15)
                if (profile := profile_between(tx, self._model, version, spans[0].start_us - days * DAY_US,
                                               spans[-1].until_us - days * DAY_US)).rows
            ]  # fmt: skip
        look = state.looks + 1
        after = msgspec.structs.replace(state, looks=look, early_rows=rows)
        found = Found()
        if len(same) >= PERIODS:
            far = far_moved(reference, newest, look)
            usual = far_moved(as_reference(reference, merged_profiles(same)), newest, look)
            calendar = unsteady(reference, [*same[::-1], newest], far)
            found = Found(
                moved={name: (far[name], 1) for name in far if name in usual and name not in calendar}
            )
            found, _ = without_season(found, reference, self._told(version, spans, newest))
        verdict = verdict_of(
            reference, found, {1: newest}, past=self._past(version).verdicts, chunk=spans, look=look
        )
        notices = notices_of_verdict(self._model, version, verdict, reference)
        held = {**state.held, **{notice.subject: notice for notice in notices}}
        with self._db.write() as tx:
            if notices:
                settle(tx, SOURCE, self._model, version, held.values(), at_us=now_us)
            self._keep(tx, version, msgspec.structs.replace(after, held=held), now_us)

    def _told(self, version: int, spans: Sequence[Span], newest: Profile) -> Told:
        """What was counted of a version, as seasons are looked for in it."""

        def between(since_us: int, until_us: int) -> Profile:
            with self._db.read() as tx:
                return profile_between(tx, self._model, version, since_us, until_us)

        return Told(self._past(version).with_newest(spans, newest), cache(between))

    def _past(self, version: int) -> _Past:
        """Read once: verdicts, and the newest chunks' sums."""
        if version not in self._pasts:
            with self._db.read() as tx:
                known = verdicts_of(tx, self._model, version)
                chunks = [
                    (each, profile_between(tx, self._model, version, each.start_us, each.until_us))
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
