"""The shadow verdict: what would be decided differently, where, and whether that can be told yet. Pure.

Every bound holds at every look (`shadow_bounds`), so the verdict may be read as often as one likes. Segments share one
alpha; a segment is named only when its lower bound lies above the upper bound of all other rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from lockgate.release.shadow_bounds import anytime_share, rows_until
from lockgate.release.shadow_cost import Basis
from lockgate.release.shadow_tally import Difference, Tally
from lockgate.stats.evalues import normal_half_width
from lockgate.stats.intervals import Interval

ALPHA = 0.05
LIMIT = 0.05  # of decisions that may change before people should look twice
MEAN_PAIRS = 100  # from here on the bounds of a mean hold (asymptotic)
SHOWN_SEGMENTS = 5
PER_DECISIONS = 1_000  # costs are told for that many


class Told(StrEnum):
    """Whether the share of changed decisions can be told from the limit."""

    FEW = "few"  # surely below the limit
    MANY = "many"  # surely above
    NOT_YET = "not yet"


@dataclass(frozen=True)
class Segment:
    """A part of the rows where more decisions change than elsewhere. Intervals hold at every look."""

    column: str
    name: str
    pairs: int
    flips: Interval
    elsewhere: Interval

    @property
    def words(self) -> str:
        """`plan is basic`, `age over 60`."""
        verb = "" if self.name.startswith(("over ", "up to ")) else "is "
        return f"{self.column.removeprefix('in.')} {verb}{self.name}"


@dataclass(frozen=True)
class CostChange:
    """What 1,000 of the new version's decisions cost more than the old one's, with bounds, by one view of the truth."""

    basis: Basis
    rows: int
    change: Interval


@dataclass(frozen=True)
class ShadowVerdict:
    """What two versions' answers to the same rows say.

    `rate_old`, `rate_new`: share of the positive class (None: no such class). `rate_change`: new - old; in regression
    and for scores `mean_change`. `more`: further rows until it can be told; 0 when it can; None: not in sight.
    """

    told: Told
    pairs: int
    limit: float
    flips: Interval
    rate_old: float | None
    rate_new: float | None
    rate_change: Interval | None
    mean_change: Interval | None
    costs: tuple[CostChange, ...]
    new_failed: int
    old_failed: int
    more: int | None
    segments: tuple[Segment, ...]
    largest: tuple[Difference, ...]

    @property
    def agreement(self) -> float:
        """Share of rows on which both versions decide alike; NaN without pairs."""
        return 1 - self.flips.value

    @property
    def sentence(self) -> str:
        """The verdict in words that need no statistics."""
        return " ".join(_sentences(self))


def verdict_of(tally: Tally, *, limit: float = LIMIT, alpha: float = ALPHA) -> ShadowVerdict:
    """The verdict on what was counted so far. `limit` (0..1): the share of changed decisions that is asked about."""
    flips = anytime_share(tally.flips, tally.pairs, alpha)
    told = Told.FEW if flips.high < limit else Told.MANY if flips.low > limit else Told.NOT_YET
    old, new, change = _rates(tally, alpha)
    return ShadowVerdict(
        told=told,
        pairs=tally.pairs,
        limit=limit,
        flips=flips,
        rate_old=old,
        rate_new=new,
        rate_change=change,
        mean_change=_mean_change(tally.score_sum, tally.score_squares, tally.scored, alpha),
        costs=_costs(tally, alpha),
        new_failed=tally.new_failed,
        old_failed=tally.old_failed,
        more=0 if told is not Told.NOT_YET else rows_until(tally.flips, tally.pairs, limit, alpha),
        segments=standing_out(tally, alpha),
        largest=tally.largest,
    )


def standing_out(tally: Tally, alpha: float = ALPHA) -> tuple[Segment, ...]:
    """Segments where surely more decisions change than elsewhere, the clearest first.

    Each of m segments is asked at alpha / m, half of it for its own bounds and half for those of all other rows.
    """
    cells = [
        (column, name, *counts) for column, found in tally.segments.items() for name, counts in found.items()
    ]
    share = alpha / max(len(cells), 1) / 2
    found = []
    for column, name, pairs, flips in cells:
        if flips * tally.pairs <= tally.flips * pairs:
            continue  # no more changes than in all rows
        inside = anytime_share(flips, pairs, share)
        outside = anytime_share(tally.flips - flips, tally.pairs - pairs, share)
        if inside.low > outside.high:
            found.append(Segment(column, name, pairs, inside, outside))
    return tuple(sorted(found, key=lambda one: one.elsewhere.high - one.flips.low))


def _rates(tally: Tally, alpha: float) -> tuple[float | None, float | None, Interval | None]:
    """The share of the positive class in both versions, and its change with bounds."""
    positive = tally.lens.positive
    if positive is None or tally.lens.tolerance is not None or tally.pairs == 0:
        return None, None, None
    old = sum(tally.moves.get(positive, {}).values())
    kept = tally.moves.get(positive, {}).get(positive, 0)
    gained = sum(counts.get(positive, 0) for before, counts in tally.moves.items() if before != positive)
    lost = old - kept
    change = _mean_change(gained - lost, gained + lost, tally.pairs, alpha)
    return old / tally.pairs, (kept + gained) / tally.pairs, change


def _costs(tally: Tally, alpha: float) -> tuple[CostChange, ...]:
    """The change of cost by every view of the truth there is."""
    found = []
    for basis in Basis:
        sums = tally.costs.get(str(basis))
        change = _mean_change(sums.total, sums.squares, sums.rows, alpha) if sums is not None else None
        if sums is not None and change is not None:
            scaled = Interval(*(PER_DECISIONS * part for part in (change.value, change.low, change.high)))
            found.append(CostChange(basis, sums.rows, scaled))
    return tuple(found)


def _mean_change(total: float, squares: float, pairs: int, alpha: float) -> Interval | None:
    """The mean of differences within pairs, from their sum and sum of squares."""
    if pairs == 0:
        return None
    mean = total / pairs
    spread = max(squares / pairs - mean * mean, 0.0)
    if pairs < MEAN_PAIRS or (spread == 0.0 and total != 0.0):
        return Interval(mean, -math.inf, math.inf)
    half = normal_half_width(max(spread, 1.0 / pairs**2) / pairs, pairs, a=alpha)
    return Interval(mean, mean - half, mean + half)


def _sentences(verdict: ShadowVerdict) -> list[str]:
    if verdict.pairs == 0:
        return ["No request was answered by both versions yet."]
    flips, said = verdict.flips, []
    changed = round(flips.value * verdict.pairs)
    said.append(
        f"Of {verdict.pairs:,} rows that both versions answered, {changed:,} ({percent(flips.value)}) would be decided "
        f"differently (between {percent(flips.low)} and {percent(flips.high)})."
    )
    said.append(_answer(verdict))
    if verdict.rate_old is not None and verdict.rate_new is not None and verdict.rate_change is not None:
        said.append(_rate_words(verdict.rate_old, verdict.rate_new, verdict.rate_change))
    said += [_cost_words(cost) for cost in verdict.costs]
    for segment in verdict.segments[:SHOWN_SEGMENTS]:
        said.append(
            f"Where {segment.words}, {percent(segment.flips.value)} of {segment.pairs:,} decisions change, elsewhere "
            f"{percent(segment.elsewhere.value)}."
        )
    if verdict.new_failed:
        said.append(f"The new version failed on {verdict.new_failed:,} rows that the old one answered.")
    if verdict.old_failed:
        said.append(f"It answered {verdict.old_failed:,} rows on which the old version failed.")
    return said


def _answer(verdict: ShadowVerdict) -> str:
    asked = f"{percent(verdict.limit)} of decisions change"
    if verdict.told is Told.FEW:
        return f"It is clear that fewer than {asked}."
    if verdict.told is Told.MANY:
        return f"It is clear that more than {asked}: look at where before you go on."
    if verdict.more is None:
        return f"Whether more or fewer than {asked} cannot be told soon: the share lies close to it."
    return f"About {verdict.more:,} more rows until we can tell whether more or fewer than {asked}."


def _rate_words(old: float, new: float, change: Interval) -> str:
    if percent(old) == percent(new):
        return f"The share of positive decisions stays at {percent(old)}."
    words = f"The share of positive decisions would go from {percent(old)} to {percent(new)}"
    if math.isinf(change.low):
        return f"{words}; too few rows yet to say how sure that is."
    if change.low <= 0.0 <= change.high:
        return f"{words}, which may be chance."
    return f"{words} ({_points(change.value)}, between {_points(change.low)} and {_points(change.high)})."


def _cost_words(cost: CostChange) -> str:
    by = {
        Basis.LABELS: f"By the {cost.rows:,} rows whose label is known,",
        Basis.OLD: "If the old version's probabilities are right,",
        Basis.NEW: "If the new version's probabilities are right,",
    }[cost.basis]
    change = cost.change
    if change.value == 0.0:
        return f"{by} {PER_DECISIONS:,} decisions would cost the same."
    words = f"{by} {PER_DECISIONS:,} decisions would cost {_money(change.value)}"
    if math.isinf(change.low):
        return f"{words}; too few rows yet to say how sure that is."
    if change.low <= 0.0 <= change.high:
        return f"{words}, which may be chance."
    return f"{words} (between {_money(change.low)} and {_money(change.high)})."


def _money(change: float) -> str:
    """A change of cost in the unit of the declared costs.

    >>> _money(-1234.5), _money(3.25)
    ('1,234 less', '3.25 more')
    """
    size = abs(change)
    return f"{f'{size:,.0f}' if size >= 100 else f'{size:.3g}'} {'less' if change < 0 else 'more'}"


def percent(share: float) -> str:
    """A share in words.

    >>> percent(0.0184), percent(0.31), percent(0.0002)
    ('1.8 %', '31 %', '0.02 %')
    """
    return f"{share * 100:.2g} %" if share < 0.1 else f"{share * 100:.3g} %"


def _points(share: float) -> str:
    return f"{share * 100:+.2g} points"
