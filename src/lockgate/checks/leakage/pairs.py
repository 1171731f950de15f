"""Part of the leakage check: two inputs that give the answer away together while neither does alone.

All pairs are looked at in one go: each input becomes at most _BINS values or ranges, and the products of their indicator
columns count every cell of every pair. The mean target of each cell, learned on one half of the rows, is held against the
other half. Sums, differences and ratios of two numbers, which ranges are too coarse for, are tried as they are where there are
two classes. The best pairs are then judged as single inputs are, with a lower bound. A pair counts only when it takes away most
of what the best of all inputs leaves open: two honest inputs together are always better than one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.leakage.tells import codes_of, out_of_fold, tells
from lockgate.checks.values import numbers_of

_BINS = 12
_ROWS_PER_CELL = 15
_FEWEST_ROWS = 200
_FEWEST_INPUTS = 4  # a model of two or three inputs is such a pair itself
_ROWS = 10_000
_CLASSES = 6
_WORK = 4e10  # products, so that wide tables stay within seconds
_JUDGED = 10
_NAMED = 3
_TIMES = 5.0  # the best input alone leaves open that many times more than the pair
_NOTHING = 0.3  # of the way from chance to perfect: less than that, an input alone tells nothing
_PRIOR_ROWS = 2.0
_MANY = 3
_JOINED_ROWS, _JOINED_COLUMNS = 1_000, 60
_LARGEST = 1e100
_JOINS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{a} + {b}": lambda a, b: a + b,
    "{a} - {b}": lambda a, b: a - b,
    "{a} / {b}": lambda a, b: np.divide(a, b, out=np.zeros_like(a), where=b != 0),
}


@dataclass(frozen=True)
class _Pair:
    """Two inputs: what they tell together, its lower bound, what the better of them tells alone, how they are joined."""

    names: tuple[str, str]
    score: float
    low: float
    alone: float
    rule: str = ""


def pair_inputs(
    check: str,
    frame: pl.DataFrame,
    alone: dict[str, float],
    truth: np.ndarray,
    *,
    target: str,
    best: float,
    fail: float,
    warn: float,
) -> list[Finding]:
    """A finding for pairs of the inputs in `alone` (what each tells by itself) that tell the target together, or nothing.

    `best`: what the best input of all tells. A number that two others nearly give may be a law of nature: there the pair warns
    only from `fail` on.
    """
    names = [name for name in frame.columns
             if name in alone and not frame[name].dtype.is_nested() and not looks_like_identifier(frame[name])]  # fmt: skip
    if truth.size < _FEWEST_ROWS or len(names) < _FEWEST_INPUTS:
        return []
    unit, chance, least = ("R squared", 0.0, fail) if truth.dtype.kind == "f" else ("ROC AUC", 0.5, warn)
    looked = [*_joined(frame, names, truth), *_in_cells(frame, names, alone, truth)]
    found = [
        _Pair(pair, score, low, max(alone[name] for name in pair), rule)
        for pair, score, low, rule in looked
        if low >= least and 1 - best >= _TIMES * (1 - score)
    ]
    if not found or _easy(found):
        return []
    return [_finding(check, found, target=target, unit=unit, chance=chance, fail=fail, warn=warn)]


def _easy(found: list[_Pair]) -> bool:
    """Whether one input does it with many others: then the answer is easy, and no pair is its secret."""
    partners = Counter(name for names in {pair.names for pair in found} for name in names)
    return max(partners.values()) >= _MANY


def _in_cells(
    frame: pl.DataFrame, names: list[str], alone: dict[str, float], truth: np.ndarray
) -> Iterator[tuple[tuple[str, str], float, float, str]]:
    """The best pairs by what their values or ranges tell together: names, score, lower bound."""
    targets = _targets(truth)
    bins = int(np.clip(2 * (np.sqrt(truth.size / _ROWS_PER_CELL) // 2), 4, _BINS))
    most = int(np.sqrt(_WORK / (2 * min(truth.size, _ROWS) * len(targets)))) // (bins + 1)
    if len(names) > most:
        strongest = set(sorted(names, key=lambda name: -alone[name])[: max(most, 2)])
        names = [name for name in names if name in strongest]
    coded = [codes_of(frame[name], bins) for name in names]
    for one, two in _best(coded, targets):
        joint = np.unique(coded[one] * (int(coded[two].max()) + 1) + coded[two], return_inverse=True)[1]
        yield ((names[one], names[two]), *out_of_fold(joint, truth), "")


def _joined(
    frame: pl.DataFrame, names: list[str], truth: np.ndarray
) -> Iterator[tuple[tuple[str, str], float, float, str]]:
    """The best sum, difference and ratio of two numbers that orders two classes: names, score, lower bound, formula."""
    classes = np.unique(truth.astype(str))
    columns = {name: numbers_of(frame[name]) for name in names if frame[name].dtype.is_numeric()}
    columns = {
        name: values
        for name, values in columns.items()
        if np.abs(values).max(initial=0, where=~np.isnan(values)) < _LARGEST
    }
    if truth.dtype.kind == "f" or classes.size != 2 or len(columns) < 2:
        return
    positive = truth.astype(str) == classes[1]
    some = np.random.default_rng(0).permutation(truth.size)[:_JOINED_ROWS]
    pairs = list(combinations(list(columns)[:_JOINED_COLUMNS], 2))
    for text, join in _JOINS.items():
        made = np.column_stack([join(columns[one][some], columns[two][some]) for one, two in pairs])
        areas = _areas(np.nan_to_num(made), positive[some])
        place = int(areas.argmax())
        one, two = pairs[place]
        values = np.nan_to_num(join(columns[one], columns[two]))
        yield ((one, two), *tells(values, positive), text.format(a=one, b=two))


def _areas(made: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """The ROC area of each column, either way round, ties in the order of rows."""
    ups, downs = int(positive.sum()), int((~positive).sum())
    if not ups or not downs:
        return np.full(made.shape[1], 0.5)
    ranks = np.argsort(np.argsort(made, axis=0, kind="stable"), axis=0) + 1
    areas = (ranks[positive].sum(axis=0) - ups * (ups + 1) / 2) / (ups * downs)
    return np.asarray(np.maximum(areas, 1 - areas))


def _targets(truth: np.ndarray) -> list[np.ndarray]:
    """What is told: the number itself, or for each of the largest classes whether it is that one."""
    if truth.dtype.kind == "f":
        return [truth]
    names, counts = np.unique(truth.astype(str), return_counts=True)
    largest = names[np.argsort(-counts)][: 1 if names.size == 2 else _CLASSES]
    return [(truth.astype(str) == name).astype(float) for name in largest]


def _best(coded: list[np.ndarray], targets: list[np.ndarray]) -> list[tuple[int, int]]:
    """The pairs that explain most beyond the better of the two, places in `coded`."""
    drawn = np.random.default_rng(0).permutation(coded[0].size)[:_ROWS]
    half = drawn.size // 2
    widths = np.array([int(codes.max()) + 1 for codes in coded])
    starts = np.concatenate([[0], np.cumsum(widths)[:-1]])
    indicators = np.zeros((drawn.size, int(widths.sum())), dtype=np.float32)
    for start, codes in zip(starts, coded, strict=True):
        indicators[np.arange(drawn.size), start + codes[drawn]] = 1
    gains = np.zeros((len(coded), len(coded)))
    for target in targets:
        explained = _explained(indicators, target[drawn], half, starts)
        single = np.diag(explained)
        gains = np.maximum(gains, explained - np.maximum(single[:, None], single[None, :]))
    upper = np.triu_indices(len(coded), 1)
    best = np.argsort(-gains[upper], kind="stable")[:_JUDGED]
    return [(int(upper[0][place]), int(upper[1][place])) for place in best]


def _explained(indicators: np.ndarray, target: np.ndarray, half: int, starts: np.ndarray) -> np.ndarray:
    """R squared of the mean target of each pair's cells, learned on the first half and judged on the second; shape
    (inputs, inputs), single inputs on the diagonal."""
    middle = float(target[:half].mean())
    y = (target - middle).astype(np.float32)
    (rows, sums), (rows_after, sums_after) = (
        (part.T @ part, part.T @ (part * values[:, None]))
        for part, values in ((indicators[:half], y[:half]), (indicators[half:], y[half:]))
    )
    mean = sums / (rows + _PRIOR_ROWS)
    errors = mean**2 * rows_after - 2 * mean * sums_after
    blocks = np.add.reduceat(np.add.reduceat(errors.astype(float), starts, axis=0), starts, axis=1)
    spread = float((y[half:].astype(float) ** 2).sum())
    return -blocks / spread if spread else np.zeros_like(blocks)


def _finding(
    check: str, found: list[_Pair], *, target: str, unit: str, chance: float, fail: float, warn: float
) -> Finding:
    found = sorted(found, key=lambda pair: (not pair.rule, -pair.low))  # a rule says more than two names
    best = found[0]
    silent = best.alone <= chance + _NOTHING * (1 - chance)
    status = Status.FAIL if best.low >= fail and silent else Status.WARN
    one, two = best.names
    others = dict.fromkeys(pair.names for pair in found if pair.names != best.names)
    more = [" and ".join(names) for names in list(others)[: _NAMED - 1]]
    said = f"{best.rule} gives" if best.rule else f"{one} and {two} together give"
    return Finding(
        check=check, subject=f"{one} with {two}", status=status,
        headline=f"{said} {target} away ({unit} {figure(best.score)}; the better of them alone "
                 f"{figure(best.alone)})" + (f"; so do {', '.join(more)}." if more else "."),
        advice=f"Find out when both are known. If one is known only after the outcome, leave it out; if {target} is a rule over "
               "the two, the rule would do instead of a model. Honest: list one under checks.leakage.ignore.",
        measure=Measure(name=f"{unit} of {one} with {two}", value=best.score, low=best.low),
        threshold=Threshold(at_most=fail if status is Status.FAIL else warn),
    )  # fmt: skip
