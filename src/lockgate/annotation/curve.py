"""What the next labels are worth: errors with ever more of the labels that are there, drawn on as a power law.

    error(n) = floor + height * n ** -steepness

fitted to what simple models (`learner`) do on rows that they have not seen, at several numbers of labels, in several orders. The
interval comes from fitting again with the orders drawn anew (bootstrap). Where the labels are few, or the curve does not
fall clearly, it says that it cannot tell. Sources: Viering and Loog (2021), The shape of learning curves, IEEE TPAMI;
Efron (1979), Bootstrap methods.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from lockgate.annotation.learner import learners
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = late("scipy.optimize")

FEWEST = 50  # labels, before anything is said
_ORDERS = 8
_SIZES = 6
_TRIED = 2  # orders in which the simple models are compared
_TEST = 0.3
_DRAWS = 200
_MOST = 5_000  # labels that are learned from
_STEEPNESS = np.linspace(0.1, 2.0, 20)


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """Share of wrong answers on unseen rows: `points` (labels, error); now, and with `more` labels more, each with what can be
    expected; `gain` in share of answers with its 90 % interval. `words` say it, also when it cannot be told."""

    labels: int
    points: tuple[tuple[int, float], ...] = ()
    more: int = 100
    now: float | None = None
    then: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    tells: bool = False
    words: str


def curve_of(matrix: np.ndarray, codes: np.ndarray, *, more: int = 100, random: int = 0) -> Curve:
    """What `more` labels are worth, for labelled rows: matrix (n, d), codes 0, 1, ... (n,)."""
    names, counts = np.unique(codes, return_counts=True)
    labels = int(counts.sum())
    if labels < FEWEST or names.size < 2:
        words = (
            f"{labels} labels of {names.size} classes are too few to tell (at least {FEWEST}, of two classes)"
        )
        return Curve(labels=labels, more=more, words=words)
    if matrix.shape[1] == 0:
        words = "it cannot be told what more labels are worth: the columns hold nothing that a simple model can read"
        return Curve(labels=labels, more=more, words=words)
    sizes, errors = _measured(matrix, codes, random)
    mean = errors.mean(axis=0)
    chance = np.random.default_rng(random)
    fits = [
        _fitted(sizes, errors[chance.integers(_ORDERS, size=_ORDERS)].mean(axis=0)) for _ in range(_DRAWS)
    ]
    gains = np.array([_error(fit, labels) - _error(fit, labels + more) for fit in fits])
    best = _fitted(sizes, mean)
    now, then = _error(best, labels), _error(best, labels + more)
    low, high = np.quantile(gains, (0.05, 0.95))
    falls = float(np.mean(errors[:, 0] > errors[:, -1])) >= 0.8
    tells = bool(falls and high - low <= max(0.02, 2 * (now - then)))
    return Curve(
        labels=labels, points=tuple((int(n), float(e)) for n, e in zip(sizes, mean, strict=True)), more=more,
        now=now, then=then, gain=now - then, low=float(low), high=float(high), tells=tells,
        words=_words(more, (now - then, float(low), float(high)), tells=tells, falls=falls),
    )  # fmt: skip


def _measured(matrix: np.ndarray, codes: np.ndarray, random: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of labels (k,), and the share of wrong answers of the better simple model at each, (orders, k)."""
    total = min(codes.size, _MOST)
    most = round(total * (1 - _TEST))
    sizes = np.unique(np.geomspace(max(10, most // 16), most, _SIZES).round().astype(int))
    orders = [
        np.random.default_rng([random, order]).permutation(codes.size)[:total] for order in range(_ORDERS)
    ]

    def wrong(kind: int, rows: np.ndarray, size: int) -> float:
        return _wrong(learners(random)[kind], matrix, codes, rows[:size], rows[most:])

    tried = [np.mean([wrong(kind, rows, most) for rows in orders[:_TRIED]]) for kind in range(2)]
    best = int(np.argmin(tried))
    return sizes, np.array([[wrong(best, rows, int(size)) for size in sizes] for rows in orders])


def _wrong(
    model: object, matrix: np.ndarray, codes: np.ndarray, learned: np.ndarray, judged: np.ndarray
) -> float:
    if np.unique(codes[learned]).size < 2:
        return float(np.mean(codes[judged] != codes[learned][0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not quite converged is good enough here
        model.fit(matrix[learned], codes[learned])  # type: ignore[attr-defined]
    return float(np.mean(model.predict(matrix[judged]) != codes[judged]))  # type: ignore[attr-defined]


def _fitted(sizes: np.ndarray, errors: np.ndarray) -> tuple[float, float, float]:
    """Floor, height and steepness of least squares, floor and height not below 0."""
    best, least = (float(errors.mean()), 0.0, 1.0), np.inf
    for steepness in _STEEPNESS:
        columns = np.column_stack([np.ones(sizes.size), (sizes / sizes[0]) ** -steepness])
        found, left = optimize.nnls(columns, errors)
        if left < least:
            best, least = (float(found[0]), float(found[1]) * sizes[0] ** steepness, float(steepness)), left
    return best


def _error(fit: tuple[float, float, float], labels: int) -> float:
    floor, height, steepness = fit
    return float(floor + height * labels**-steepness)


def _words(more: int, gain: tuple[float, float, float], *, tells: bool, falls: bool) -> str:
    if not falls:
        return f"it cannot be told what {more} more labels are worth: errors do not clearly fall with the labels that are there"
    value, low, high = (100 * each for each in gain)
    if not tells:
        return f"it cannot be told what {more} more labels are worth: between {low:.1f} and {high:.1f} points of right answers"
    return f"{more} more labels are worth about {value:.1f} points of right answers ({low:.1f} to {high:.1f})"
