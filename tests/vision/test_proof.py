"""When a graph's boxes are the network's, and when a planted difference is seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lockgate.errors import PredictionFailed
from lockgate.vision.average_precision import Found
from lockgate.vision.proof import prove

LEAST = 0.05
NONE = Found(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0, np.float32))


def picture(seed: int, count: int = 12) -> Found:
    """Boxes far from each other, of two classes, all surer than the bound."""
    dice = np.random.default_rng(seed)
    low = np.stack([np.arange(count) * 50.0, dice.uniform(0, 50, count)], axis=1)
    boxes = np.concatenate([low, low + dice.uniform(10, 40, (count, 2))], axis=1).astype(np.float32)
    return Found(boxes, dice.integers(0, 2, count), dice.uniform(0.2, 1, count).astype(np.float32))


def test_the_same_boxes_in_another_order_hold() -> None:
    """Rounding and the order of answers are no difference."""
    network = [picture(seed) for seed in range(4)]
    graph = [
        Found(one.boxes[::-1] + np.float32(1e-4), one.classes[::-1], one.scores[::-1] + np.float32(1e-6))
        for one in network
    ]
    proof = prove(network, graph, LEAST)
    assert (proof.boxes, proof.same, proof.more) == (48, 48, 0)
    assert proof.gap == pytest.approx(1e-6, abs=1e-7)
    assert "48 of 48 boxes again" in proof.in_words()


@pytest.mark.parametrize(
    ("planted", "says"),
    [
        (lambda one: replace(one, scores=one.scores + np.float32(0.02)), "0 of 48 boxes are in both, 48 in"),
        (lambda one: replace(one, boxes=one.boxes + np.float32(2)), "0 of 48"),
        (lambda one: replace(one, classes=1 - one.classes), "0 of 48"),
        (
            lambda one: Found(one.boxes[1:], one.classes[1:], one.scores[1:]),
            "44 of 48 boxes are in both, 0 in",
        ),
        (
            lambda one: Found(
                np.concatenate([one.boxes, one.boxes[:1] + 1000]),
                np.append(one.classes, 0),
                np.append(one.scores, 0.9),
            ),
            "48 of 48 boxes are in both, 4 in",
        ),
    ],
)
def test_a_planted_difference_is_refused(planted, says: str) -> None:
    """Other scores, places or classes, boxes that are missing, boxes that the graph alone has."""
    network = [picture(seed) for seed in range(4)]
    with pytest.raises(PredictionFailed, match=f"does not find what the network finds.*{says}"):
        prove(network, [planted(one) for one in network], LEAST)


def test_what_is_as_sure_as_the_bound_may_fall_on_either_side() -> None:
    """A box at the very score from which on boxes are answered is not compared; one of many may differ."""
    network = picture(0)
    edge = Found(np.float32([[900, 0, 990, 90]]), np.int64([0]), np.float32([LEAST + 5e-4]))
    with_edge = Found(
        *(
            np.concatenate([getattr(network, one), getattr(edge, one)])
            for one in ("boxes", "classes", "scores")
        )
    )
    assert prove([with_edge], [network], LEAST).boxes == 12
    assert prove([network], [with_edge], LEAST).more == 0
    many = [picture(seed) for seed in range(4)]
    fewer = [Found(many[0].boxes[1:], many[0].classes[1:], many[0].scores[1:]), *many[1:]]
    assert prove(many, fewer, LEAST).same == 47


def test_nothing_found_is_said() -> None:
    """Without a box there is nothing to compare; a box of the graph alone is a difference then too."""
    assert "saw no box" in prove([NONE], [NONE], LEAST).in_words()
    with pytest.raises(PredictionFailed):
        prove([NONE], [picture(0, 1)], LEAST)


def test_boxes_that_an_edge_left_without_a_size_are_compared_by_their_corners() -> None:
    """They overlap nothing, not even themselves."""
    flat = Found(np.float32([[0, 10, 0, 90], [128, 3, 128, 4]]), np.int64([0, 1]), np.float32([0.9, 0.8]))
    assert prove([flat], [replace(flat, boxes=flat.boxes + np.float32(1e-3))], LEAST).same == 2
    with pytest.raises(PredictionFailed):
        prove([flat], [replace(flat, boxes=flat.boxes + np.float32(0.2))], LEAST)
