"""How well a model does on rows whose labels are not known yet, from what its scores meant where labels are known.

What each score meant is kept as a table (`Calibration`): per range of scores the rows, and how many of them came true. New
rows are counted over fine cells of score and decision; a cell's rows come true with the probability that the table gives.
Figures follow from the cells by drawing: the table's own uncertainty (Jeffreys' posterior of each range) and the chance in
which of the new rows come true. So an interval is of the figure that the labels will show, not of its mean.

It holds as long as equal scores mean the same: a change of *which* rows come is followed, a change of what becomes of equal
rows (concept drift) cannot be seen from here. Source of the idea: Garg et al. (2022), Leveraging unlabeled data to predict
out-of-distribution performance, ICLR; Bialek et al. (2024), Estimating model performance under covariate shift without
labels (calibrated probabilities).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from lockgate.stats.intervals import Interval, percentiles

RANGES = 50
FEWEST = 40  # rows in a range of scores
CELLS = 400
DRAWS = 400
_TINY = 1e-15  # scores are kept that far from 0 and 1 in the log loss, as elsewhere


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What scores meant, by ranges in ascending order: mean `score`, `rows`, and how many of them came true (`ups`).

    `edges`: ends of fine cells, over which new rows are counted.
    """

    score: tuple[float, ...]
    rows: tuple[int, ...]
    ups: tuple[int, ...]
    edges: tuple[float, ...]

    @property
    def height(self) -> int:
        """On how many rows it was learned."""
        return sum(self.rows)


def calibration_of(score: ArrayLike, came: ArrayLike) -> Calibration | None:
    """What scores meant on labelled rows; None for fewer than two ranges' rows, or where only one class came."""
    given, true = np.asarray(score, dtype=float), np.asarray(came, dtype=bool)
    there = np.isfinite(given)
    given, true = given[there], true[there]
    if given.size < 2 * FEWEST or true.all() or not true.any():
        return None
    order = np.argsort(given, kind="stable")
    given, true = given[order], true[order]
    ranges = min(RANGES, given.size // FEWEST)
    starts = np.unique(np.searchsorted(given, given[(np.arange(ranges) * given.size) // ranges], side="left"))
    rows = np.diff(np.append(starts, given.size))
    return Calibration(
        score=tuple((np.add.reduceat(given, starts) / rows).tolist()),
        rows=tuple(rows.tolist()),
        ups=tuple(np.add.reduceat(true.astype(int), starts).tolist()),
        edges=tuple(np.unique(np.quantile(given, np.linspace(0, 1, CELLS + 1)[1:-1])).tolist()),
    )


def cells_of(known: Calibration, score: np.ndarray, decided: np.ndarray) -> np.ndarray:
    """Rows without labels over the cells: an array of (4, cells, 2): rows, sums of score, log score, log (1 - score)."""
    there = np.isfinite(score)
    score, decided = score[there], decided[there].astype(int)
    place = 2 * np.searchsorted(np.array(known.edges), score, side="right") + decided
    size = 2 * (len(known.edges) + 1)
    kept = score.clip(_TINY, 1 - _TINY)
    sums = [np.bincount(place, weights, size) for weights in (None, score, np.log(kept), np.log1p(-kept))]
    return np.array(sums, dtype=float).reshape(4, -1, 2)


def expected(
    known: Calibration, cells: np.ndarray, *, rows_per_subject: float = 1.0, seed: int = 0
) -> dict[str, Interval]:
    """The figures that the labels of these rows will show, by name, each with its 95 % interval; those that cannot be had
    (a recall where nothing comes true) are left out.

    `cells`: (4, cells, 2) of `cells_of`. `rows_per_subject`: rows of one subject come true together, so chance is wider.
    """
    rows, score, log_up, log_down = (part.reshape(-1) for part in cells)
    there = rows > 0
    decided = np.tile([False, True], cells.shape[1])[there]
    rows, score, log_up, log_down = rows[there], score[there], log_up[there], log_down[there]
    if not rows.size:
        return {}
    generator = np.random.default_rng(seed)
    mean = _chances(known, score / rows, np.array(known.ups)[None, :] / np.array(known.rows))[0]
    ups, total = np.array(known.ups), np.array(known.rows)
    chances = _chances(known, score / rows, generator.beta(ups + 0.5, total - ups + 0.5, (DRAWS, ups.size)))
    drawn = generator.binomial(rows.astype(int), chances) - rows * chances
    came = (rows * chances + drawn * np.sqrt(rows_per_subject)).clip(0, rows)
    losses = (log_up / rows, log_down / rows)
    found = {}
    for name, figure in _FIGURES.items():
        values, value = (figure(each, rows, decided, losses) for each in (came, (rows * mean)[None, :]))
        if np.isfinite(values).all() and np.isfinite(value).all():
            found[name] = percentiles(float(value[0]), values)
    return found


def chances_at(known: Calibration, score: np.ndarray) -> tuple[np.ndarray, float]:
    """How likely each row comes true (n,), and the standard error of the mean of these for what the table does not know."""
    ups, total = np.array(known.ups), np.array(known.rows)
    weights = _chances(known, score, np.eye(ups.size)).mean(axis=1) if score.size else np.zeros(ups.size)
    share = (ups + 0.5) / (total + 1)
    error = float(np.sqrt((weights**2 * share * (1 - share) / total).sum()))
    return _chances(known, score, (ups / total)[None, :])[0], error


def _chances(known: Calibration, score: np.ndarray, ranges: np.ndarray) -> np.ndarray:
    """How likely rows of these scores come true (draws, cells), straight lines between the ranges' means (draws, ranges)."""
    points = np.array(known.score)
    right = np.searchsorted(points, score).clip(1, points.size - 1)
    width = points[right] - points[right - 1]
    part = ((score - points[right - 1]) / np.where(width > 0, width, 1.0)).clip(0, 1)
    chances: np.ndarray = ranges[:, right - 1] * (1 - part) + ranges[:, right] * part
    return chances


# Each figure of came (draws, cells), rows (cells,), decided (cells,), mean log losses of a cell; cells ascend by score.
Losses = tuple[np.ndarray, np.ndarray]
Figure = Callable[[np.ndarray, np.ndarray, np.ndarray, Losses], np.ndarray]


def _accuracy(came: np.ndarray, rows: np.ndarray, decided: np.ndarray, _losses: Losses) -> np.ndarray:
    right: np.ndarray = np.where(decided, came, rows - came).sum(axis=1) / rows.sum()
    return right


def _precision(came: np.ndarray, rows: np.ndarray, decided: np.ndarray, _losses: Losses) -> np.ndarray:
    return _share(came[:, decided].sum(axis=1), np.full(len(came), rows[decided].sum()))


def _recall(came: np.ndarray, _rows: np.ndarray, decided: np.ndarray, _losses: Losses) -> np.ndarray:
    return _share(came[:, decided].sum(axis=1), came.sum(axis=1))


def _f1(came: np.ndarray, rows: np.ndarray, decided: np.ndarray, _losses: Losses) -> np.ndarray:
    return _share(2 * came[:, decided].sum(axis=1), rows[decided].sum() + came.sum(axis=1))


def _rate(came: np.ndarray, rows: np.ndarray, _decided: np.ndarray, _losses: Losses) -> np.ndarray:
    rate: np.ndarray = came.sum(axis=1) / rows.sum()
    return rate


def _log_loss(came: np.ndarray, rows: np.ndarray, _decided: np.ndarray, losses: Losses) -> np.ndarray:
    loss: np.ndarray = -(came @ losses[0] + (rows - came) @ losses[1]) / rows.sum()
    return loss


def _auc(came: np.ndarray, rows: np.ndarray, _decided: np.ndarray, _losses: Losses) -> np.ndarray:
    """The area: of all pairs of one that came true and one that did not, those in which the first has the higher score."""
    missed = rows - came
    below = np.cumsum(missed, axis=1) - missed / 2
    return _share((came * below).sum(axis=1), came.sum(axis=1) * missed.sum(axis=1))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    share: np.ndarray = np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
    return share


_FIGURES: Mapping[str, Figure] = {
    "roc_auc": _auc,
    "accuracy": _accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
    "log_loss": _log_loss,
    "positive_rate": _rate,
}
