"""How much a search may use: trials, time, money. Whether one more trial may begin is decided here, pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lockgate.config_tuning import TuneConfig
from lockgate.errors import InvalidInput
from lockgate.tuning.trial import Trial, TrialState

UNITS_S = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0}
HOUR_S = 3600.0


@dataclass(frozen=True)
class Budget:
    """`trials` in all; `time_s` of the search; `cost` at `price_per_hour` of a worker."""

    trials: int
    time_s: float | None = None
    cost: float | None = None
    price_per_hour: float | None = None

    def price(self, worker_s: float) -> float | None:
        """What seconds of workers cost; None without a price."""
        return None if self.price_per_hour is None else worker_s / HOUR_S * self.price_per_hour


@dataclass(frozen=True)
class Spent:
    """`begun` trials, lost ones not counted; `worker_s`: of ended and of lost ones; `running_s`: of those under way, up to now.

    `usual_s`: of one finished trial; 0: none is known. `running`: how many are under way.
    """

    begun: int = 0
    wall_s: float = 0.0
    worker_s: float = 0.0
    running_s: float = 0.0
    running: int = 0
    usual_s: float = 0.0


def budget_of(tune: TuneConfig) -> Budget:
    """The declared budget. Raises InvalidInput for money without a price."""
    if tune.cost is not None and tune.price_per_hour is None:
        raise InvalidInput("a budget in money needs the price of a worker", got=f"cost: {tune.cost:g}",
                           fix="tune: {price_per_hour: 0.90} in lockgate.yaml, or --price 0.90")  # fmt: skip
    return Budget(tune.trials, seconds_of(tune.time) if tune.time else None, tune.cost, tune.price_per_hour)


def seconds_of(span: str) -> float:
    """A stretch of time in seconds. Raises InvalidInput.

    >>> seconds_of("90min"), seconds_of("1.5 h"), seconds_of("2d")
    (5400.0, 5400.0, 172800.0)
    """
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*(s|min|h|d)\s*", span)
    if found is None or float(found[1]) <= 0:
        raise InvalidInput("this is no stretch of time", got=span, allowed="90min, 2h, 1d, 30s")
    return float(found[1]) * UNITS_S[found[2]]


def wall_s_of(past: Sequence[Trial]) -> float:
    """How long a search was at work: the time in which at least one of its trials ran. A trial that was cut off counts with the
    seconds that are known of it, since nobody knows when its process ended.

    >>> from lockgate.tuning.trial import Trial, TrialState
    >>> spans = [(1, 0, 4), (2, 2, 6), (3, 9, 10)]
    >>> wall_s_of([Trial(number=number, state=TrialState.DONE, parameters={}, started_us=start * 10**6, ended_us=end * 10**6)
    ...            for number, start, end in spans])
    7.0
    """
    spans = sorted((one.started_us / 1e6, _ended_s(one)) for one in past)
    total_s, until_s = 0.0, 0.0
    for start_s, end_s in spans:
        total_s += max(0.0, end_s - max(start_s, until_s))
        until_s = max(until_s, end_s)
    return total_s


def _ended_s(one: Trial) -> float:
    if one.state is TrialState.LOST or one.ended_us is None:
        return one.started_us / 1e6 + one.seconds
    return one.ended_us / 1e6


def refusal(budget: Budget, spent: Spent) -> str | None:
    """Why no further trial may begin; None when one may.

    Trials under way are counted with what they will probably still use, so the budget is overshot by what one trial takes more
    than usual, and by the first ones, of which nothing is known.

    >>> refusal(Budget(10), Spent(begun=9)), refusal(Budget(10), Spent(begun=10))
    (None, 'all 10 trials were begun')
    """
    if spent.begun >= budget.trials:
        return f"all {budget.trials} trials were begun"
    if budget.time_s is not None and spent.wall_s + spent.usual_s > budget.time_s:
        return f"the time of {budget.time_s:g} s would not hold one more trial of {spent.usual_s:.0f} s"
    if budget.cost is not None:
        expected_s = spent.worker_s + max(spent.running_s, spent.running * spent.usual_s) + spent.usual_s
        price = budget.price(expected_s) or 0.0
        if price > budget.cost:
            return f"one more trial would cost {price:.2f} in all, and {budget.cost:g} are allowed"
    return None


def progress_words(budget: Budget, spent: Spent, best: str) -> str:
    """How far a search is, in one line.

    >>> progress_words(Budget(50, 3600, 10, 2), Spent(7, 600, 900, 0, 2), "best 0.91")
    'best 0.91; 10 of 60 min; 0.50 of 10 spent'
    """
    parts = [best] if best else []
    if budget.time_s is not None:
        parts.append(f"{spent.wall_s / 60:.0f} of {budget.time_s / 60:.0f} min")
    price = budget.price(spent.worker_s + spent.running_s)
    if price is not None:
        parts.append(f"{price:.2f}{f' of {budget.cost:g}' if budget.cost is not None else ''} spent")
    return "; ".join(parts)
