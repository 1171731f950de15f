"""Part of the prediction shift check: how labels moved from training to judged rows, beside how answers did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.judged import subjects_answered
from lockgate.checks.metrics import apart
from lockgate.stats.clusters import ks_by, share_by

_ALIKE = 0.5  # of a move: the other went the same way, by half as much up to half as much again
_FEWEST = 30
_SURE = 0.001  # of labels that moved by chance


@dataclass(frozen=True, eq=False)
class _Side:
    """The labelled rows of one table: labels and answers, and the numbers of their subjects (None: each row its own)."""

    truth: np.ndarray
    answers: Answers
    subjects: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Moves:
    """What answers and labels were on training rows and are on judged ones: means and spreads, or shares of classes.

    `names`: of the figures, for sentences. `sure`: whether the labels' move is large and no chance. `level`: whether the
    answers are in the mean what they were, so that at most their spread changed.
    """

    names: tuple[str, ...]
    answers: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]
    sure: bool
    level: bool

    @property
    def follow(self) -> bool:
        """Whether the answers' move is that of the labels."""
        return alike(*(after - before for before, after in (self.answers, self.labels)))

    @property
    def stay_behind(self) -> bool:
        """Whether labels moved for sure, and the answers' move is another one."""
        return self.sure and not alike(*(after - before for before, after in (self.labels, self.answers)))

    def words(self, unit: str | None) -> str:
        """The figure that moved most: labels and answers, before and after."""
        place = int(np.argmax(np.abs(self.labels[1] - self.labels[0])))
        was, now, said, says = (
            figure(float(each[place]), unit) for pair in (self.labels, self.answers) for each in pair
        )
        return f"{self.names[place]} went from {was} to {now} in the labels, and from {said} to {says} in the answers"


def moves_of(
    evidence: Evidence, trained: Answers, mine: Answers, split: Split, *, decision: float, distance: float
) -> Moves | None:
    """None where labels are lacking on either side. `decision`, `distance`: the least move of labels that is large."""
    before, after = evidence.answered_truth(Split.TRAIN), evidence.answered_truth(split)
    if before is None or after is None:
        return None
    sides = [
        _side(evidence, where, truth, answers)
        for where, truth, answers in ((Split.TRAIN, before, trained), (split, after, mine))
    ]
    if min(side.truth.size for side in sides) < _FEWEST:
        return None
    if evidence.classifies:
        return _of_classes(evidence, sides, decision)
    labels = [side.truth for side in sides]
    made = [np.asarray(side.answers.decisions, dtype=float) for side in sides]
    gap = ks_by(labels[0], labels[1], (sides[0].subjects, sides[1].subjects))
    shapes = [np.array([each.mean(), each.std()]) for each in (*made, *labels)]
    far = float(np.linalg.norm(shapes[3] - shapes[2])) >= distance * (float(shapes[2][1]) or 1.0)
    level = abs(float(shapes[1][0] - shapes[0][0])) < distance * (float(shapes[2][1]) or 1.0)
    return Moves(("the mean", "the spread"), (shapes[0], shapes[1]), (shapes[2], shapes[3]),
                 far and gap.value >= distance and gap.p < _SURE, level)  # fmt: skip


def alike(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether the other move goes the same way as the one, and about as far.

    >>> alike(np.array([1.0, 0.1]), np.array([0.9, 0.2])), alike(np.array([1.0, 0.0]), np.array([0.1, 0.0]))
    (True, False)
    """
    far = float(np.linalg.norm(one))
    return bool(far > 0 and float(np.linalg.norm(one - other)) <= _ALIKE * far)


def _side(evidence: Evidence, split: Split, truth: np.ndarray, answers: Answers) -> _Side:
    there = np.array([name is not None for name in truth]) if evidence.classifies else np.isfinite(truth)
    subjects = subjects_answered(evidence, split)
    return _Side(
        truth[there], answers.take(np.flatnonzero(there)), None if subjects is None else subjects[there]
    )


def _of_classes(evidence: Evidence, sides: list[_Side], decision: float) -> Moves:
    """By the mean probability of each class where there is one, else by how often it is decided."""
    names = evidence.classes or tuple(sorted({str(name) for name in sides[0].answers.decisions}))
    rates = [[share_by(side.truth == name, side.subjects, 1 - _SURE) for name in names] for side in sides]
    sure = any(
        not moved.holds(0.0) and abs(moved.value) >= decision
        for moved in (apart(now, was) for was, now in zip(*rates, strict=True))
    )
    said = [_shares(evidence, side.answers, names) for side in sides]
    return Moves(
        tuple(f"'{name}'" for name in names),
        (said[0], said[1]),
        (np.array([rate.value for rate in rates[0]]), np.array([rate.value for rate in rates[1]])),
        sure,
        bool(np.abs(said[1] - said[0]).max(initial=0.0) < decision),
    )


def _shares(evidence: Evidence, answers: Answers, names: tuple[str, ...]) -> np.ndarray:
    if answers.probabilities is not None and answers.probabilities.shape[1] == len(names):
        wide: np.ndarray = answers.probabilities.mean(axis=0)
        return wide
    if answers.scores is not None and len(names) == 2 and evidence.positive in names:
        positive = float(np.mean(answers.scores))
        return np.array([positive if name == evidence.positive else 1 - positive for name in names])
    return np.array([np.mean(answers.decisions == name) for name in names])
