"""What ends a search: its time, its money; what is under way is finished, and a larger budget lets it go on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.tuning.flow import FLOW, asked, quiet

from lockgate.config_tuning import Aim, FloatSpace, TuneConfig, Value
from lockgate.pipelines.run import RunState
from lockgate.pipelines.store import get_run
from lockgate.tuning.budget import Budget
from lockgate.tuning.crew import Ended, Event, Lost
from lockgate.tuning.search import Search
from lockgate.tuning.store import trials_of
from lockgate.tuning.study import Asked, Study, proposer
from lockgate.tuning.trial import SearchState, Trial, TrialState, goals_from
from lockgate.tuning.work import Came, Job
from lockgate.wiring.house import House
from lockgate.wiring.tune import More, resume, start

MANY = 1000  # trials: more than any of these budgets holds
GOALS = goals_from((Aim("accuracy"),))
SPACE = {"at": FloatSpace(0.0, 1.0)}
SLOW = FLOW.replace("    return Cut(at)\n", "    import time\n    time.sleep(1.1)\n    return Cut(at)\n")


@pytest.mark.parametrize(
    ("text", "budget", "words", "larger"),
    [
        (SLOW, {"time": "2s"}, "the time of 2 s would not hold one more trial", {"time": "2h"}),
        (FLOW, {"cost": 0.0001, "price_per_hour": 3.6}, "one more trial would cost", {"cost": 100.0}),
    ],
)
def test_a_budget_ends_a_search_and_a_larger_one_lets_it_go_on(
    house: House, text: str, budget: dict[str, object], words: str, larger: dict[str, object]
) -> None:
    """A tenth of a second of a worker, or less than two trials take one after the other, hold no second one: what began is
    finished and on record, no other begins. With more of it the same search goes on behind what there is.
    """
    row = start(house, house.owner, asked(house, {"trials": MANY, "pruner": "none", **budget}, text), quiet)
    with house.db.read() as tx:
        before = trials_of(tx, row.id)
        runs = [get_run(tx, trial.runs[0]).state for trial in before]
    assert (row.state, row.end.words[: len(words)]) == (SearchState.DONE, words)
    assert 1 <= len(before) <= 2, "as many as there are workers begin before one of them is known"
    assert ({trial.state for trial in before}, set(runs)) == ({TrialState.DONE}, {RunState.DONE})
    assert row.end.spent_s == pytest.approx(sum(trial.seconds for trial in before))
    further = More(trials=len(before) + 1, **larger)  # type: ignore[arg-type]
    again = resume(house, house.owner, row.id, further, quiet)
    with house.db.read() as tx:
        after = trials_of(tx, row.id)
    assert (again.state, again.end.words) == (SearchState.DONE, f"all {len(before) + 1} trials were begun")
    assert (after[:-1], after[-1].state) == (before, TrialState.DONE)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.now_s


class Slow:
    """A crew of one whose every run takes ten seconds; `dies`: the numbers of runs whose machine goes away then."""

    def __init__(self, clock: Clock, dies: set[int]) -> None:
        self.clock, self.dies, self.job = clock, dies, None  # type: Clock, set[int], Job | None

    def room(self) -> int:
        """One at a time."""
        return 0 if self.job else 1

    def workers(self) -> int:
        """One."""
        return 1

    def begin(self, job: Job, _folder: Path) -> None:
        """A run."""
        self.job = job

    def hear(self, _timeout_s: float) -> list[Event]:
        """Its end, ten seconds later."""
        assert self.job is not None
        run, self.job = self.job.run, None
        self.clock.now_s += 10.0
        return (
            [Lost(run, "gone")]
            if run in self.dies
            else [Ended(run, Came(metrics={"accuracy": 0.5}, seconds=10.0))]
        )

    def answer(self, _run: int, *, goes_on: bool) -> None:
        """Nobody reports."""
        raise AssertionError(goes_on)

    def close(self) -> None:
        """Nothing is left."""


class Notes:
    """A book in memory: trials as they ended, runs as they were numbered."""

    def __init__(self) -> None:
        self.ended: list[Trial] = []
        self.runs = 0

    def begin_trial(self, asked: Asked) -> Trial:
        """Entered."""
        parameters: Mapping[str, Value] = asked.parameters
        return Trial(number=asked.number, state=TrialState.RUNNING, parameters=dict(parameters))

    def begin_run(self, _trial: Trial, _fold: int) -> tuple[int, Path]:
        """Numbered from one."""
        self.runs += 1
        return self.runs, Path()

    def end_run(self, _run: int, _came: Came | None) -> None:
        """Entered."""

    def end_trial(self, trial: Trial) -> None:
        """Entered."""
        self.ended.append(trial)

    def stopped(self) -> bool:
        """Nobody asks."""
        return False


def test_what_machines_that_died_had_run_is_paid_for() -> None:
    """Money for a minute of ten seconds a run: with two runs that were lost on the way four trials are finished, without six."""
    for dies, finished in ((set(), 6), ({2, 5}, 4)):
        clock, notes = Clock(), Notes()
        study = Study(TuneConfig(space=SPACE), GOALS, [], proposer(SPACE), {})  # type: ignore[arg-type]
        budget = Budget(MANY, cost=60.0, price_per_hour=3600.0)
        search = Search(study, Slow(clock, dies), notes, budget, GOALS, 1, [], quiet, {}, clock_s=clock)
        search.run()
        assert [trial.state for trial in notes.ended] == [TrialState.DONE] * finished
        assert sum(trial.seconds for trial in notes.ended) == 60.0
        assert search.words.startswith("one more trial would cost")
        assert sorted(trial.seconds for trial in notes.ended) == [10.0] * (finished - len(dies)) + [
            20.0
        ] * len(dies)


def test_a_search_that_goes_on_has_paid_for_what_was_cut_off() -> None:
    """Seconds of trials that were lost before count as money, and their trial is begun again."""
    lost = Trial(
        number=1,
        state=TrialState.LOST,
        parameters={"at": 0.5},
        drawn={"at": 0.5},
        dimensions=dict(SPACE),
        seconds=35.0,
    )
    clock, notes = Clock(), Notes()
    study = Study(TuneConfig(space=SPACE), GOALS, [lost], proposer(SPACE), {})  # type: ignore[arg-type]
    budget = Budget(MANY, cost=60.0, price_per_hour=3600.0)
    Search(study, Slow(clock, set()), notes, budget, GOALS, 1, [lost], quiet, {}, clock_s=clock).run()
    assert (notes.ended[0].number, notes.ended[0].parameters) == (2, {"at": 0.5})
    assert len(notes.ended) == 2, "35 and two of 10 are 55: one more would be above 60"
