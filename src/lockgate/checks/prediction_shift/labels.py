"""Part of the prediction shift check: did the labels move from training to judged rows as the answers did?"""

from __future__ import annotations

import numpy as np

from lockgate.checks.evidence import Answers, Evidence, Split

_ALIKE = (
    0.5  # of the answers' own move: the labels moved the same way, by half as much up to half as much again
)
_FEWEST = 30


def follows_labels(evidence: Evidence, trained: Answers, mine: Answers, split: Split) -> bool:
    """Whether the answers' move is that of the labels: of numbers the means and spreads, of classes the share of each.

    False where labels are lacking on either side, and where labels stayed and answers moved.
    """
    before, after = evidence.answered_truth(Split.TRAIN), evidence.answered_truth(split)
    if before is None or after is None:
        return False
    if evidence.classifies:
        return _of_classes(evidence, (before, trained), (after, mine))
    moves = []
    for truth, answers in ((before, trained), (after, mine)):
        there = np.isfinite(truth)
        if there.sum() < _FEWEST:
            return False
        made = np.asarray(answers.decisions, dtype=float)[there]
        moves.append(np.array([made.mean(), made.std(), truth[there].mean(), truth[there].std()]))
    move = moves[1] - moves[0]
    return _alike(move[:2], move[2:])


def _of_classes(
    evidence: Evidence, before: tuple[np.ndarray, Answers], after: tuple[np.ndarray, Answers]
) -> bool:
    """By the mean probability of each class where there is one, else by how often it is decided."""
    names = evidence.classes or tuple(sorted({str(name) for name in before[1].decisions}))
    moves = []
    for truth, answers in (before, after):
        there = np.array([name is not None for name in truth], dtype=bool)
        if there.sum() < _FEWEST:
            return False
        said = _shares(evidence, answers, there, names)
        moves.append((said, np.array([np.mean(truth[there] == name) for name in names])))
    return _alike(moves[1][0] - moves[0][0], moves[1][1] - moves[0][1])


def _shares(evidence: Evidence, answers: Answers, there: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    if answers.probabilities is not None and answers.probabilities.shape[1] == len(names):
        wide: np.ndarray = answers.probabilities[there].mean(axis=0)
        return wide
    if answers.scores is not None and len(names) == 2 and evidence.positive in names:
        positive = float(np.mean(answers.scores[there]))
        return np.array([positive if name == evidence.positive else 1 - positive for name in names])
    return np.array([np.mean(answers.decisions[there] == name) for name in names])


def _alike(answers: np.ndarray, labels: np.ndarray) -> bool:
    """Whether two moves go the same way and about as far.

    >>> _alike(np.array([1.0, 0.1]), np.array([0.9, 0.2])), _alike(np.array([1.0, 0.0]), np.array([0.1, 0.0]))
    (True, False)
    """
    far = float(np.linalg.norm(answers))
    return bool(far > 0 and float(np.linalg.norm(answers - labels)) <= _ALIKE * far)
