"""Whether a detector's graph finds in pictures what its network finds: the same boxes, classes and scores. Numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.errors import PredictionFailed
from lockgate.vision.average_precision import Found, overlap

SAME_BOX, SAME_SCORE = 0.98, 1e-3  # overlap and distance of scores at which both found the same
SAME_PX = 0.05  # of every corner: a box cut off at an edge may have no area, and overlaps nothing
SAME_SHARE = 0.95  # of the boxes of each


@dataclass(frozen=True)
class Proof:
    """Boxes that the network found, how many of them the graph found, how many boxes the graph alone found, and how far the
    scores of the same boxes were apart at most.

    Boxes of the same score compete for a place, and rounding decides which one stays: so not all need be the same.
    """

    boxes: int
    same: int
    more: int
    gap: float

    @property
    def holds(self) -> bool:
        """Whether few enough boxes are in one of the two alone."""
        return self.boxes - self.same <= (1 - SAME_SHARE) * self.boxes and self.more <= (
            1 - SAME_SHARE
        ) * max(self.boxes, 1)

    def in_words(self) -> str:
        """For people who wait for a training."""
        if not self.boxes:
            return "the proof saw no box: network and graph find nothing in the test pictures"
        return f"the graph finds {self.same} of {self.boxes} boxes again, scores differ by at most {self.gap:.2g}"


def prove(expected: Sequence[Found], made: Sequence[Found], least: float) -> Proof:
    """What the network (`expected`) and the graph (`made`) found in the same n pictures, of boxes surer than `least`.

    A score within `SAME_SCORE` of that bound may fall on either side of it. Raises PredictionFailed when they differ.
    """
    sure = least + SAME_SCORE
    there = [_distances(one, other, sure) for one, other in zip(expected, made, strict=True)]
    back = [_distances(other, one, sure) for one, other in zip(expected, made, strict=True)]
    gaps = np.concatenate([np.zeros(0), *there])
    strange = np.concatenate([np.zeros(0), *back]) > SAME_SCORE
    same = gaps[gaps <= SAME_SCORE]
    proof = Proof(len(gaps), len(same), int(strange.sum()), float(same.max(initial=0.0)))
    if not proof.holds:
        raise PredictionFailed("the graph does not find what the network finds",
                               got=f"{proof.same} of {proof.boxes} boxes are in both, {proof.more} in the graph alone",
                               allowed=f"at least {SAME_SHARE:.2f} of them in both",
                               fix="train longer (what has learned nothing sees the same everywhere), or take another "
                                   "architecture")  # fmt: skip
    return proof


def _distances(one: Found, other: Found, sure: float) -> np.ndarray:
    """How far the scores of each sure box and of the other's box of its class and place are apart; infinite without one."""
    distances = []
    for place in np.flatnonzero(one.scores >= sure):
        alike = np.flatnonzero(other.classes == one.classes[place])
        box, others = one.boxes[place : place + 1], other.boxes[alike]
        close = np.abs(others - box).max(axis=1, initial=0.0) <= SAME_PX
        near = alike[close | (overlap(box, others)[0] >= SAME_BOX)]
        distances.append(np.abs(other.scores[near] - one.scores[place]).min(initial=np.inf))
    return np.array(distances, dtype=np.float64)
