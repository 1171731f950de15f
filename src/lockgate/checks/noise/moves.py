"""Part of noise: how far answers moved between two askings of the same rows. Pure.

Classes flip or not. Numbers "flip" when they move by more than a tenth of the spread of the answers (quarter range over
1.349). The distance of a score to the decision is taken from the answers themselves: halfway between the highest score
below and the lowest above, so a version with a threshold of its own is measured by that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.evidence import Answers, Evidence
from lockgate.checks.noise.tremble import spread_of
from lockgate.stats.clusters import share_by
from lockgate.stats.intervals import Interval

NUMBER_SHARE = 0.1  # of the answers' spread: a number that moves less stays put
SURE = 0.2  # of a probability: a decision farther than that from the boundary was a sure one


@dataclass(frozen=True)
class Moved:
    """`flips` of n rows; `shift`: mean distance that scores moved, in their own unit; `relative`: that distance beside the mean
    distance to the decision (classes) or the spread of the answers (numbers); `sure`: flips of decisions that were sure."""

    name: str
    rows: int
    flips: Interval
    shift: float
    relative: float
    sure: int
    classifies: bool


def moves(
    name: str,
    before: Answers,
    after: Answers,
    evidence: Evidence,
    *,
    subjects: np.ndarray | None = None,
    whole: Answers | None = None,
) -> Moved:
    """How far n answers moved. `subjects` (n,): numbers of the rows' subjects, over which the interval is; `whole`: more of the
    answers before, for boundary and spread."""
    base = whole or before
    count = before.decisions.size
    if not evidence.classifies:
        old, new = np.asarray(before.decisions, dtype=float), np.asarray(after.decisions, dtype=float)
        every = np.asarray(base.decisions, dtype=float)
        spread = spread_of(every[np.isfinite(every)])[0]
        distance = np.abs(new - old)
        far = (distance > NUMBER_SHARE * spread) | ~np.isfinite(new)
        relative = float(distance.mean() / spread) if spread else 0.0
        return Moved(name, count, share_by(far, subjects), float(distance.mean()), relative, 0, False)
    flipped = np.array([new != old for new, old in zip(after.decisions, before.decisions, strict=True)], dtype=bool)  # fmt: skip
    share = share_by(flipped, subjects)
    margin, shift = _margin(before, base, evidence), _shift(before, after)
    if margin is None or shift is None:
        return Moved(name, count, share, float("nan"), float("nan"), 0, True)
    mean = float(margin.mean())
    return Moved(name, count, share, float(shift.mean()), float(shift.mean()) / mean if mean else 0.0,
                 int((flipped & (margin > SURE)).sum()), True)  # fmt: skip


def _shift(before: Answers, after: Answers) -> np.ndarray | None:
    if before.probabilities is not None and after.probabilities is not None:
        moved: np.ndarray = np.abs(after.probabilities - before.probabilities).max(axis=1)
        return moved
    if before.scores is None or after.scores is None:
        return None
    distance: np.ndarray = np.abs(np.asarray(after.scores, dtype=float) - before.scores)
    return distance


def _margin(before: Answers, whole: Answers, evidence: Evidence) -> np.ndarray | None:
    """Distance of each row to another decision, in probability; None where the model gives none."""
    if before.probabilities is not None and before.probabilities.shape[1] > 2:
        ordered = np.sort(before.probabilities, axis=1)
        lead: np.ndarray = ordered[:, -1] - ordered[:, -2]
        return lead
    if before.scores is None or whole.scores is None:
        return None
    score = np.asarray(whole.scores, dtype=float)
    positive = whole.decisions == evidence.positive
    bounds = [score[~positive].max(initial=0.0), score[positive].min(initial=1.0)]
    boundary = float(np.mean(bounds)) if positive.any() and not positive.all() else 0.5
    return np.abs(np.asarray(before.scores, dtype=float) - boundary)
