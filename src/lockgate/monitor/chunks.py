"""Chunks: which hours make one, which earlier ones are like it, and how long what was found holds. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

import msgspec

from lockgate.clock import DAY_US, HOUR_US
from lockgate.monitor.notices import Notice
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import Span
from lockgate.monitor.verdicts import Verdict

LEAST_ROWS = 500
LEAST_SPAN_US = DAY_US
LONGEST_DAY_US = DAY_US + 2 * HOUR_US
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


def first_chunk(spans: Sequence[Span], size: ChunkSize) -> list[Span]:
    """The first spans that make a chunk; empty when they do not yet."""
    rows = 0
    for place, span in enumerate(spans):
        rows += span.rows
        if rows >= size.rows and span.until_us - spans[0].start_us >= size.span_us:
            return list(spans[: place + 1])
    return []


def is_day(chunk: Sequence[Span]) -> bool:
    """Whether a chunk is a day, so that days of the week can be told apart."""
    return DAY_US - 2 * HOUR_US <= chunk[-1].until_us - chunk[0].start_us <= LONGEST_DAY_US


def same_days(chunks: Sequence[tuple[Verdict, Profile]], chunk: Sequence[Span]) -> list[Profile]:
    """Earlier chunks of the same day of the week."""
    middle = (chunk[0].start_us + chunk[-1].until_us) // 2
    return [
        profile for judged, profile in chunks
        if judged.until_us - judged.start_us <= LONGEST_DAY_US
        and (judged.start_us + judged.until_us) // 2 // DAY_US % 7 == middle // DAY_US % 7
    ]  # fmt: skip


def run_with(chunks: Sequence[tuple[Verdict, Profile]], *, jumped: bool) -> list[Profile]:
    """The newest chunks that showed a move by themselves, or did not, as the one that follows them.

    Longer stretches find what creeps, and small moves beside large ones; across a jump they would only tell of its past.
    """
    run = takewhile(lambda chunk: chunk[0].jumped == jumped, reversed(chunks))
    return [profile for _, profile in run][::-1]


def held_over(state: State, notices: Sequence[Notice]) -> tuple[list[Notice], State]:
    """Notices that hold: those found now, and those found not long ago, as they were."""
    found = {notice.subject: notice for notice in notices}
    quiet = {subject: state.quiet.get(subject, 0) + 1 for subject in state.held if subject not in found}
    kept = {subject: state.held[subject] for subject, times in quiet.items() if times < QUIET}
    held = {**kept, **found}
    left = {subject: times for subject, times in quiet.items() if subject in kept}
    return list(held.values()), msgspec.structs.replace(state, held=held, quiet=left)
