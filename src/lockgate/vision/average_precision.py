"""Mean average precision as COCO defines it, small and by itself: numpy only.

Source: Lin et al. (2014), Microsoft COCO: common objects in context, ECCV, and its detection evaluation: ten overlaps
from 0.50 to 0.95, precision at 101 recalls, at most 100 boxes a picture; a box that lies on a crowd is neither right nor wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_BOXES = 100
_TINY = 1e-10


@dataclass(frozen=True)
class Truth:
    """What is in a picture: boxes `[k, 4]` and classes `(k,)`; `crowd` (k,): boxes that are not counted."""

    boxes: np.ndarray
    classes: np.ndarray
    crowd: np.ndarray


@dataclass(frozen=True)
class Found:
    """What was found in it: boxes `[k, 4]`, classes `(k,)`, scores `(k,)`."""

    boxes: np.ndarray
    classes: np.ndarray
    scores: np.ndarray


@dataclass(frozen=True)
class Precision:
    """`mean`: over thresholds and classes; `at_50`, `at_75`: at one threshold; `recall`: what 100 boxes find, over the same.

    `by_class`: place -> mean over thresholds; classes without a box in the truth have none.
    """

    mean: float
    at_50: float
    at_75: float
    recall: float
    by_class: dict[int, float]


def average_precision(truths: Sequence[Truth], found: Sequence[Found], classes: int) -> Precision:
    """Of n pictures, in the same order. Figures are -1 where the truth holds no box at all, as COCO has it."""
    precision, recall = (
        np.full((classes, len(THRESHOLDS), len(RECALLS)), -1.0),
        np.full((classes, len(THRESHOLDS)), -1.0),
    )
    for place in range(classes):
        matched = [_matched(truth, one, place) for truth, one in zip(truths, found, strict=True)]
        wanted = sum(each.wanted for each in matched)
        if wanted:
            precision[place], recall[place] = _curve(matched, wanted)
    there = precision[:, 0, 0] >= 0
    means = {int(place): float(precision[place].mean()) for place in np.flatnonzero(there)}
    if not means:
        return Precision(-1.0, -1.0, -1.0, -1.0, {})
    kept = precision[there]
    return Precision(
        float(kept.mean()),
        float(kept[:, 0].mean()),
        float(kept[:, 5].mean()),
        float(recall[there].mean()),
        means,
    )


@dataclass(frozen=True)
class _Matched:
    """One class of one picture: scores `(k,)` falling, right and passed over `[thresholds, k]`, boxes that count."""

    scores: np.ndarray
    right: np.ndarray
    ignored: np.ndarray
    wanted: int


def _matched(truth: Truth, found: Found, place: int) -> _Matched:
    """The surest first, each takes the free box that it overlaps most; a crowd may be taken by any number."""
    own = truth.classes == place
    crowd = truth.crowd[own]
    order = np.argsort(crowd, kind="stable")  # what counts is looked at first
    boxes, crowd = truth.boxes[own][order], crowd[order]
    mine = found.classes == place
    best = np.argsort(-found.scores[mine], kind="stable")[:MOST_BOXES]
    overlaps = overlap(found.boxes[mine][best], boxes, crowd)
    right = np.zeros((len(THRESHOLDS), len(best)), dtype=bool)
    ignored = np.zeros_like(right)
    for level, threshold in enumerate(THRESHOLDS):
        taken = np.zeros(len(boxes), dtype=bool)
        for row in range(len(best)):
            column = _best(overlaps[row], taken, crowd, min(float(threshold), 1 - _TINY))
            if column >= 0:
                taken[column] = True
                right[level, row], ignored[level, row] = not crowd[column], crowd[column]
    return _Matched(found.scores[mine][best], right, ignored, int((~crowd).sum()))


def _best(overlaps: np.ndarray, taken: np.ndarray, crowd: np.ndarray, least: float) -> int:
    """The box to take: of those that count, else a crowd; the later of two alike, as COCO's own loop has it."""
    chosen = -1
    for column in range(len(overlaps)):
        if taken[column] and not crowd[column]:
            continue
        if chosen >= 0 and not crowd[chosen] and crowd[column]:
            break
        if overlaps[column] >= least:
            least, chosen = float(overlaps[column]), column
    return chosen


def _curve(matched: Sequence[_Matched], wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision at 101 recalls for each threshold, and the recall reached."""
    scores = np.concatenate([each.scores for each in matched])
    order = np.argsort(-scores, kind="mergesort")
    right = np.concatenate([each.right for each in matched], axis=1)[:, order]
    counted = ~np.concatenate([each.ignored for each in matched], axis=1)[:, order]
    made = np.zeros((len(THRESHOLDS), len(RECALLS)))
    reached = np.zeros(len(THRESHOLDS))
    for level in range(len(THRESHOLDS)):
        hits = np.cumsum(right[level] & counted[level]).astype(float)
        misses = np.cumsum(~right[level] & counted[level]).astype(float)
        if not len(hits):
            continue
        recall, precision = hits / wanted, hits / np.maximum(hits + misses, np.spacing(1))
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(recall, RECALLS, side="left")
        inside = places < len(precision)
        made[level, inside] = precision[places[inside]]
        reached[level] = recall[-1]
    return made, reached


def overlap(found: np.ndarray, truth: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    """Intersection over union `[k, m]` of boxes `[k, 4]` and `[m, 4]`; over the found box alone where the other is a crowd.

    >>> overlap(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 3, 2.0]])).round(3).tolist()
    [[0.333]]
    """
    low = np.maximum(found[:, None, :2], truth[None, :, :2])
    high = np.minimum(found[:, None, 2:], truth[None, :, 2:])
    sides = np.maximum(high - low, 0).astype(float)
    both = sides[..., 0] * sides[..., 1]
    own, other = _area(found)[:, None], _area(truth)[None]
    whole = own + other - both
    if crowd is not None:
        whole = np.where(crowd[None], own, whole)
    shares: np.ndarray = both / np.maximum(whole, np.spacing(1))
    return shares


def _area(boxes: np.ndarray) -> np.ndarray:
    area: np.ndarray = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).astype(float)
    return area
