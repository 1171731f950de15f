"""Optuna as the chooser: which parameters next, and whether a trial goes on. What it knows lies in lockgate's own database:
a study is made anew from the trials on record, so going on after a crash is the same as never having stopped.
"""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lockgate.config_tuning import (
    ChoiceSpace,
    Dimension,
    FloatSpace,
    IntSpace,
    PrunerName,
    SamplerName,
    TuneConfig,
    Value,
)
from lockgate.errors import InvalidInput, MissingExtra
from lockgate.late import late
from lockgate.tuning.space import NEAR, Draw, drawn, fault_of, inside
from lockgate.tuning.trial import Goal, Trial, TrialState

if TYPE_CHECKING:
    import optuna
else:
    optuna = late("optuna")

FIRST_AT_RANDOM = 10  # trials before TPE trusts what it has seen: Optuna's own default
GRID_POINTS = 10_000
Propose = Callable[[Draw], Mapping[str, Value]]


@dataclass(frozen=True)
class Asked:
    """The next trial."""

    number: int
    parameters: dict[str, Value]
    drawn: dict[str, Value]
    dimensions: dict[str, Dimension]


class Study:
    """What was tried, and what to try next. Not for several threads.

    `past`: trials on record, in the order of their numbers. `propose`: draws one trial's parameters. `first`: parameters to
    begin a new search with, so far as they lie in the space.
    """

    def __init__(
        self, tune: TuneConfig, goals: Sequence[Goal], past: Sequence[Trial], propose: Propose, first: Mapping[str, object]
    ) -> None:  # fmt: skip
        require_optuna()
        self._goals, self._propose = goals, propose
        self._open: dict[int, Any] = {}
        self._study = optuna.create_study(
            directions=[goal.direction.value for goal in goals], sampler=_sampler(tune, len(past)), pruner=_pruner(tune, goals)
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # choices of mixed kinds: what is on record was drawn before
            self._study.add_trials([_frozen(trial, goals) for trial in past])
            self._left = self._enqueue(tune, past)
        if not past and self._left is None and not isinstance(tune.space, str):
            begin = {
                name: value
                for name, value in first.items()
                if name in tune.space and inside(tune.space[name], value)
            }
            if begin:
                self._study.enqueue_trial(begin)

    @property
    def exhausted(self) -> bool:
        """Whether a grid has no point left."""
        return self._left == 0

    def _enqueue(self, tune: TuneConfig, past: Sequence[Trial]) -> int | None:
        """What is already known to come: the rest of a grid, and how much that is; else what was cut off before."""
        if tune.sampler is not SamplerName.GRID:
            for trial in past:
                if trial.state is TrialState.LOST:
                    self._study.enqueue_trial(dict(trial.drawn))
            return None
        tried = [trial.drawn for trial in past if trial.state is not TrialState.LOST]
        points = [point for point in _grid(tune) if point not in tried]
        for point in points:
            self._study.enqueue_trial(point)
        return len(points)

    def ask(self) -> Asked:
        """The next trial, open until it is told. Raises InvalidInput for what cannot be drawn from, and what `propose` raises."""
        self._left = None if self._left is None else self._left - 1
        trial = self._study.ask()
        dimensions: dict[str, Dimension] = {}
        found: dict[str, Value] = {}

        def draw(name: str, one: Dimension) -> Value:
            fault = fault_of(one)
            if fault:
                raise InvalidInput(f"the space of the search cannot be: {name}: {fault}")
            dimensions[name], found[name] = one, _suggested(trial, name, one)
            return found[name]

        try:
            parameters = dict(self._propose(draw))
        except BaseException:
            self._study.tell(trial, state=optuna.trial.TrialState.FAIL)
            raise
        self._open[trial.number + 1] = trial
        return Asked(trial.number + 1, parameters, found, dimensions)

    def goes_on(self, number: int, at: int, value: float) -> bool:
        """Take a report of an open trial, and say whether the trial goes on. With several goals each goes on."""
        if len(self._goals) > 1:
            return True
        trial = self._open[number]
        trial.report(value, at)
        return not trial.should_prune()

    def tell(self, number: int, state: TrialState, values: Sequence[float] = ()) -> None:
        """Close an open trial."""
        trial = self._open.pop(number)
        if state is TrialState.DONE:
            self._study.tell(trial, list(values))
        else:
            self._study.tell(trial, state=_STATES()[state])


def proposer(space: Mapping[str, Dimension]) -> Propose:
    """Draws from declared dimensions."""
    return lambda draw: drawn(space, draw)


def study_of(trials: Sequence[Trial], goals: Sequence[Goal]) -> Any:
    """Trials on record as an Optuna study, for its own evaluators."""
    require_optuna()
    study = optuna.create_study(directions=[goal.direction.value for goal in goals])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.add_trials([_frozen(trial, goals) for trial in trials])
    return study


def require_optuna() -> None:
    """Raise MissingExtra when Optuna is not installed, and keep it quiet when it is."""
    try:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    except ImportError as error:
        raise MissingExtra("a search needs Optuna", got=str(error), fix="install lockgate[tune]") from error


def _sampler(tune: TuneConfig, past: int) -> Any:
    """`past`: how many trials there were, so that a search that goes on draws other numbers than at its start."""
    seed = (tune.seed + past) % 2**32
    if tune.sampler is not SamplerName.TPE:
        return optuna.samplers.RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Optuna calls experimental: trials under way count as poor ones
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=FIRST_AT_RANDOM, constant_liar=True)


def _grid(tune: TuneConfig) -> list[dict[str, Any]]:
    """Every point of a declared space, in an order that the seed draws. Raises InvalidInput where there is no end of them."""
    if isinstance(tune.space, str) or any(one.when for one in tune.space.values()):
        raise InvalidInput("a grid needs a declared space without `when`", fix="sampler: tpe")
    axes = {name: _points(name, one) for name, one in tune.space.items()}
    size = math.prod(len(points) for points in axes.values())
    if size > GRID_POINTS:
        raise InvalidInput(
            "the grid has too many points", got=f"{size:,}", allowed=f"{GRID_POINTS:,}", fix="sampler: tpe"
        )
    found = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    random.Random(tune.seed).shuffle(found)  # noqa: S311 - a budget that ends before the grid has seen all of it
    return found


def _points(name: str, one: Dimension) -> list[Any]:
    if isinstance(one, ChoiceSpace):
        return list(one.choices)
    if one.step is None or one.log:
        raise InvalidInput(f"a grid needs steps, and '{name}' has none", got=one,
                           fix=f"{name}: {{step: ...}} without log, or sampler: tpe")  # fmt: skip
    count = int((one.high - one.low) / one.step + NEAR) + 1
    return [min(one.low + place * one.step, one.high) for place in range(min(count, GRID_POINTS + 1))]


def _pruner(tune: TuneConfig, goals: Sequence[Goal]) -> Any:
    if tune.pruner is PrunerName.NONE or len(goals) > 1:
        return optuna.pruners.NopPruner()
    if tune.pruner is PrunerName.HYPERBAND:
        return optuna.pruners.HyperbandPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=5)


def _suggested(trial: Any, name: str, one: Dimension) -> Value:
    if isinstance(one, FloatSpace):
        return float(trial.suggest_float(name, one.low, one.high, step=one.step, log=one.log))
    if isinstance(one, IntSpace):
        return int(trial.suggest_int(name, one.low, one.high, step=one.step, log=one.log))
    value: Value = trial.suggest_categorical(name, one.choices)
    return value


def _distribution(one: Dimension) -> Any:
    kinds = optuna.distributions
    if isinstance(one, FloatSpace):
        return kinds.FloatDistribution(one.low, one.high, log=one.log, step=one.step)
    if isinstance(one, IntSpace):
        return kinds.IntDistribution(one.low, one.high, log=one.log, step=one.step)
    return kinds.CategoricalDistribution(one.choices)


def _STATES() -> dict[TrialState, Any]:  # noqa: N802 - a table that Optuna must be there for
    theirs = optuna.trial.TrialState
    return {TrialState.DONE: theirs.COMPLETE, TrialState.PRUNED: theirs.PRUNED, TrialState.FAILED: theirs.FAIL,
            TrialState.LOST: theirs.FAIL, TrialState.RUNNING: theirs.FAIL}  # fmt: skip


def _frozen(trial: Trial, goals: Sequence[Goal]) -> Any:
    """A trial on record as Optuna holds one: drawn values with the dimensions that they were drawn from."""
    drawn_from = {name: _distribution(trial.dimensions[name]) for name in trial.drawn}
    values = (
        list(trial.values) if trial.state is TrialState.DONE and len(trial.values) == len(goals) else None
    )
    state = trial.state if values is not None or trial.state is not TrialState.DONE else TrialState.FAILED
    reports = dict(trial.reports) if len(goals) == 1 else {}
    if state is TrialState.PRUNED and not reports:
        state = TrialState.FAILED
    return optuna.trial.create_trial(
        state=_STATES()[state],
        values=values,
        params=trial.drawn,
        distributions=drawn_from,
        intermediate_values=reports,
    )
