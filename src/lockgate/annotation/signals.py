"""What makes a row worth a person's time, as a number from 0 to 1 for each row: one pure function a reason.

Sources: Settles (2009), Active learning literature survey (margin, entropy, committees); Lin (1991), Divergence measures based
on the Shannon entropy (disagreement); Elkan (2001), The foundations of cost-sensitive learning (expected cost); Northcutt,
Jiang and Chuang (2021), Confident learning (suspicion).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum

import numpy as np

from lockgate.errors import InvalidInput

_LEAST = 1e-12


class Reason(StrEnum):
    """Why a row was picked."""

    MARGIN = "margin"  # the two likeliest classes are close
    ENTROPY = "entropy"  # no class stands out
    DISAGREEMENT = "disagreement"  # versions say different things
    DRIFT = "drift"  # it lies where production has moved to
    SUSPECT = "suspect"  # it has a label, which models contradict
    COST = "cost"  # being wrong here is dear
    DIVERSITY = "diversity"  # it stands for rows that are unlike the others
    VARIANCE = "variance"  # its label makes the model surer of all rows
    EDGE = "edge"  # an extreme that somebody must decide how to label
    CHANCE = "chance"  # drawn, to compare with


def margins(probabilities: np.ndarray) -> np.ndarray:
    """1 where the two likeliest classes are level, 0 where one is certain; probabilities (n, classes).

    >>> margins(np.array([[0.5, 0.5], [1.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    parted = np.partition(probabilities, -2, axis=1)
    return np.asarray(1 - (parted[:, -1] - parted[:, -2])).clip(0, 1)


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """Entropy as a share of the largest possible, shape (n,).

    >>> entropies(np.array([[0.5, 0.5], [1.0, 0.0]])).round(6).tolist()
    [1.0, 0.0]
    """
    classes = probabilities.shape[1]
    if classes < 2:
        return np.zeros(len(probabilities))
    return np.asarray(np.abs(_entropy(probabilities) / np.log(classes)).clip(0, 1))


def disagreements(answers: Sequence[np.ndarray]) -> np.ndarray:
    """How far versions are apart, for probabilities (n, classes) of two or more: the generalised Jensen-Shannon divergence as a
    share of its largest value. Certain and opposite answers give 1.

    >>> disagreements([np.array([[1.0, 0.0], [0.7, 0.3]]), np.array([[0.0, 1.0], [0.7, 0.3]])]).round(6).tolist()
    [1.0, 0.0]
    """
    if len(answers) < 2:
        raise InvalidInput("disagreement needs the answers of two versions at least", got=len(answers))
    together = np.mean(answers, axis=0)
    apart = _entropy(together) - np.mean([_entropy(each) for each in answers], axis=0)
    return np.asarray(apart / np.log(min(len(answers), together.shape[1]))).clip(0, 1)


def expected_costs(probabilities: np.ndarray, costs: np.ndarray) -> np.ndarray:
    """What the cheapest decision is expected to cost, as a share of the dearest mistake; `costs[truth, decision]`.

    >>> expected_costs(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([[0.0, 1.0], [10.0, 0.0]])).round(3).tolist()
    [0.09, 0.05]
    """
    least = (probabilities @ (costs - costs.min())).min(axis=1)
    largest = float(np.ptp(costs))
    return np.asarray(least / largest).clip(0, 1) if largest > 0 else np.zeros(len(probabilities))


def cost_matrix(costs: Mapping[str, Mapping[str, float | str]], classes: Sequence[str]) -> np.ndarray:
    """The catalogue of errors and their penalties (`costs:` of lockgate.yaml) as `[truth, decision]`; what is not named costs
    nothing when it is right and as much as the dearest named mistake when it is wrong. Raises InvalidInput."""
    unknown = sorted(({*costs} | {name for row in costs.values() for name in row}) - {*classes})
    if unknown:
        raise InvalidInput("the costs name classes that the model does not know", got=", ".join(unknown),
                           allowed=", ".join(classes))  # fmt: skip
    named = [value for row in costs.values() for value in row.values()]
    numbers = [float(value) for value in named if not isinstance(value, str)]
    dearest = max(numbers, default=1.0)
    made = np.full((len(classes), len(classes)), dearest)
    np.fill_diagonal(made, 0.0)
    for truth, row in costs.items():
        for decision, value in row.items():
            if not isinstance(value, str):  # a column says it, row by row: the dearest stands for it
                made[classes.index(truth), classes.index(decision)] = float(value)
    return made


def suspicions(probabilities: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """How surely models that have not seen a row contradict its label (`codes`, -1: it has none): the likeliest other class's
    probability, where that is above the label's own."""
    there = codes >= 0
    rows, found = np.flatnonzero(there), np.zeros(len(codes))
    own = probabilities[rows, codes[rows]]
    others = probabilities[rows].copy()
    others[np.arange(rows.size), codes[rows]] = -1
    best = others.max(axis=1, initial=-1)
    found[rows] = np.where(best > own, best, 0).clip(0, 1)
    return found


def together(values: Mapping[Reason, np.ndarray]) -> np.ndarray:
    """Several reasons as one number: 1 - (1 - a)(1 - b)..., so that a row counts when any reason speaks for it.

    >>> together({Reason.MARGIN: np.array([0.5, 0.0]), Reason.DRIFT: np.array([0.5, 0.2])}).tolist()
    [0.75, 0.2]
    """
    left = np.ones(len(next(iter(values.values()))))
    for value in values.values():
        left = left * (1 - value)
    return np.asarray((1 - left).round(12))


def _entropy(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(-(probabilities * np.log(np.maximum(probabilities, _LEAST))).sum(axis=1))
