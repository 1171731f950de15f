"""The search itself: asks for trials while there is room and budget, listens to their runs, and puts each end on record before
the next trial is asked for. It knows neither database nor machines: a `Book` writes, a `Crew` carries out.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from lockgate.config_tuning import Value
from lockgate.errors import Conflict, LockgateError, PredictionFailed, error_from
from lockgate.tuning.budget import Budget, Spent, progress_words, refusal
from lockgate.tuning.crew import Crew, Ended, Event, Lost, Reported
from lockgate.tuning.study import Asked, Study
from lockgate.tuning.trial import Goal, Trial, TrialState, best_of
from lockgate.tuning.work import Came, Job, require_unshared

TRIES = 2  # of a run whose machine went away
FRUITLESS = 5  # trials that all failed before one was finished: then something is wrong with all of them
LOOK_S = 1.0
ENDS_SEARCH = frozenset({"unavailable"})  # no room on the disk: the next trial would meet it too

Tell = Callable[..., None]


class Book(Protocol):
    """Where a search is put on record. Every call is committed when it returns."""

    def begin_trial(self, asked: Asked) -> Trial:
        """Enter a trial that begins."""
        ...

    def begin_run(self, trial: Trial, fold: int) -> tuple[int, Path]:
        """Enter a run of a trial; its number, and the folder where it may work."""
        ...

    def end_run(self, run: int, came: Came | None) -> None:
        """Enter what came of a run; None: its machine went away."""
        ...

    def end_trial(self, trial: Trial) -> None:
        """Enter how a trial ended."""
        ...

    def stopped(self) -> bool:
        """Whether a person asked the search to stop."""
        ...


@dataclass
class _Active:
    """A trial under way. `folds`: values of finished folds; `run`: the one under way, since `began_s`; `lost`: how often its
    machine died. Its trial's seconds are those of runs that ended, one way or another.
    """

    trial: Trial
    began_s: float | None = None
    run: int = 0
    lost: int = 0
    folds: list[tuple[float, ...]] = field(default_factory=list)


@dataclass
class Search:
    """One search on its way. `past`: trials that ended before, for the budget; `folds`: runs of each trial; `fixed`: parameters
    of every run.
    """

    study: Study
    crew: Crew
    book: Book
    budget: Budget
    goals: tuple[Goal, ...]
    folds: int
    past: Sequence[Trial]
    tell: Tell
    fixed: Mapping[str, Value]
    spent_before_s: float = 0.0
    clock_s: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self._began_s = self.clock_s()
        self._active: dict[int, _Active] = {}  # by the run under way
        self._again: list[_Active] = []  # waiting for room: the next fold, or once more
        self._ended = [trial for trial in self.past if trial.state is not TrialState.LOST]
        self._fruitless = 0
        self.words, self.stopped = "", False

    def run(self) -> list[Trial]:
        """Until the budget is used, nothing is left to try, or a person stops it; every trial that ended.

        Raises what every trial raised, Unavailable where nothing can run any more. Trials under way then are lost.
        """
        try:
            while self._goes_on():
                for event in self.crew.hear(LOOK_S):
                    self._heard(event)
                self._show()
        finally:
            self._cut_off()
        return self._ended

    @property
    def spent(self) -> Spent:
        """What was used so far."""
        ran = [trial.seconds for trial in self._ended if trial.seconds]
        lost_s = sum(trial.seconds for trial in self.past if trial.state is TrialState.LOST)
        under_way = [*self._active.values(), *self._again]
        return Spent(
            begun=len(self._ended) + len(under_way), wall_s=self.spent_before_s + self.clock_s() - self._began_s,
            worker_s=sum(ran) + lost_s, running_s=sum(each.trial.seconds + self._ran_s(each) for each in under_way),
            running=len(under_way), usual_s=statistics.median(ran) if ran else 0.0,
        )  # fmt: skip

    def _ran_s(self, active: _Active) -> float:
        """Seconds of the run under way, up to now."""
        return 0.0 if active.began_s is None else self.clock_s() - active.began_s

    def _goes_on(self) -> bool:
        """Begin what may begin; whether anything is under way then."""
        if self.book.stopped():
            self.words, self.stopped = "a person stopped it", True
            return False
        while self.crew.room() > 0:
            if self._again:
                self._begin(self._again.pop(0))
                continue
            self.words = refusal(self.budget, self.spent) or ""
            if not self.words and self.study.exhausted:
                self.words = "every point of the grid was tried"
            if self.words:
                break
            asked = self.study.ask()
            self._begin(_Active(self.book.begin_trial(asked)))
        waits = not self.words  # for a machine: none has room now
        return bool(self._active or self._again) or waits

    def _begin(self, active: _Active) -> None:
        fold = len(active.folds)
        active.run, folder = self.book.begin_run(active.trial, fold)
        active.trial = msgspec.structs.replace(active.trial, runs=(*active.trial.runs, active.run))
        self._active[active.run], active.began_s = active, self.clock_s()
        parameters = {**self.fixed, **active.trial.parameters}
        self.crew.begin(
            Job(trial=active.trial.number, fold=fold, run=active.run, parameters=parameters), folder
        )

    def _heard(self, event: Event) -> None:
        active = self._active.get(event.run)
        if active is None:
            return
        match event:
            case Reported():
                self._reported(active, event)
            case Lost():
                self._lost(active, event.why)
            case Ended():
                self._run_ended(active, event.came)

    def _reported(self, active: _Active, event: Reported) -> None:
        """With several folds the trial is judged after each; what its steps say is kept and nothing is made of it."""
        reports = dict(active.trial.reports)
        goes_on = True
        if self.folds == 1 and event.at not in reports:
            active.trial = msgspec.structs.replace(
                active.trial, reports=(*active.trial.reports, (event.at, event.value))
            )
            goes_on = self.study.goes_on(active.trial.number, event.at, event.value)
        self.crew.answer(event.run, goes_on=goes_on)

    def _lost(self, active: _Active, why: str) -> None:
        del self._active[active.run]
        self._paid(active)
        self.book.end_run(active.run, None)
        active.lost += 1
        if active.lost < TRIES:
            again = msgspec.structs.replace(active.trial, tries=active.trial.tries + 1)
            active.trial = msgspec.structs.replace(again, reports=again.reports if self.folds > 1 else ())
            self._again.append(active)
            return
        self._close(active, TrialState.FAILED, {"what": f"its machine went away {TRIES} times", "got": why})

    def _run_ended(self, active: _Active, came: Came) -> None:
        del self._active[active.run]
        active.began_s = None
        self.book.end_run(active.run, came)
        active.trial = msgspec.structs.replace(
            active.trial,
            host=came.machine.host,
            metrics=came.metrics,
            seconds=active.trial.seconds + came.seconds,
        )
        if came.stopped:
            self._close(active, TrialState.PRUNED)
            return
        pointless = require_unshared(came) or self._unmeasured(came) if came.error is None else None
        error = pointless.as_json() if pointless is not None else came.error
        if error is not None:
            self._close(active, TrialState.FAILED, error)
            if error.get("code") in ENDS_SEARCH or (pointless and not best_of(self._ended, self.goals)):
                raise pointless or error_from(error)  # the next trial would meet it too
            return
        active.folds.append(tuple(came.metrics[goal.metric] for goal in self.goals))
        self._fold_ended(active)

    def _unmeasured(self, came: Came) -> LockgateError | None:
        missing = [goal.metric for goal in self.goals if goal.metric not in came.metrics]
        if not missing:
            return None
        return Conflict(f"nothing measures '{missing[0]}'", got=", ".join(came.metrics) or "no metric at all",
                        fix="return it from the step 'metrics', or name another: tune: {aims: [{metric: ...}]}")  # fmt: skip

    def _fold_ended(self, active: _Active) -> None:
        count = len(active.folds)
        means = tuple(statistics.fmean(column) for column in zip(*active.folds, strict=True))
        spread = statistics.stdev(each[0] for each in active.folds) if count > 1 else None
        active.trial = msgspec.structs.replace(active.trial, values=means, spread=spread)
        if count == self.folds:
            self._close(active, TrialState.DONE)
            return
        active.trial = msgspec.structs.replace(
            active.trial, reports=(*active.trial.reports, (count, means[0]))
        )
        if self.study.goes_on(active.trial.number, count, means[0]):
            self._again.append(active)
        else:
            self._close(active, TrialState.PRUNED)

    def _close(self, active: _Active, state: TrialState, error: dict[str, object] | None = None) -> None:
        trial = msgspec.structs.replace(
            active.trial,
            state=state,
            error=error,
            values=active.trial.values if state is TrialState.DONE else (),
        )
        self.book.end_trial(trial)  # on record before anything is made of it
        self.study.tell(trial.number, state, trial.values)
        self._ended.append(trial)
        self._fruitless = self._fruitless + 1 if state is TrialState.FAILED else 0
        if self._fruitless >= FRUITLESS and all(each.state is TrialState.FAILED for each in self._ended):
            first = self._ended[0].error or {}
            fix = str(first.get("fix") or "try the values of one with lockgate train --set")
            raise PredictionFailed(
                f"the first {len(self._ended)} trials all failed", got=first.get("what"), fix=fix
            )

    def _paid(self, active: _Active) -> None:
        """A run that is gone has cost what it ran."""
        seconds = active.trial.seconds + self._ran_s(active)
        active.trial, active.began_s = msgspec.structs.replace(active.trial, seconds=seconds), None

    def _cut_off(self) -> None:
        """What is under way when the search ends is lost; its parameters are tried again when it goes on."""
        self.crew.close()
        for active in [*self._active.values(), *self._again]:
            if active.run in self._active:
                self._paid(active)
                self.book.end_run(active.run, None)
            self.book.end_trial(msgspec.structs.replace(active.trial, state=TrialState.LOST, values=()))

    def _show(self) -> None:
        best = next(iter(best_of(self._ended, self.goals)), None)
        said = f"best {best.values[0]:.5g} ({self.goals[0].metric}, trial {best.number})" if best else ""
        spent = self.spent
        words = f"{len(self._ended)} of {self.budget.trials} trials, {len(self._active)} under way"
        self.tell(words, len(self._ended), self.budget.trials, progress_words(self.budget, spent, said))
