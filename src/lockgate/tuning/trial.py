"""A search and its trials, as they go on record."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from lockgate.config_tuning import Aim, Dimension, Direction, TuneConfig, Value

SMALLER_IS_BETTER = (
    "loss",
    "error",
    "mae",
    "mse",
    "rmse",
    "mape",
    "brier",
    "deviance",
    "latency",
    "seconds",
    "ms",
)


class SearchState(StrEnum):
    """How far a search is."""

    RUNNING = "running"
    DONE = "done"  # its budget is used, or there is nothing left to try
    STOPPED = "stopped"  # by a person
    FAILED = "failed"
    LOST = "lost"  # its process ended without a word


class TrialState(StrEnum):
    """What became of a trial."""

    RUNNING = "running"
    DONE = "done"
    PRUNED = "pruned"  # ended early: what it reported was not among the better
    FAILED = "failed"
    LOST = "lost"  # cut off with its search; its parameters are tried again when the search goes on


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """One objective with its direction."""

    metric: str
    direction: Direction

    @property
    def larger(self) -> bool:
        """Whether larger is better."""
        return self.direction is Direction.MAXIMIZE


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One set of parameters. `values`: one an aim, means over the folds; `spread`: of the first aim over the folds.

    `drawn`: what was drawn from `dimensions`; a function of the project may make other parameters of it.
    `reports`: what was reported, (at, value); `runs`: numbers of the recorded runs, one a fold and try; `seconds`: of a worker.
    """

    number: int
    state: TrialState
    parameters: dict[str, Value]
    drawn: dict[str, Value] = {}
    dimensions: dict[str, Dimension] = {}
    values: tuple[float, ...] = ()
    spread: float | None = None
    reports: tuple[tuple[int, float], ...] = ()
    metrics: dict[str, float] = {}
    runs: tuple[int, ...] = ()
    tries: int = 1
    seconds: float = 0.0
    host: str = ""
    started_us: int = 0
    ended_us: int | None = None
    error: dict[str, object] | None = None


class SearchOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One search as it was asked for. `training`: the training whose parameters are searched, as `TrainOrder` says it.

    `compute`: where trials run.
    """

    model: str
    training: dict[str, Any]
    tune: TuneConfig
    compute: str = "local"


class SearchEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How a search ended. `words`: why no further trial was begun; `spent_s`: seconds of workers."""

    words: str = ""
    remarks: tuple[str, ...] = ()
    error: dict[str, object] | None = None
    spent_s: float = 0.0


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """What the trials are judged on. `judged`: in words; `rows`: of each fold, to learn from and to be judged on.

    `hidden`: rows of the test set that no trial was given; `test`: digest of that table.
    """

    judged: str = ""
    rows: tuple[tuple[int, int], ...] = ()
    hidden: int = 0
    test: str = ""


class SearchRow(msgspec.Struct, frozen=True, kw_only=True):
    """One search on record."""

    id: int
    order: SearchOrder
    goals: tuple[Goal, ...]
    state: SearchState
    author: str
    started_us: int
    ended_us: int | None = None
    ground: Ground = Ground()
    end: SearchEnd = SearchEnd()

    @property
    def model(self) -> str:
        """Of which model."""
        return self.order.model


def goals_from(aims: tuple[Aim, ...]) -> tuple[Goal, ...]:
    """Aims with their directions.

    >>> [str(goal.direction) for goal in goals_from((Aim("roc_auc"), Aim("log_loss"), Aim("rmse_eur")))]
    ['maximize', 'minimize', 'minimize']
    """
    return tuple(Goal(metric=aim.metric, direction=aim.direction or _direction(aim.metric)) for aim in aims)


def best_of(trials: list[Trial], goals: tuple[Goal, ...]) -> list[Trial]:
    """Finished trials, the best first; with several goals those that no other beats in all of them come first."""
    done = [trial for trial in trials if trial.state is TrialState.DONE]
    beaten = {one.number: sum(_dominates(other, one, goals) for other in done) for one in done}
    return sorted(done, key=lambda one: (beaten[one.number], *_ranked(one, goals), one.number))


def unbeaten(trials: list[Trial], goals: tuple[Goal, ...]) -> list[Trial]:
    """Finished trials that no other is at least as good as in every goal and better in one."""
    done = [trial for trial in trials if trial.state is TrialState.DONE]
    return [one for one in done if not any(_dominates(other, one, goals) for other in done)]


def _dominates(other: Trial, one: Trial, goals: tuple[Goal, ...]) -> bool:
    left, right = _ranked(other, goals), _ranked(one, goals)
    return all(a <= b for a, b in zip(left, right, strict=True)) and left != right


def _ranked(trial: Trial, goals: tuple[Goal, ...]) -> tuple[float, ...]:
    """Smaller is better."""
    return tuple(-value if goal.larger else value for value, goal in zip(trial.values, goals, strict=True))


def _direction(metric: str) -> Direction:
    words = metric.lower().replace("-", "_").split("_")
    return Direction.MINIMIZE if any(word in words for word in SMALLER_IS_BETTER) else Direction.MAXIMIZE
