"""Which rows to label next: a pool, a wish and a budget in, rows with their reasons out. Pure.

The default is a mixture that needs no tuning: every reason that can be known of the pool (the model is unsure, versions
disagree, production moved there, a mistake is dear) counts, and of the rows that have reasons different ones are taken
(`diverse`). Without any model the rows that stand best for the pool are taken. Where only a model's doubt between two classes is
known, and labels are few or a linear model does as well as another, the rows that make it surest of the whole pool are taken
instead (`design`): its doubts are then mostly its own poor knowledge, or rows that nobody can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec
import numpy as np
import polars as pl

from lockgate.annotation.design import MOST_WIDE, surest
from lockgate.annotation.diverse import condensed, spread
from lockgate.annotation.edges import Edge, edges_of
from lockgate.annotation.learner import FEWEST, is_straight
from lockgate.annotation.repeats import Likeness, different, exact_repeats, likeness_of
from lockgate.annotation.signals import (
    Reason,
    disagreements,
    entropies,
    expected_costs,
    margins,
    suspicions,
    together,
)
from lockgate.errors import Conflict, InvalidInput

_EDGES = 0.1  # of the batch are edge cases, where there are any
_MOST_EDGES = 10
_SPARE = 2  # times as many rows are chosen by what their labels would tell, before near repeats are left out
_FEW = 100  # labels: fewer do not tell which of two kinds of models is better
_CLEAR = 0.05  # a reason below this is none


class Strategy(StrEnum):
    """How rows are picked."""

    MIXTURE = "mixture"
    MARGIN = "margin"
    ENTROPY = "entropy"
    DISAGREEMENT = "disagreement"
    DRIFT = "drift"
    DIVERSITY = "diversity"
    SUSPECT = "suspect"
    COST = "cost"
    CHANCE = "chance"


@dataclass(frozen=True, eq=False)
class Pool:
    """What can be picked from: a table of n rows and what is known of them, None where it is not.

    `matrix` (n, d): the rows as numbers. `codes` (n,): the label's place among the classes, -1 where there is none. `answers`
    (n, classes): probabilities of one or more versions, the live one first. `drift` (n,): how much more usual the row is in
    production now than it was, 0 to 1. `held_out` (n, classes): what models say that have not seen the row's label. `likeness`:
    when two rows are nearly one, where the matrix does not say it; `odd`: edge cases that are not to be told by `frame`.
    """

    frame: pl.DataFrame
    matrix: np.ndarray
    codes: np.ndarray
    answers: tuple[np.ndarray, ...] = ()
    drift: np.ndarray | None = None
    held_out: np.ndarray | None = None
    costs: np.ndarray | None = None
    likeness: Likeness | None = None
    odd: tuple[Edge, ...] = ()


class Picked(msgspec.Struct, frozen=True, kw_only=True):
    """One row to label. `value`: how much speaks for it (0 to 1)."""

    row: int
    reason: Reason
    value: float
    words: str


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What was picked, the most valuable first after the edge cases, and what was seen on the way."""

    items: tuple[Picked, ...]
    reasons: tuple[Reason, ...]  # those that could be known of this pool
    pool: int
    labelled: int
    repeated: int
    near: int
    said: tuple[str, ...] = ()


@dataclass
class _Left:
    """Rows that may still be picked, and why others may not."""

    rows: np.ndarray
    repeated: int
    said: list[str] = field(default_factory=list)


def select(pool: Pool, strategy: Strategy, count: int, *, random: int = 0) -> Selection:
    """At most `count` rows of a pool; while none has a label, a tenth of them are edge cases.

    Raises InvalidInput for an empty pool and for a strategy that this pool cannot serve, Conflict when every row is labelled or
    a repeat.
    """
    if pool.frame.height == 0:
        raise InvalidInput(
            "the pool is empty", fix="name a data version with rows, or a stretch of the log that has some"
        )
    starts = strategy is Strategy.MIXTURE and not (pool.codes >= 0).any()
    reasons = _reasons(pool, strategy)
    left = _left(pool, strategy)
    matrix = pool.matrix if strategy is Strategy.CHANCE else condensed(pool.matrix, random)
    first = _edges(pool, left, matrix, count, random) if starts else []
    rest = np.setdiff1d(left.rows, [one.row for one in first])
    wanted = count - len(first)
    value = together(reasons) if reasons else np.ones(pool.frame.height)
    if strategy is Strategy.MIXTURE and _stays_unsure(pool, reasons, random):
        chosen = _surest(pool, matrix, rest, wanted, random)
        reasons = {Reason.VARIANCE: np.ones(value.size)}
    else:
        chosen = _chosen(strategy, matrix, value, rest, wanted, random=random)
    kept, near = chosen[:wanted], 0
    if strategy is not Strategy.CHANCE:
        known = _known(pool, strategy, [one.row for one in first])
        kept, near, looked = different(pool.likeness or likeness_of(matrix), chosen, known, wanted)
        left.said += _short(kept.size + len(first), count, looked, chosen.size)
    elif kept.size < count:
        left.said += _short(kept.size, count, chosen.size, chosen.size)
    return Selection(
        items=(*first, *(_said_of(int(row), value, reasons, strategy) for row in kept)), reasons=tuple(reasons),
        pool=pool.frame.height, labelled=int((pool.codes >= 0).sum()), repeated=left.repeated,
        near=near, said=tuple(left.said),
    )  # fmt: skip


def _reasons(pool: Pool, strategy: Strategy) -> Mapping[Reason, np.ndarray]:
    """The reasons that the strategy asks for and the pool can tell. Raises InvalidInput where it cannot."""
    known: dict[Reason, Callable[[], np.ndarray] | None] = {
        Reason.MARGIN: (lambda: margins(pool.answers[0])) if pool.answers else None,
        Reason.ENTROPY: (lambda: entropies(pool.answers[0])) if pool.answers else None,
        Reason.DISAGREEMENT: (lambda: disagreements(pool.answers)) if len(pool.answers) > 1 else None,
        Reason.DRIFT: (lambda: np.asarray(pool.drift)) if pool.drift is not None else None,
        Reason.COST: (lambda: expected_costs(pool.answers[0], np.asarray(pool.costs)))
        if pool.answers and pool.costs is not None
        else None,
        Reason.SUSPECT: (lambda: suspicions(np.asarray(pool.held_out), pool.codes))
        if pool.held_out is not None
        else None,
    }
    if strategy in {Strategy.DIVERSITY, Strategy.CHANCE}:
        return {}
    if strategy is Strategy.MIXTURE:
        asked = [Reason.MARGIN, Reason.DISAGREEMENT, Reason.DRIFT, Reason.COST]
        return {each: made() for each in asked if (made := known[each]) is not None}
    made = known[Reason(strategy.value)]
    if made is None:
        raise InvalidInput(f"this pool cannot be picked from by {strategy}: {_LACKS[strategy]}",
                           fix="--strategy mixture takes what there is")  # fmt: skip
    return {Reason(strategy.value): made()}


_LACKS = {
    Strategy.MARGIN: "no model answers it with probabilities of classes",
    Strategy.ENTROPY: "no model answers it with probabilities of classes",
    Strategy.DISAGREEMENT: "two versions must have answered it",
    Strategy.DRIFT: "there is no table of before to hold it against",
    Strategy.COST: "it needs probabilities of a model, and costs: in lockgate.yaml",
    Strategy.SUSPECT: "it needs labels, enough of each class to learn from",
}


def _left(pool: Pool, strategy: Strategy) -> _Left:
    repeats = exact_repeats(pool.frame)
    labelled = pool.codes >= 0
    open_ = labelled if strategy is Strategy.SUSPECT else ~labelled
    if labelled.any() and strategy is not Strategy.SUSPECT:
        # what equals a labelled row is known, wherever in the table the two stand
        known = pool.frame.hash_rows()
        repeats |= known.is_in(known.filter(pl.Series(labelled)).implode()).to_numpy() & ~labelled
    rows = np.flatnonzero(open_ & ~repeats)
    repeated = int((open_ & repeats).sum())
    if not open_.any():
        lacks = (
            "no row of the pool has a label" if labelled.sum() == 0 else "every row of the pool is labelled"
        )
        raise Conflict(lacks, fix="add rows to the pool, or look for wrong labels: --strategy suspect")  # fmt: skip
    if not rows.size:
        raise Conflict(
            "every row of the pool that has no label is a repeat of one that has", got=f"{repeated} repeats"
        )
    return _Left(rows, repeated)


def _edges(pool: Pool, left: _Left, matrix: np.ndarray, count: int, random: int) -> list[Picked]:
    most = min(_MOST_EDGES, int(count * _EDGES))
    places = {int(row): place for place, row in enumerate(left.rows)}
    odd = [Edge(places[one.row], one.words) for one in pool.odd if one.row in places]
    found = edges_of(pool.frame[left.rows], matrix[left.rows], most, random, odd=odd)
    return [
        Picked(row=int(left.rows[one.row]), reason=Reason.EDGE, value=1.0, words=one.words) for one in found
    ]


def _chosen(
    strategy: Strategy, matrix: np.ndarray, value: np.ndarray, rest: np.ndarray, wanted: int, *, random: int
) -> np.ndarray:
    """Rows in the order in which they are taken, more than wanted for those that turn out near repeats."""
    if wanted < 1 or not rest.size:
        return np.empty(0, dtype=int)
    if strategy is Strategy.CHANCE:
        return np.random.default_rng(random).permutation(rest)[:wanted]
    if strategy in {Strategy.MIXTURE, Strategy.DIVERSITY}:
        return _with_others(rest[spread(matrix[rest], value[rest], wanted, random)], rest, value)
    order = np.asarray(rest[np.argsort(-value[rest], kind="stable")])
    return order[value[order] > 0] if strategy is Strategy.SUSPECT else order


def _with_others(chosen: np.ndarray, rest: np.ndarray, value: np.ndarray) -> np.ndarray:
    """What was chosen, then all others by value: near repeats are left out, and others come in for them."""
    others = np.setdiff1d(rest, chosen)
    return np.concatenate([chosen, others[np.argsort(-value[others], kind="stable")]])


def _stays_unsure(pool: Pool, reasons: Mapping[Reason, np.ndarray], random: int) -> bool:
    """Whether there is nothing but a model's doubt between two classes to go by, and what is lacking is not a better kind of
    model: its labels are few, so that it is mostly chance what it says, or a linear one does, as they tell."""
    if set(reasons) != {Reason.MARGIN} or pool.answers[0].shape[1] != 2 or not pool.matrix.shape[1]:
        return False
    few = (
        FEWEST <= (pool.codes >= 0).sum() < _FEW
    )  # with none the model learned elsewhere, and knows more than they tell
    return bool(few) or is_straight(pool.matrix, pool.codes, random)


def _surest(pool: Pool, matrix: np.ndarray, rest: np.ndarray, wanted: int, random: int) -> np.ndarray:
    rows = pool.matrix if pool.matrix.shape[1] <= MOST_WIDE else matrix
    labelled, chances = np.flatnonzero(pool.codes >= 0), pool.answers[0][:, 1]
    chosen = surest(rows, labelled, chances, offered=rest, count=_SPARE * wanted, random=random)
    return np.concatenate([chosen, np.setdiff1d(rest, chosen)])


def _known(pool: Pool, strategy: Strategy, first: list[int]) -> np.ndarray:
    """The rows that need no second question: those with a label, and those that are asked already."""
    labelled = np.empty(0, dtype=int) if strategy is Strategy.SUSPECT else np.flatnonzero(pool.codes >= 0)
    return np.concatenate([labelled, np.array(first, dtype=int)])


def _short(kept: int, count: int, looked: int, offered: int) -> list[str]:
    if kept >= count:
        return []
    whose = "the pool gives" if looked >= offered else f"the best {looked:,} rows give"
    return [f"{whose} {kept} different rows for the {count} that were asked for"]


def _said_of(row: int, value: np.ndarray, reasons: Mapping[Reason, np.ndarray], strategy: Strategy) -> Picked:
    if not reasons:
        reason = Reason.CHANCE if strategy is Strategy.CHANCE else Reason.DIVERSITY
        words = "drawn" if reason is Reason.CHANCE else "stands for rows like it"
        return Picked(row=row, reason=reason, value=0.0, words=words)
    if Reason.VARIANCE in reasons:
        return Picked(row=row, reason=Reason.VARIANCE, value=float(value[row]), words=_WORDS[Reason.VARIANCE])
    spoken = {reason: float(each[row]) for reason, each in reasons.items()}
    best = max(spoken, key=lambda reason: spoken[reason])
    if spoken[best] < _CLEAR:
        return Picked(
            row=row, reason=Reason.DIVERSITY, value=float(value[row]), words="stands for rows like it"
        )
    clear = sorted((each for each in spoken if spoken[each] >= _CLEAR), key=lambda each: -spoken[each])
    words = ", ".join(f"{_WORDS[each]} ({spoken[each]:.2f})" for each in clear)
    return Picked(row=row, reason=best, value=float(value[row]), words=words)


_WORDS = {
    Reason.MARGIN: "the model is unsure",
    Reason.ENTROPY: "the model is unsure",
    Reason.DISAGREEMENT: "versions disagree",
    Reason.DRIFT: "production moved here",
    Reason.COST: "a mistake is dear here",
    Reason.SUSPECT: "its label is contradicted",
    Reason.VARIANCE: "its label makes the model surer of the pool",
}
