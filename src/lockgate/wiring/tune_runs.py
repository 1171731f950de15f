"""A search's trials and their runs on record: each begin and each end is a transaction of its own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lockgate.governance.people import Person
from lockgate.pipelines.place import WORDS, working
from lockgate.pipelines.run import DataUsed, Made, Run, RunState
from lockgate.pipelines.store import Outcome, end_run, start_run
from lockgate.submission.lock import pins_of_distributions
from lockgate.tuning.store import begin_trial, end_trial, is_wanted
from lockgate.tuning.study import Asked
from lockgate.tuning.trial import SearchRow, Trial, TrialState
from lockgate.tuning.work import Came
from lockgate.wiring.house import House
from lockgate.wiring.mirroring import mirror


@dataclass
class Runs:
    """Runs of one search. `made`: what they have in common; `model`'s folder of a run is locked while it runs."""

    house: House
    person: Person
    made: Made
    _open: dict[int, tuple[Run, ExitStack]] = field(default_factory=dict)

    def begin(
        self, parameters: Mapping[str, object], used: Mapping[str, DataUsed], why: str
    ) -> tuple[int, Path]:
        """Enter a run; its number, and its folder."""
        house, stack = self.house, ExitStack()
        made = msgspec.structs.replace(self.made, parameters=dict(parameters), data=dict(used))
        with house.db.write() as tx:
            run = start_run(tx, made, author=self.person.id, why=why, at_us=house.clock.now_us())
            folder = stack.enter_context(working(house.home, run.model, run.id))  # seen running: seen alive
        self._open[run.id] = (run, stack)
        mirror(house, run)
        return run.id, folder

    def end(self, number: int, came: Came | None) -> None:
        """Enter what came of a run; None: it was lost with its machine."""
        run, stack = self._open.pop(number)
        with stack:
            made, outcome, state = run.made, Outcome(error=_GONE), RunState.LOST
            if came is not None:
                lock = run.made.lock or pins_of_distributions(came.distributions)
                made = msgspec.structs.replace(
                    made, parameters={**came.parameters, **made.parameters}, python=came.python, lock=lock
                )
                outcome = Outcome(
                    steps=came.steps, metrics=came.metrics, machine=came.machine, error=came.error
                )
                state = _state(came)
            with self.house.db.write() as tx:
                ended = end_run(tx, run, state, outcome, made=made, at_us=self.house.clock.now_us())
        mirror(self.house, ended)

    def place(self, number: int) -> Path:
        """The folder where what a run printed is kept."""
        return self.house.home.cache / "pipelines" / self.made.model / "runs" / str(number) / WORDS


@dataclass
class DatabaseBook:
    """The book of a search in lockgate's own database. `used`: the data of each fold."""

    house: House
    row: SearchRow
    runs: Runs
    used: tuple[dict[str, DataUsed], ...]

    def begin_trial(self, asked: Asked) -> Trial:
        """See `Book`."""
        trial = Trial(
            number=asked.number, state=TrialState.RUNNING, parameters=asked.parameters, drawn=asked.drawn,
            dimensions=asked.dimensions, started_us=self.house.clock.now_us(),
        )  # fmt: skip
        with self.house.db.write() as tx:
            begin_trial(tx, self.row.id, trial)
        return trial

    def begin_run(self, trial: Trial, fold: int) -> tuple[int, Path]:
        """See `Book`."""
        part = f", fold {fold + 1} of {len(self.used)}" if len(self.used) > 1 else ""
        fixed = self.runs.made.parameters
        why = f"search {self.row.id}, trial {trial.number}{part}"
        return self.runs.begin({**fixed, **trial.parameters}, self.used[fold], why)

    def end_run(self, run: int, came: Came | None) -> None:
        """See `Book`."""
        if came is not None and came.words and not self.runs.place(run).exists():
            self.runs.place(run).write_text(came.words)  # it ran on another machine
        self.runs.end(run, came)

    def end_trial(self, trial: Trial) -> None:
        """See `Book`."""
        ended = msgspec.structs.replace(trial, ended_us=self.house.clock.now_us())
        with self.house.db.write() as tx:
            end_trial(tx, self.row.id, ended)

    def stopped(self) -> bool:
        """See `Book`."""
        with self.house.db.read() as tx:
            return not is_wanted(tx, self.row.id)


_GONE: dict[str, object] = {"what": "its machine went away, or the search ended while it ran"}


def _state(came: Came) -> RunState:
    if came.stopped:
        return RunState.STOPPED
    return RunState.FAILED if came.error is not None else RunState.DONE
