"""Rates, frozen layers and when to stop, as pure functions of step, epoch and what was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence


def rate_at(step: int, steps: int, highest: float, warmup_share: float) -> float:
    """The learning rate of a step (0-based): up in a line, then down a cosine (Loshchilov and Hutter 2017, SGDR).

    >>> [round(rate_at(step, 10, 1.0, 0.2), 2) for step in (0, 1, 2, 9)]
    [0.5, 1.0, 1.0, 0.04]
    """
    warm = round(steps * warmup_share)
    if step < warm:
        return highest * (step + 1) / warm
    done = (step - warm) / max(1, steps - warm)
    return highest * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def learning(freeze: Mapping[int, float | str], epoch: int) -> float | str:
    """What learns in an epoch, counted from the head: a share of the layers, or all from a named stage on.

    >>> [learning({0: 0.0, 2: "layer4", 4: 1.0}, epoch) for epoch in range(5)]
    [0.0, 0.0, 'layer4', 'layer4', 1.0]
    """
    return freeze[max(start for start in freeze if start <= epoch)]


def best_epoch(measured: Sequence[float]) -> int:
    """The first epoch with the highest figure. Not a number counts as worst.

    >>> best_epoch([0.5, 0.8, float("nan"), 0.8])
    1
    """
    plain = [-math.inf if math.isnan(value) else value for value in measured]
    return plain.index(max(plain))


def is_over(measured: Sequence[float], patience: int, thawed: int = 0) -> bool:
    """Whether the last `patience` epochs brought nothing better. `thawed`: the epoch from which on all learns that will: those
    before it do not count, since what follows may help.

    >>> is_over([0.5, 0.8, 0.7, 0.8], 2), is_over([0.5, 0.8, 0.7], 2), is_over([], 2)
    (True, False, False)
    >>> is_over([0.8, 0.7, 0.6], 2, thawed=2), is_over([0.8, 0.7, 0.6, 0.7], 2, thawed=2)
    (False, True)
    """
    return bool(measured) and len(measured) - 1 - max(best_epoch(measured), thawed - 1) >= patience
