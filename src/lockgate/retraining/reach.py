"""How far back should a retraining learn? What the recorded past itself says, played again from several moments of it.

Rolling origin: stretches of the past, one after the other, are answered by a model that learned all that was known when the
stretch began, and by others that learned the newest days of that alone. Labels count from when they became known. All of the
past is learned from unless fewer days are clearly better: on the same rows, over days (rows of a day are alike), corrected for
how many lengths were tried, in two stretches of three, and by more than a hundredth of the error. Of several such lengths the
longest that is not clearly worse than the best: more days hold more of the seasons. The rows by which versions are compared later
are in none of it, and what will be kept back for them lies between what is learned and what is answered here too.

Sources: Tashman (2000), Out-of-sample tests of forecasting accuracy, Int. J. Forecasting 16 (rolling origin); Pesaran and
Timmermann (2007), Selection of estimation window in the presence of breaks, J. of Econometrics 137 (by cross-validation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from lockgate.clock import DAY_US, iso
from lockgate.stats.clusters import mean_by

LADDER = (14.0, 30.0, 60.0, 90.0, 180.0, 365.0, 730.0)  # days, as people count them
MOST_LENGTHS = 5  # of the ladder, the longest that fit
BLOCKS = 6  # stretches that are answered: with five lengths and all of it, 36 trainings at most
FEWEST_BLOCKS = 3  # in which a length is tried, or it is not
LONGEST_BLOCK_DAYS, SHORTEST_BLOCK_DAYS = 30.0, 7.0
PAST_BLOCKS = 10  # a stretch is a tenth of the past, within these bounds
LONGER = 1.25  # so much longer than the days that are tried must the past before a stretch be
MOST_LEARNED, MOST_JUDGED = 20_000, 4_000  # rows of one training, and of one stretch: evenly drawn
CHANCE = 0.05  # that days are called better where they are not, all lengths together
LEAST = 0.01  # of the error: less is no reason to forget
STEADY = 2 / 3  # of the stretches, in which fewer days are better

Teach = Callable[
    [np.ndarray, np.ndarray], np.ndarray | None
]  # rows to learn, rows to answer -> error of each; None: too few
Told = Callable[[int, int], None]  # trainings done, in all


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """One length. `error` of models that learned its days alone, `error_all` of those that learned all, on the same rows of
    `blocks` stretches; `smaller`: by which share of it, with its interval; `clear`: by all that is asked."""

    days: float
    blocks: int
    error: float
    error_all: float
    smaller: float
    low: float
    high: float
    clear: bool


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """How far back is learned from. `days` None: all of the past; `words`: which and why; `by`: what was trained to find it."""

    words: str
    days: float | None = None
    by: str = ""
    fits: int = 0
    tried: tuple[Tried, ...] = ()


@dataclass(frozen=True, eq=False)
class Past:
    """n rows in the order of time, `at_us` (n,), whose labels were known at `known_us` (n,); comparing begins `until_us`."""

    at_us: np.ndarray
    known_us: np.ndarray
    until_us: int

    @property
    def kept_us(self) -> int:
        """How long the time is that versions are compared on: nothing of it is learned from."""
        return max(int(self.at_us[-1]) - self.until_us, 0) if self.at_us.size else 0

    @property
    def span_days(self) -> float:
        """From the first row to where comparing begins."""
        return float(self.until_us - self.at_us[0]) / DAY_US if self.at_us.size else 0.0


@dataclass(frozen=True, eq=False)
class _Block:
    """One stretch: when it begins, its rows, and the error of each by length (0: all of the past)."""

    start_us: int
    rows: np.ndarray
    errors: dict[float, np.ndarray]


def reach(past: Past, teach: Teach, *, by: str, unit: str, tell: Told) -> Reach:
    """How far back to learn. `by`: what `teach` trains, `unit`: what an error is, for sentences. Raises what `teach` raises."""
    starts = _starts(past)
    lengths = lengths_of(past, starts)
    if not lengths:
        return Reach(words=_too_short(past), by=by)
    blocks, fits, of = [], 0, sum(1 + len(_fitting(past, start, lengths)) for start in starts)
    for place, start in enumerate(starts):
        end = starts[place + 1] if place + 1 < len(starts) else past.until_us
        found = _evenly(np.flatnonzero((past.at_us >= start) & (past.at_us < end)), MOST_JUDGED)
        errors: dict[float, np.ndarray] = {}
        for days in (0.0, *_fitting(past, start, lengths)):
            tell(fits, of)
            fits += 1
            made = teach(_learned(past, start, days), found) if found.size else None
            if made is None or not np.isfinite(made).all():  # too few rows, or answers that are no numbers
                if days == 0.0:
                    break
                continue
            errors[days] = made
        if errors:
            blocks.append(_Block(start, found, errors))
    return _chosen(past, blocks, lengths, by=by, unit=unit, fits=fits)


def lengths_of(past: Past, starts: Sequence[int]) -> list[float]:
    """The lengths that can be tried: the past is longer before some of the stretches."""
    fit = [
        days
        for days in LADDER
        if sum(days in _fitting(past, start, [days]) for start in starts) >= FEWEST_BLOCKS
    ]
    return fit[-MOST_LENGTHS:]


def _starts(past: Past) -> list[int]:
    """When stretches begin, the oldest first: equally long ones that end where comparing begins."""
    days = min(max(past.span_days / PAST_BLOCKS, SHORTEST_BLOCK_DAYS), LONGEST_BLOCK_DAYS)
    starts = [past.until_us - round(place * days * DAY_US) for place in range(BLOCKS, 0, -1)]
    return [start for start in starts if past.at_us.size and start > past.at_us[0]]


def _fitting(past: Past, start_us: int, lengths: Sequence[float]) -> list[float]:
    """The lengths that leave something out of what can be learned from before a stretch."""
    before_days = float(start_us - past.kept_us - past.at_us[0]) / DAY_US
    return [days for days in lengths if before_days >= LONGER * days]


def _learned(past: Past, start_us: int, days: float) -> np.ndarray:
    """The rows that would have been learned from then; `days` 0: all."""
    end_us = start_us - past.kept_us
    known = (past.at_us < end_us) & (past.known_us <= start_us)
    if days:
        known &= past.at_us >= end_us - days * DAY_US
    return _evenly(np.flatnonzero(known), MOST_LEARNED)


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if rows.size <= most else rows[np.linspace(0, rows.size - 1, most).astype(int)]


def _chosen(
    past: Past, blocks: list[_Block], lengths: Sequence[float], *, by: str, unit: str, fits: int
) -> Reach:
    """All of the past, or of the lengths that are clearly better the longest that is not clearly worse than the best."""
    tried = tuple(
        found
        for days in lengths
        if (found := _tried(past, blocks, days, level=1 - CHANCE / len(lengths))) is not None
    )
    if not tried:
        return Reach(words=_too_short(past), by=by, fits=fits)
    clear = [each for each in tried if each.clear]
    if not clear:
        return Reach(words=_all_words(past, tried, by, unit), by=by, fits=fits, tried=tried)
    both = [each for each in blocks if all(one.days in each.errors for one in clear)]
    longest = max(each.days for each in clear)
    if both:  # else they were tried in other stretches each, and none can be called worse than another
        best = min(
            clear, key=lambda each: float(np.concatenate([block.errors[each.days] for block in both]).mean())
        )
        longest = max(each.days for each in clear if not _worse(past, both, each.days, best.days))
    chosen = next(each for each in clear if each.days == longest)
    return Reach(words=_words(past, chosen, by, unit), days=longest, by=by, fits=fits, tried=tried)


def _tried(past: Past, blocks: list[_Block], days: float, *, level: float) -> Tried | None:
    """A length beside all of the past; None where it was tried in too few stretches."""
    mine = [each for each in blocks if days in each.errors]
    if len(mine) < FEWEST_BLOCKS:
        return None
    ours, theirs = (np.concatenate([each.errors[length] for each in mine]) for length in (days, 0.0))
    size = float(theirs.mean())
    days_of = past.at_us[np.concatenate([each.rows for each in mine])] // DAY_US
    gain = mean_by(theirs - ours, days_of, level)
    smaller, low, high = (value / size if size else 0.0 for value in (gain.value, gain.low, gain.high))
    better = sum(float(each.errors[days].mean()) < float(each.errors[0.0].mean()) for each in mine)
    clear = bool(low > 0 and smaller >= LEAST and better >= STEADY * len(mine))
    return Tried(days=days, blocks=len(mine), error=float(ours.mean()), error_all=size, smaller=smaller, low=low, high=high,
                 clear=clear)  # fmt: skip


def _worse(past: Past, blocks: list[_Block], days: float, best: float) -> bool:
    """Whether a length is clearly worse than the best on the stretches in which both were tried."""
    larger = np.concatenate([each.errors[days] - each.errors[best] for each in blocks])
    return (
        days != best
        and mean_by(larger, past.at_us[np.concatenate([each.rows for each in blocks])] // DAY_US).low > 0
    )


def _words(past: Past, best: Tried, by: str, unit: str) -> str:
    first, last = iso(int(past.at_us[0]))[:10], iso(past.until_us)[:10]
    return (
        f"It learns from the newest {best.days:g} days. Over {best.blocks} stretches of the rows of {first} to {last} {by} that "
        f"learned the {best.days:g} days before each alone had {unit} {best.error:.4g}, and one that learned all before it "
        f"{best.error_all:.4g}: {best.smaller:.1%} smaller ({best.low:.1%} to {best.high:.1%})."
    )


def _all_words(past: Past, tried: Sequence[Tried], by: str, unit: str) -> str:
    nearest = max(tried, key=lambda each: each.smaller)
    names = ", ".join(f"{each.days:g}" for each in tried)
    side = f"{abs(nearest.smaller):.1%} {'smaller' if nearest.smaller > 0 else 'larger'}"
    return (
        f"It learns from all days. Of the newest {names} alone none was clearly better over stretches of the rows of "
        f"{iso(int(past.at_us[0]))[:10]} to {iso(past.until_us)[:10]}: {by} had {unit} {nearest.error:.4g} with "
        f"{nearest.days:g} days and {nearest.error_all:.4g} with all, {side} ({nearest.low:.1%} to {nearest.high:.1%})."
    )


def _too_short(past: Past) -> str:
    return (
        f"It learns from all days: the {past.span_days:.0f} days before the rows that versions are compared on are too few to "
        "see whether fewer would teach more."
    )
