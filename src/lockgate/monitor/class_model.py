"""Figures of several classes from confusions: with labels, and before them from what decisions of each score turned out to be.

Before labels: of labelled rows it is counted, by decision and range of its score, which class came true. New rows of that
decision and range come true alike, and every figure follows by drawing: what is not known of these shares (Dirichlet, with the
decision's own confusion as a prior that is worth one row) and the chance of the rows to come. It holds as long as equal decisions
of equal scores mean the same, as everything that is said before labels. A log loss cannot be had so: it hangs on the probability
of the class that came true, and of a row its decision's alone is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lockgate.stats.intervals import Interval, percentiles

MOST_CLASSES = 20
CELL_ROWS, CELLS = 100, 8  # rows in a range of a decision's scores at least; ranges at most
DRAWS = 400
LEAST_OF_CLASS = 10  # rows of a class, below which its recall is not spoken of
RECALL = "recall: "


@dataclass(frozen=True, eq=False)
class ClassModel:
    """`edges`: by decision, ends of ranges of its score; `counts`: by decision (ranges, classes) rows that came true as that."""

    names: tuple[str, ...]
    edges: tuple[np.ndarray, ...]
    counts: tuple[np.ndarray, ...]
    learned: int

    def expected(
        self, decided: np.ndarray, score: np.ndarray, *, rows_per_subject: float = 1.0, seed: int = 0
    ) -> dict[str, Interval]:
        """The figures that the labels of these rows (n: class numbers, scores) will show; none for decisions never seen."""
        draw, size = np.random.default_rng(seed), len(self.names)
        came, mean = np.zeros((DRAWS, size, size)), np.zeros((1, size, size))
        for place in np.unique(decided):
            if not 0 <= place < size or not self.counts[place].sum():
                return {}
            cells = np.searchsorted(self.edges[place], score[decided == place], side="right")
            prior = self.counts[place].sum(axis=0) / self.counts[place].sum()
            for cell, rows in enumerate(np.bincount(cells, minlength=len(self.counts[place])).tolist()):
                if rows:
                    weights = self.counts[place][cell] + prior
                    shares = _dirichlet(draw, weights)
                    drawn = draw.multinomial(rows, shares) - rows * shares
                    came[:, place] += (rows * shares + drawn * np.sqrt(rows_per_subject)).clip(0)
                    mean[0, place] += rows * weights / weights.sum()
        return figures_in(mean, came, self.names)


def class_model(
    decided: np.ndarray, score: np.ndarray, truth: np.ndarray, names: tuple[str, ...]
) -> ClassModel | None:
    """Learned from labelled rows (n: class numbers; others than those of `names` are left out); None for too many classes."""
    if not 2 < len(names) <= MOST_CLASSES:
        return None
    edges, counts = [], []
    for place in range(len(names)):
        mine = np.flatnonzero((decided == place) & (truth >= 0) & (truth < len(names)))
        ranges = int(np.clip(mine.size // CELL_ROWS, 1, CELLS))
        inner = np.linspace(0, 1, ranges + 1)[1:-1]
        ends = np.unique(np.quantile(score[mine], inner)) if mine.size else np.array([])
        cells = np.searchsorted(ends, score[mine], side="right")
        table = np.zeros((len(ends) + 1, len(names)))
        np.add.at(table, (cells, truth[mine]), 1)
        edges.append(ends)
        counts.append(table)
    return ClassModel(names, tuple(edges), tuple(counts), int(sum(table.sum() for table in counts)))


def class_figures(
    decided: np.ndarray, truth: np.ndarray, names: tuple[str, ...], *, rows_per_subject: float = 1.0
) -> dict[str, Interval]:
    """What labels say: macro F1, mean recall, recall by class; intervals by the Bayesian bootstrap (Rubin 1981) over cells of
    the confusion. None for too many classes, or rows of classes that the model does not know."""
    size = len(names)
    if not 2 < size <= MOST_CLASSES or _strange(truth, size) or _strange(decided, size):
        return {}
    counts = np.bincount(decided * size + truth, minlength=size * size).astype(float)
    there = counts > 0
    drawn = np.zeros((DRAWS, size * size))
    drawn[:, there] = _dirichlet(np.random.default_rng(0), counts[there] / rows_per_subject) * counts.sum()
    figures = figures_in(counts.reshape(1, size, size), drawn.reshape(DRAWS, size, size), names)
    return {name: figure for name, figure in figures.items() if name != "accuracy"}


def figures_in(mean: np.ndarray, drawn: np.ndarray, names: tuple[str, ...]) -> dict[str, Interval]:
    """From confusions (1 and DRAWS; decided, true): each figure with its interval, where it has one."""
    found = {name: percentiles(float(make(mean)[0]), make(drawn)) for name, make in _FIGURES.items()}
    for place, name in enumerate(names):
        if mean[0, :, place].sum() >= LEAST_OF_CLASS:
            found[f"{RECALL}{name}"] = percentiles(float(_recalls(mean)[0, place]), _recalls(drawn)[:, place])
    return {name: one for name, one in found.items() if np.isfinite([one.value, one.low, one.high]).all()}


def _strange(codes: np.ndarray, size: int) -> bool:
    return bool(codes.size and not (codes.min() >= 0 and codes.max() < size))


def _dirichlet(draw: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """DRAWS vectors of shares, (DRAWS, k); weights may be 0."""
    gammas = draw.standard_gamma(weights, (DRAWS, weights.size)) + 1e-300
    shares: np.ndarray = gammas / gammas.sum(axis=1, keepdims=True)
    return shares


def _accuracy(tables: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))
    return share


def _recalls(tables: np.ndarray) -> np.ndarray:
    """(tables, classes); NaN for classes that nothing came true as."""
    hits, true = np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=1)
    recalls: np.ndarray = np.divide(hits, true, out=np.full(true.shape, np.nan), where=true > 0)
    return recalls


def _mean_recall(tables: np.ndarray) -> np.ndarray:
    recalls = _recalls(tables)
    there = np.isfinite(recalls)
    mean: np.ndarray = np.where(there, recalls, 0.0).sum(axis=1) / there.sum(axis=1)
    return mean


def _macro_f1(tables: np.ndarray) -> np.ndarray:
    """Over classes that were named or came true, as the checks have it."""
    hits, named, true = np.diagonal(tables, axis1=1, axis2=2), tables.sum(axis=2), tables.sum(axis=1)
    both = named + true
    f1 = np.divide(2 * hits, both, out=np.zeros(both.shape), where=both > 0)
    mean: np.ndarray = f1.sum(axis=1) / (both > 0).sum(axis=1)
    return mean


_FIGURES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "mean_recall": _mean_recall,
}
