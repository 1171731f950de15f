"""Chunks: which hours make one, which go together with it, and how long what was found holds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

import msgspec

from lockgate.clock import DAY_US, HOUR_US
from lockgate.config_monitor import MonitorConfig
from lockgate.monitor.notices import Notice
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import Span

LEAST_ROWS = 500
LEAST_SPAN_US = DAY_US
SHORTEST_DAY_US, LONGEST_DAY_US = DAY_US - 2 * HOUR_US, DAY_US + 2 * HOUR_US
QUIET = 3  # chunks in which a notice is no longer found: then it is over


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the judging of a version is: looks so far, the begin of the open chunk, rows of it at the last early look; notices
    that hold, and in how many chunks each was not found since."""

    looks: int = 0
    cursor_us: int = 0
    early_rows: int = 0
    held: dict[str, Notice] = {}
    quiet: dict[str, int] = {}


@dataclass(frozen=True)
class ChunkSize:
    """What a chunk needs at least."""

    rows: int = LEAST_ROWS
    span_us: int = LEAST_SPAN_US

    @property
    def said(self) -> str:
        """In words.

        >>> ChunkSize().said, ChunkSize(10_000, 0).said, ChunkSize(span_us=6 * HOUR_US).said
        ('500 rows and a day', '10,000 rows', '500 rows and 6 hours')
        """
        parts = [f"{self.rows:,} rows"] if self.rows else []
        for unit_us, unit in ((7 * DAY_US, "week"), (DAY_US, "day"), (HOUR_US, "hour")):
            if self.span_us and self.span_us % unit_us == 0:
                count = self.span_us // unit_us
                one = "an hour" if unit == "hour" else f"a {unit}"
                parts.append(one if count == 1 else f"{count} {unit}s")
                break
        return " and ".join(parts)


def size_of(config: MonitorConfig) -> ChunkSize:
    """The size that settings ask for; without a word 500 rows and a day. A chunk of time goes on until it has 500 rows."""
    rows, hours = config.cut
    if rows:
        return ChunkSize(rows=rows, span_us=0)
    return ChunkSize(span_us=hours * HOUR_US) if hours else ChunkSize()


def first_chunk(spans: Sequence[Span], size: ChunkSize) -> list[Span]:
    """The first spans that make a chunk; empty when they do not yet."""
    rows = 0
    for place, span in enumerate(spans):
        rows += span.rows
        if rows >= size.rows and span.until_us - spans[0].start_us >= size.span_us:
            return list(spans[: place + 1])
    return []


@dataclass(frozen=True)
class Chunk:
    """A stretch that was counted. `causes`: columns of which it was said that they moved, and not as the season does; `jumped`:
    something moved in it by itself; `cut`: the size that was asked for, in words."""

    start_us: int
    until_us: int
    profile: Profile
    causes: frozenset[str] = frozenset()
    jumped: bool = False
    cut: str = ""

    @property
    def middle_us(self) -> int:
        """The time half-way."""
        return (self.start_us + self.until_us) // 2

    @property
    def days(self) -> float:
        """How long it is."""
        return (self.until_us - self.start_us) / DAY_US

    @property
    def is_day(self) -> bool:
        """Whether it is a day, so that days of the week can be told apart."""
        return SHORTEST_DAY_US <= self.until_us - self.start_us <= LONGEST_DAY_US


@dataclass(frozen=True)
class Told:
    """What was counted: chunks, oldest first, of which the last is looked at; and any stretch, cut to the hour."""

    chunks: Sequence[Chunk]
    between: Callable[[int, int], Profile]

    def same_days(self) -> list[Profile]:
        """Earlier chunks of the same day of the week as the newest."""
        *earlier, newest = self.chunks
        return [
            each.profile for each in earlier
            if each.until_us - each.start_us <= LONGEST_DAY_US
            and each.middle_us // DAY_US % 7 == newest.middle_us // DAY_US % 7
        ]  # fmt: skip

    def days_before(self, days: Iterable[int], *, stretch: tuple[int, int] | None = None) -> list[Profile]:
        """The same hours so many days before the newest chunk, or before a stretch (from, up to); none where no row came."""
        start_us, until_us = stretch or (self.chunks[-1].start_us, self.chunks[-1].until_us)
        found = [self.between(start_us - count * DAY_US, until_us - count * DAY_US) for count in days]
        return [each for each in found if each.rows]


def run_with(chunks: Sequence[Chunk], *, jumped: bool, cut: str) -> list[Profile]:
    """The newest chunks that are cut like the one that follows them, and showed a move by themselves, or did not, as it does.

    Longer stretches find what creeps, and small moves beside large ones; across a jump they would only tell of its past.
    """
    run = takewhile(lambda chunk: chunk.jumped == jumped and chunk.cut == cut, reversed(chunks))
    return [chunk.profile for chunk in run][::-1]


def held_over(state: State, notices: Sequence[Notice]) -> tuple[list[Notice], State]:
    """Notices that hold: those found now, and those found not long ago, as they were."""
    found = {notice.subject: notice for notice in notices}
    quiet = {subject: state.quiet.get(subject, 0) + 1 for subject in state.held if subject not in found}
    kept = {subject: state.held[subject] for subject, times in quiet.items() if times < QUIET}
    held = {**kept, **found}
    left = {subject: times for subject, times in quiet.items() if subject in kept}
    return list(held.values()), msgspec.structs.replace(state, held=held, quiet=left)
