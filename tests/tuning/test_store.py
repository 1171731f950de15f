"""What is on record of searches, in both databases: one end each, nothing lost, one who goes on."""

from __future__ import annotations

import threading

import msgspec
import pytest

from lockgate.config_tuning import Aim, IntSpace, TuneConfig
from lockgate.db import Database
from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.tuning.store import (
    ask_to_stop,
    begin_trial,
    end_search,
    end_trial,
    get_search,
    is_wanted,
    newest_search,
    resume_search,
    searches_of,
    set_ground,
    start_search,
    trials_of,
)
from lockgate.tuning.trial import (
    Ground,
    SearchEnd,
    SearchOrder,
    SearchRow,
    SearchState,
    Trial,
    TrialState,
    goals_from,
)

SPACE = {"depth": IntSpace(1, 9)}
ORDER = SearchOrder(model="churn", training={"seed": 1}, tune=TuneConfig(space=dict(SPACE), trials=4))  # type: ignore[arg-type]
RUNNING = Trial(
    number=1, state=TrialState.RUNNING, parameters={"depth": 3}, drawn={"depth": 3}, dimensions=dict(SPACE)
)


def begun(database: Database) -> SearchRow:
    """A search of churn that has just begun."""
    with database.write() as tx:
        return start_search(tx, ORDER, goals_from((Aim("accuracy"),)), author="ann", at_us=1)


def test_a_search_comes_back_as_it_was_entered(database: Database) -> None:
    """Order, ground, trials with values that JSON finds hard, how it ended; who asks for what is not there is told."""
    row = begun(database)
    ground = Ground(judged="folds", rows=((80, 20), (90, 10)), hidden=50, test="sha256:1")
    done = msgspec.structs.replace(
        RUNNING, state=TrialState.DONE, values=(0.1 + 0.2,), reports=((1, -1e-300), (2, 1e300))
    )
    with database.write() as tx:
        set_ground(tx, row.id, ground)
        begin_trial(tx, row.id, RUNNING)
        end_trial(tx, row.id, done)
        with pytest.raises(Conflict, match="has ended before"):
            end_trial(tx, row.id, done)
    with database.write() as tx:
        ended = end_search(
            tx, row, SearchState.DONE, SearchEnd(words="all 4 trials were begun", spent_s=0.5), at_us=9
        )
    with database.read() as tx:
        assert get_search(tx, row.id) == ended == newest_search(tx, "churn")
        assert (ended.order, ended.ground, ended.ended_us, ended.end.spent_s) == (ORDER, ground, 9, 0.5)
        assert trials_of(tx, row.id) == [done]
        assert searches_of(tx, among={"loans"}) == []
        with pytest.raises(NotFound, match="no search 99"):
            get_search(tx, 99)
        actions = [one.action for one in audit.rows(tx, subject="churn")]
    assert sorted(actions) == ["tuning:search:done", "tuning:search:started"]


def test_what_ran_when_a_search_ended_is_lost_and_one_goes_on(database: Database) -> None:
    """Trials without an end are lost with it, whoever ends it; of two who go on at once one is told that it runs."""
    row = begun(database)
    with database.write() as tx:
        begin_trial(tx, row.id, RUNNING)
        ask_to_stop(tx, row, by="bob", at_us=2)
        assert not is_wanted(tx, row.id)
        end_search(tx, row, SearchState.STOPPED, SearchEnd(), at_us=3)
        again = end_search(tx, row, SearchState.FAILED, SearchEnd(words="late"), at_us=4)
    assert (again.state, again.end.words) == (SearchState.STOPPED, "")
    with database.read() as tx:
        assert [(trial.state, trial.ended_us) for trial in trials_of(tx, row.id)] == [(TrialState.LOST, 3)]
    said: list[str] = []
    gate = threading.Barrier(2)

    def go_on(who: str) -> None:
        gate.wait()
        try:
            with database.write() as tx:
                resume_search(tx, row, ORDER, by=who, at_us=5)
            said.append("went on")
        except Conflict as error:
            said.append(error.what)

    both = [threading.Thread(target=go_on, args=(who,)) for who in ("ann", "bob")]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(said) == [f"search {row.id} runs", "went on"]
    with database.write() as tx:
        assert is_wanted(tx, row.id)
        assert get_search(tx, row.id).state is SearchState.RUNNING
