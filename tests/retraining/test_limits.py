"""No storm: one at a time, waits that double, a budget, one cause once. A simulated year counts them."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Threshold
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config_retraining import RetrainConfig, Trigger, Wins
from lockgate.retraining.cause import Cause
from lockgate.retraining.limits import MONTH_US, cool_down_us, may_begin
from lockgate.retraining.retraining import IN_VAIN, MOVES, RUNNING, WELL, Gain, Retraining, State
from lockgate.retraining.wins import asked_of, gain_of, gain_words, has_won

T0 = 20_000 * DAY_US
CONFIG = RetrainConfig()
WORSE = Cause(trigger=Trigger.PERFORMANCE, key="performance:churn/1", words="Worse.", since_us=T0)


def past(state: State, ended_days: float = 0.0, number: int = 1, **more: object) -> Retraining:
    """One that ended so many days after T0."""
    ended = None if state in RUNNING else T0 + round(ended_days * DAY_US)
    given = {
        "trigger": WORSE.trigger,
        "cause": WORSE.key,
        "words": "Worse.",
        "champion": 1,
        "asked_us": ended or T0,
        **more,
    }
    return Retraining(id=number, model="churn", state=state, changed_us=T0, ended_us=ended, **given)  # type: ignore[arg-type]


def test_the_first_cause_begins() -> None:
    """Nothing stands in its way."""
    found = may_begin(CONFIG, WORSE, [], T0)
    assert (found.begins, found.attempt) == (True, 1)


@pytest.mark.parametrize("state", RUNNING)
def test_one_model_has_one_at_a_time(state: State) -> None:
    """Also for a person who asks, and for its release that is still on its way."""
    hand = msgspec.structs.replace(WORSE, trigger=Trigger.HAND, key="hand:ana:1")
    for cause in (WORSE, hand):
        found = may_begin(CONFIG, cause, [past(state)], T0 + 400 * DAY_US)
        assert (found.begins, found.why) == (False, f"retraining 1 is {state}; one model has one at a time")


@pytest.mark.parametrize("state", sorted(WELL))
def test_a_cause_that_was_answered_is_not_asked_again(state: State) -> None:
    """Another cause may be, after the cool-down."""
    done = [past(state)]
    assert "was for this very cause" in may_begin(CONFIG, WORSE, done, T0 + 400 * DAY_US).why
    other = msgspec.structs.replace(WORSE, key="performance:churn/2")
    early, late = (may_begin(CONFIG, other, done, T0 + days * DAY_US) for days in (13, 14))
    assert (early.begins, early.until_us, late.begins) == (False, T0 + 14 * DAY_US, True)


@pytest.mark.parametrize("state", sorted(IN_VAIN))
def test_in_vain_the_next_waits_twice_as_long(state: State) -> None:
    """14 days would do after a good one; 28, then 56, never more than half a year; said, with the attempt's number."""
    once = [past(state)]
    waits = may_begin(CONFIG, WORSE, once, T0 + 27 * DAY_US)
    assert (waits.begins, waits.until_us) == (False, T0 + 28 * DAY_US)
    assert waits.why.endswith("longer as that was in vain")
    again = may_begin(CONFIG, WORSE, once, T0 + 28 * DAY_US)
    assert (again.begins, again.attempt) == (True, 2)
    often = [past(state, number=9 - place) for place in range(9)]
    assert cool_down_us(CONFIG, once * 2) == 56 * DAY_US
    assert cool_down_us(CONFIG, often) == 180 * DAY_US
    assert cool_down_us(CONFIG, [past(State.RELEASED), *often]) == 14 * DAY_US


def test_a_person_passes_the_cool_down_and_not_the_budget() -> None:
    """Runs and hours of thirty days count, whoever asked."""
    hand = msgspec.structs.replace(WORSE, trigger=Trigger.HAND, key="hand:ana:1")
    assert may_begin(CONFIG, hand, [past(State.FAILED)], T0 + 1).begins
    four = [past(State.FAILED, number=4 - place) for place in range(4)]
    full = may_begin(CONFIG, hand, four, T0 + 1)
    assert (full.begins, full.until_us) == (False, T0 + MONTH_US)
    assert "4 retrainings in thirty days, of 4" in full.why
    costly = [past(State.FAILED, compute_s=24 * 3600.0)]
    assert "24 hours computed in thirty days, of 24" in may_begin(CONFIG, hand, costly, T0 + 1).why
    assert may_begin(CONFIG, hand, four, T0 + MONTH_US).begins


def test_what_was_refused_costs_nothing() -> None:
    """Neither a run of the month nor a wait: it begins as soon as its data are fit."""
    refused = [past(State.REFUSED, number=number) for number in range(9, 0, -1)]
    found = may_begin(CONFIG, WORSE, refused, T0 + HOUR_US)
    assert (found.begins, found.attempt) == (True, 1)


@given(
    outcomes=st.lists(st.sampled_from(sorted(WELL | IN_VAIN)), min_size=1, max_size=60),
    hours=st.floats(0.1, 30),
    new_version=st.booleans(),
)
def test_however_it_ends_a_year_has_few(outcomes: list[State], hours: float, new_version: bool) -> None:
    """A cause at every hour for a year: never two at once, never more than the month's runs and hours allow, and the
    hours of a month are passed by one run at most."""
    done: list[Retraining] = []
    now_us, version = T0, 1
    while now_us < T0 + 365 * DAY_US:
        cause = msgspec.structs.replace(WORSE, key=f"performance:churn/{version}")
        if may_begin(CONFIG, cause, done, now_us).begins:
            state = outcomes[len(done) % len(outcomes)]
            ended = now_us + round(hours * HOUR_US)
            done.insert(
                0, past(state, number=len(done) + 1, cause=cause.key, compute_s=hours * 3600, asked_us=now_us)
            )
            done[0] = msgspec.structs.replace(done[0], ended_us=ended)
            version += new_version and state in WELL
            now_us = ended
        now_us += 6 * HOUR_US
    begins = [each.asked_us for each in done]
    for first in begins:
        month = [at for at in begins if first <= at < first + MONTH_US]
        assert len(month) <= CONFIG.runs_a_month
        assert (len(month) - 1) * hours < CONFIG.compute_hours_a_month
    assert len(done) <= 365 / 14 + 1


def test_every_state_moves_on_or_is_an_end() -> None:
    """The table of moves names every state; ends are left by none."""
    assert set(MOVES) == set(State)
    assert all(not MOVES[state] for state in WELL | IN_VAIN)
    assert all(MOVES[state] for state in RUNNING)


def finding(value: float, low: float | None, high: float | None) -> Finding:
    """What the performance check says beside the live version."""
    return Finding(
        check="performance", subject="against churn/1", status=Status.PASS, headline="-", threshold=Threshold(at_least=-0.5),
        measure=Measure(name="mean absolute error gained", value=value, low=low, high=high),
        plot=Plot(kind=PlotKind.BARS, title="-", data={"bars": [{"name": "churn/1", "value": 70.0},
                                                                {"name": "this version", "value": 70.0 - value}]}),
    )  # fmt: skip


def test_a_challenger_wins_by_its_whole_interval() -> None:
    """Better: all of it above nothing; as good: none of it below the margin; no comparison is no gain."""
    clear, slight, unsure = (
        gain_of([finding(*each)], "churn/1") for each in ((25, 22, 28), (1, -0.4, 2), (1, None, None))
    )
    assert isinstance(clear, Gain)
    assert isinstance(slight, Gain)
    assert isinstance(unsure, Gain)
    assert [has_won(each, Wins.BETTER) for each in (clear, slight, unsure)] == [True, False, False]
    assert [has_won(each, Wins.AS_GOOD) for each in (clear, slight, unsure)] == [True, True, False]
    assert gain_of([finding(25, 22, 28)], "churn/2") is None
    assert gain_words(clear, "churn/1") == (
        "mean absolute error 45 against 70 of churn/1 on the same rows, better by 25 (22 to 28)"
    )


def test_a_gain_is_said_with_the_sides_that_are_known() -> None:
    """An interval that is open on a side has no number there."""
    gain = Gain(metric="accuracy", value=0.02, low=0.01, high=0.03, alike=0.0, before=0.8, after=0.82)
    assert gain_words(gain, "churn/1") == (
        "accuracy 0.82 against 0.8 of churn/1 on the same rows, better by 0.02 (0.01 to 0.03)"
    )
    for low, high, said in (
        (0.01, None, "at least 0.01"),
        (None, 0.03, "at most 0.03"),
        (None, None, "or anything else"),
    ):
        assert gain_words(msgspec.structs.replace(gain, low=low, high=high), "churn/1").endswith(f"({said})")


def test_a_cause_says_how_well_it_wants_to_be_answered() -> None:
    """Whoever retrains for a reason wants it mended; a schedule wants nothing worse; settings have the last word."""
    assert asked_of(None, Trigger.PERFORMANCE) is asked_of(None, Trigger.DRIFT) is Wins.BETTER
    assert asked_of(None, Trigger.SCHEDULE) is asked_of(None, Trigger.HAND) is Wins.AS_GOOD
    assert asked_of(Wins.BETTER, Trigger.SCHEDULE) is Wins.BETTER
