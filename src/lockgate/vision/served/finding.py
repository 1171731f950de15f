"""What a detector's graph gives, in whichever layout `image.json` declares, as boxes, scores and labels. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .spec import CLASSES, LABEL, OBJECT, PLACES, SCORE, SHARE, SIGMOID, Spec

CANDIDATES = 3_000  # the surest of them are held against each other: a YOLO gives 8,400 and more, nearly all of nothing

Things = tuple[np.ndarray, np.ndarray, np.ndarray]


def things_of(spec: Spec, given: Sequence[np.ndarray]) -> Things:
    """Boxes `[k, 4]` (x1, y1, x2, y2 in prepared pixels), scores `(k,)` and labels `(k,)`, numbered from `first_label` on.

    `given`: the outputs that `spec.outputs` names. Raises ValueError for a shape that the columns do not fit, and for outputs
    that speak of other numbers of boxes.
    """
    names, table = spec.columns, _rows(given[0], spec.columns, spec)
    boxes = _corners(names, table)
    if spec.unit == SHARE:
        boxes = boxes * np.array([spec.width, spec.height] * 2, dtype=np.float32)
    if CLASSES in names:
        scores, labels = _surest(table[:, _span(names, table.shape[1])], spec)
        if OBJECT in names:
            scores = scores * _read(table[:, _at(names, OBJECT, table.shape[1])], spec)
    elif SCORE in names:
        scores, labels = (table[:, _at(names, name, table.shape[1])] for name in (SCORE, LABEL))
    elif spec.labels:
        scores, labels = np.asarray(given[1], dtype=np.float32).ravel(), np.asarray(given[2]).ravel()
    else:
        scores, labels = _surest(_rows(given[1], (CLASSES,), spec), spec)
    if not len(boxes) == len(scores) == len(labels):
        raise ValueError(
            f"the graph gives {len(boxes)} boxes, {len(scores)} scores and {len(labels)} labels; each box has one score and one "
            f"label: look at what image.json says of the outputs {', '.join(spec.outputs)}"
        )
    return _alone(boxes, scores, labels, spec) if spec.overlap else (boxes, scores, labels)


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The shares of two areas' union that both cover: of one box `(4,)` with each of `[k, 4]`.

    >>> overlaps(np.array([0, 0, 2, 2]), np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [1.0, 0.333, 0.0]
    """
    sides = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    both = np.prod(np.maximum(sides, 0.0), axis=1)
    areas = np.prod(others[:, 2:] - others[:, :2], axis=1) + np.prod(box[2:] - box[:2]) - both
    found: np.ndarray = both / np.maximum(areas, 1e-9)
    return found


def _rows(raw: np.ndarray, names: Sequence[str], spec: Spec) -> np.ndarray:
    """An output as `[k, columns]`: without axes of one picture, turned where boxes lie along the last axis."""
    table = np.asarray(raw, dtype=np.float32)
    count, plain = len(spec.classes), len(names) - (CLASSES in names)
    widths = (plain + count, plain + count + 1) if CLASSES in names else (plain,)
    if not table.size:
        return np.zeros((0, widths[0]), dtype=np.float32)
    if table.ndim >= 2 and all(side == 1 for side in table.shape[:-2]):
        high, wide = table.shape[-2:]
        if wide in widths:
            return table.reshape(high, wide)
        if high in widths:
            return table.reshape(high, wide).T
    raise ValueError(
        f"an output has the shape {list(np.shape(raw))}; {', '.join(names)} of {count} classes take "
        f"{' or '.join(map(str, widths))} along one of its last two axes"
    )


def _at(names: Sequence[str], name: str, width: int) -> int:
    """The column of a name: the classes take as many as the others leave."""
    place = names.index(name)
    after = CLASSES in names[:place]
    return place + (width - len(names) if after else 0)


def _span(names: Sequence[str], width: int) -> slice:
    first = names.index(CLASSES)
    return slice(first, first + width - len(names) + 1)


def _corners(names: Sequence[str], table: np.ndarray) -> np.ndarray:
    form = next(form for form in PLACES if set(form) <= set(names))
    one, two, three, four = (table[:, _at(names, name, table.shape[1])] for name in form)
    if form[0] == "x1":
        return np.stack([one, two, three, four], axis=1)
    left, top = (one, two) if form[0] == "x" else (one - three / 2, two - four / 2)
    return np.stack([left, top, left + three, top + four], axis=1)


def _surest(raw: np.ndarray, spec: Spec) -> tuple[np.ndarray, np.ndarray]:
    """The surest class of each box. One column more than classes is what is nothing: before them if labels begin at 1."""
    sure = _read(raw, spec)
    more = sure.shape[1] - len(spec.classes)
    first = more if spec.first_label else 0
    sure = sure[:, first : first + len(spec.classes)]
    if not len(sure):
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
    return sure.max(axis=1), sure.argmax(axis=1) + spec.first_label


def _read(raw: np.ndarray, spec: Spec) -> np.ndarray:
    """Numbers as probabilities: classes that are asked one by one (`sigmoid`), or against each other."""
    if spec.kind == SIGMOID:
        with np.errstate(over="ignore"):
            return (1.0 / (1.0 + np.exp(-raw.astype(np.float64)))).astype(np.float32)
    return spec.probabilities(raw) if raw.ndim > 1 and len(raw) else raw


def _alone(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, spec: Spec) -> Things:
    """Without boxes that overlap a surer one of their class by more than `overlap` (greedy non-maximum suppression)."""
    order = np.argsort(-scores, kind="stable")
    left = order[scores[order] >= spec.least_score][:CANDIDATES]
    chosen: list[int] = []
    while len(left) and len(chosen) < spec.most_boxes:
        chosen.append(int(left[0]))
        doubled = (labels[left] == labels[left[0]]) & (overlaps(boxes[left[0]], boxes[left]) > spec.overlap)
        doubled[0] = True
        left = left[~doubled]
    return boxes[chosen], scores[chosen], labels[chosen]
