"""Mean average precision beside pycocotools, whose figures everybody quotes."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lockgate.vision.average_precision import Found, Truth, average_precision, overlap

CLASSES = 3


def scene(dice: np.random.Generator) -> tuple[Truth, Found]:
    """A picture with some boxes, and a detector that finds most of them, some twice, some wrong, some on a crowd."""
    count = int(dice.integers(0, 7))
    low = dice.uniform(0, 60, (count, 2))
    boxes = np.concatenate([low, low + dice.uniform(5, 40, (count, 2))], axis=1).round(1)
    truth = Truth(boxes, dice.integers(0, CLASSES, count), dice.random(count) < 0.15)
    again = dice.choice(count, int(dice.integers(0, 2 * count + 1))) if count else np.zeros(0, int)
    moved = boxes[again] + dice.normal(0, 2.5, (len(again), 4))
    loose = dice.uniform(0, 50, (int(dice.integers(0, 4)), 2))
    found = np.concatenate([moved, np.concatenate([loose, loose + dice.uniform(3, 40, loose.shape)], axis=1)])
    found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 0.5)
    classes = np.concatenate([truth.classes[again], dice.integers(0, CLASSES, len(loose))])
    return truth, Found(found.round(1), classes, dice.random(len(found)).round(3))


def by_coco(scenes: list[tuple[Truth, Found]]) -> Any:
    """The figures of pycocotools over the same scenes."""
    things, seen = [], []
    for picture, (truth, found) in enumerate(scenes):
        for box, place, crowd in zip(truth.boxes, truth.classes, truth.crowd, strict=True):
            wide, high = box[2] - box[0], box[3] - box[1]
            things.append({"id": len(things) + 1, "image_id": picture, "category_id": int(place), "iscrowd": int(crowd),
                           "bbox": [box[0], box[1], wide, high], "area": wide * high})  # fmt: skip
        for box, place, score in zip(found.boxes, found.classes, found.scores, strict=True):
            seen.append({"image_id": picture, "category_id": int(place), "score": float(score),
                         "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]]})  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        names = [{"id": place, "name": str(place)} for place in range(CLASSES)]
        images = [{"id": place} for place in range(len(scenes))]
        coco.dataset = {"info": {}, "images": images, "categories": names, "annotations": things}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(seen), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return judge


@pytest.mark.parametrize("seed", range(6))
def test_figures_are_those_of_pycocotools(seed: int) -> None:
    """Means, thresholds, recall and each class, with crowds, doubles, misses and equal scores."""
    dice = np.random.default_rng(seed)
    scenes = [scene(dice) for _ in range(40)]
    ours, theirs = average_precision(*map(list, zip(*scenes, strict=True)), CLASSES), by_coco(scenes)
    assert [ours.mean, ours.at_50, ours.at_75, ours.recall] == pytest.approx(
        theirs.stats[[0, 1, 2, 8]].tolist(), abs=1e-9
    )
    for place, mean in ours.by_class.items():
        assert mean == pytest.approx(float(theirs.eval["precision"][:, :, place, 0, 2].mean()), abs=1e-9)


def test_the_plain_cases() -> None:
    """All found is 1, nothing found is 0, nothing to find is -1."""
    box = np.array([[0.0, 0, 10, 10]])
    truth = Truth(box, np.array([0]), np.array([False]))
    none = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    assert average_precision([truth], [Found(box, np.array([0]), np.array([0.5]))], 2).mean == 1.0
    empty = Truth(box[:0], np.zeros(0, int), np.zeros(0, bool))
    assert average_precision([truth], [none], 2) == average_precision([truth, empty], [none, none], 2)
    assert average_precision([truth], [none], 2).mean == 0.0
    assert average_precision([], [], 2).mean == -1.0
    assert overlap(box, box).tolist() == [[1.0]]
