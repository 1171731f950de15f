"""Is it as last week? A chunk held against the seven days before it, whatever the validation says of it. Pure.

A column that somebody accepted as moved may move again, and one that moves too little for the validation's rows may jump from
one week to the next. Like is held against like: a day must differ from the seven days before it and from its namesakes of
earlier weeks, some hours from the same hours of both. And columns wander: one counts where it lies farther from its last week
than its chunks lay from theirs, and a quarter more. Answers wander with all of their inputs, so of them nothing is said before
that is known.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lockgate.checks.baseline import ANSWER
from lockgate.clock import DAY_US
from lockgate.monitor.chunks import SHORTEST_DAY_US, Chunk, Told
from lockgate.monitor.drift import FAR, OUT, as_reference, by_question, share_of, shifts_of
from lockgate.monitor.profile import Profile, merged_profiles
from lockgate.monitor.reference import Reference
from lockgate.monitor.seasons import MORE, explains_answers, farthest_step, follows, values_in
from lockgate.monitor.usual import WEEKS
from lockgate.monitor.verdicts import Verdict
from lockgate.stats.drift import Moved, Shift, moved
from lockgate.stats.pairs import Turned, turned

WEEK = 7  # days
LEAST_ROWS = 100  # of the days before
KNOWN = 7  # chunks that were held against their week: then it is known how far a column wanders
REMEMBERED = 63  # of which the newest so many count
_MOST = 0.9  # of a week: from there on a chunk is a week, and is held against the one before it


@dataclass(frozen=True)
class Before:
    """What a chunk is held against: `whole`, the rows of the seven days before; `same`, those of its namesakes in earlier weeks,
    None where it holds whole weeks itself; `chunks`: those of the seven days, one by one."""

    whole: Profile
    same: Profile | None
    chunks: tuple[Chunk, ...] = ()


@dataclass(frozen=True)
class Jumped:
    """What is not as last week. `whole`: last week's rows; `far`: the distance of every column and answer (`by_question`) from
    them, in standard deviations; `columns`, `answers`: those that jumped; `turned`: how columns go together."""

    whole: Profile
    far: Mapping[str, float] = field(default_factory=dict)
    columns: Mapping[str, Moved] = field(default_factory=dict)
    answers: Mapping[str, Moved] = field(default_factory=dict)
    turned: tuple[Turned, ...] = ()

    @property
    def named(self) -> frozenset[str]:
        """Columns and answers that jumped (`by_question`)."""
        return frozenset({*self.columns, *(f"{OUT}{name}" for name in self.answers)})

    def without(self, names: Collection[str]) -> Jumped:
        """The same but for some columns, which are expected to lie elsewhere."""
        left = {name: each for name, each in self.columns.items() if name not in names}
        turned = tuple(each for each in self.turned if not {each.one, each.other} & {*names})
        return replace(self, columns=left, turned=turned)


def week_before(told: Told) -> Before | None:
    """What the newest chunk is held against; None before there is a week and a day of its name, or hours of it."""
    *earlier, newest = told.chunks
    begin_us = newest.start_us - WEEK * DAY_US
    chunks = tuple(each for each in earlier if each.middle_us >= begin_us)
    if newest.days >= _MOST * WEEK:
        return _stretch_before(earlier, newest)
    if newest.is_day:
        same = told.same_days()
        last = [each.profile for each in chunks] if len(chunks) >= WEEK - 1 else []
    else:
        same = told.days_before(WEEKS)
        short = newest.until_us - newest.start_us < SHORTEST_DAY_US
        last = told.days_before(range(1, WEEK + 1)) if short else [told.between(begin_us, newest.start_us)]
    return _enough(last, merged_profiles(same), chunks) if same else None


def _stretch_before(earlier: Sequence[Chunk], newest: Chunk) -> Before | None:
    """Of a week or more: the chunk before it, or, after a setting that was changed, as many smaller ones as it is long."""
    begin_us = newest.start_us - (newest.until_us - newest.start_us)
    chunks = tuple(each for each in earlier if each.middle_us >= begin_us) or tuple(earlier[-1:])
    if sum(each.days for each in chunks) < _MOST * WEEK:
        return None  # days of a week differ
    return _enough([each.profile for each in chunks], None, chunks)


def _enough(last: Sequence[Profile], same: Profile | None, chunks: tuple[Chunk, ...]) -> Before | None:
    whole = merged_profiles(last)
    return Before(whole, same, chunks) if whole.rows >= LEAST_ROWS else None


def jumps(
    reference: Reference, newest: Profile, before: Before, look: int,
    *, past: Sequence[Verdict], but: Collection[str] = (),
) -> Jumped:  # fmt: skip
    """What of a chunk is not as last week. `past`: earlier verdicts, which know how far columns wander; `but`: columns that
    broke, of which nothing is said."""
    share = share_of(reference, look, week=True)
    held = as_reference(reference, before.whole)
    shifts = by_question(*shifts_of(held, newest))
    sure = {each.column: each for each in moved(shifts, false_share=share)}
    if before.same is not None:
        alike = by_question(*shifts_of(as_reference(reference, before.same), newest))
        differ = {each.column for each in moved(alike, false_share=share)}
        sure = {name: each for name, each in sure.items() if name in differ}
    wander = wandering(past)
    found = {
        name: each for name, each in sure.items()
        if name not in but and (name in wander or not name.startswith(OUT))
        and _farther(each, wander.get(name), farthest_step(reference, name))
        and not _of_the_calendar(reference, name, newest, before)
    }  # fmt: skip
    columns = {name: each for name, each in found.items() if not name.startswith(OUT)}
    season = {
        name: _far(shifts[name]) for name in reference.columns if name in shifts and follows(reference, name)
    }
    return Jumped(
        before.whole, {name: round(_far(shift), 4) for name, shift in shifts.items()}, columns,
        {
            name.removeprefix(OUT): each for name, each in found.items()
            if name.startswith(OUT) and not explains_answers(reference, season, each.effect)
        },
        _turned(newest, before, (*columns, *but, ANSWER), share),
    )  # fmt: skip


def wandering(past: Sequence[Verdict]) -> dict[str, float]:
    """How far each column and answer (`by_question`) lay from its last week at most, where enough chunks say so; those in which
    it jumped are no measure."""
    lay: dict[str, list[float]] = {}
    for verdict in past[-REMEMBERED:]:
        jumped = {each.column for each in verdict.jumps} | {f"{OUT}{each.column}" for each in verdict.leaps}
        for name, far in verdict.week.items():
            if name not in jumped:
                lay.setdefault(name, []).append(far)
    return {name: max(each) for name, each in lay.items() if len(each) >= KNOWN}


def _far(shift: Shift) -> float:
    return max(shift.effect, shift.missing_effect)


def _farther(found: Moved, wandered: float | None, season: float | None) -> bool:
    """Whether a column lies farther than it wanders; where nobody knows how far it does, far."""
    if season is not None and not found.missing and found.effect <= season:
        return False
    if wandered is not None:
        return found.effect > MORE * wandered
    return found.missing or found.shift.low >= FAR


def _of_the_calendar(reference: Reference, name: str, newest: Profile, before: Before) -> bool:
    """Whether a column holds one value now and held one, other, in each chunk of the week: the month, a holiday."""
    sketch = reference.columns.get(name)
    if sketch is None or not before.chunks:
        return False
    held = [
        values_in(each.columns[name], sketch)
        for each in (newest, *(chunk.profile for chunk in before.chunks)) if name in each.columns
    ]  # fmt: skip
    return len(held) > 1 and held[0] == 1 and sum(count == 1 for count in held[1:]) >= len(held) - 2


def _turned(newest: Profile, before: Before, but: Sequence[str], share: float) -> tuple[Turned, ...]:
    """Columns that go together otherwise than last week, and than on days or hours of their name."""
    if newest.pairs is None or before.whole.pairs is None:
        return ()
    found = turned(before.whole.pairs, newest.pairs, but=but, false_share=share)
    if before.same is None or not found:
        return tuple(found)
    if before.same.pairs is None:
        return ()
    also = {
        (each.one, each.other) for each in turned(before.same.pairs, newest.pairs, but=but, false_share=share)
    }
    return tuple(each for each in found if (each.one, each.other) in also)
