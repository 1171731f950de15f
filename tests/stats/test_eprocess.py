"""States keep their value through any order, any number of workers and any snapshot."""

import math
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import InvalidInput
from lockgate.stats.eprocess import RESTART_REQUESTS, BetState, Detector, EventCounts, EventProcess, Segment
from lockgate.stats.evalues import bet_diff, event_arm, restart_mixture

WEIGHTS = (0.01, 0.05, 0.1, 0.25, 0.5)
EVENTS = st.lists(st.tuples(st.sampled_from(WEIGHTS), st.booleans()), max_size=60)


def _count(events):
    state = EventCounts()
    for w, in_canary in events:
        state = state.add(w, canary=int(in_canary), baseline=int(not in_canary))
    return state


@settings(deadline=None)
@given(EVENTS, st.randoms(use_true_random=False))
def test_order_of_events_does_not_matter(events, rng):
    """Shuffling the events leaves the state, and so log E, exactly equal."""
    shuffled = list(events)
    rng.shuffle(shuffled)
    assert _count(events) == _count(shuffled)


@settings(deadline=None)
@given(EVENTS, EVENTS, EVENTS)
def test_workers_add_up(one, two, three):
    """What three workers counted apart equals what one would have counted."""
    apart = _count(one).merge(_count(two)).merge(_count(three))
    together = _count([*one, *two, *three])
    assert event_arm(apart.cells) == event_arm(together.cells)


def _play(state, steps):
    for stage, event in steps:
        state = state.request(stage)
        if event is not None:
            state = state.event(*event[:1], in_canary=event[1])
    return state


STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.none() | st.tuples(st.sampled_from(WEIGHTS), st.booleans())), max_size=40
).map(lambda steps: sorted(steps, key=lambda step: step[0]))


@settings(deadline=None)
@given(STEPS, st.integers(0, 40))
def test_snapshot_and_replay_give_the_same_float(steps, cut):
    """A snapshot at any event, read back and continued, is the same state to the last digit."""
    whole = _play(EventProcess(), steps)
    snapshot = msgspec.json.decode(msgspec.json.encode(_play(EventProcess(), steps[:cut])), type=EventProcess)
    again = _play(snapshot, steps[cut:])
    assert again == whole
    assert again.log_e() == whole.log_e()


def test_restart_copies_see_their_own_suffix():
    """Each stage and each 50,000 requests start a copy that knows only what came after."""
    first, second = EventCounts().add(0.01, baseline=4), EventCounts().add(0.1, canary=5)
    state = EventProcess((Segment(1, 10, first), Segment(2, 10, second)))
    both = event_arm(first.merge(second).cells)
    assert state.log_e() == restart_mixture([both, event_arm(second.cells)])
    full = EventProcess((Segment(1, RESTART_REQUESTS),)).request(1)
    assert [s.requests for s in full.segments] == [RESTART_REQUESTS, 1]


def test_late_breakage_is_found_sooner_than_without_restarts():
    """After much clean traffic a copy that started late finds what the first copy has not yet."""
    clean, broken = (
        EventCounts().add(0.1, canary=50, baseline=450),
        EventCounts().add(0.1, canary=12, baseline=18),
    )
    state = EventProcess((Segment(1, 50_000, clean), Segment(1, 2_000, broken)))
    assert state.log_e() > event_arm(clean.merge(broken).cells)


def test_void_stage_is_no_evidence():
    """Events of a stage whose split was broken are shown, but they are no evidence."""
    state = _play(EventProcess(), [(1, (0.1, True))] * 6 + [(2, (0.5, False))])
    voided = state.void(1)
    assert state.log_e() > 0 >= voided.log_e()
    assert voided.totals() == state.totals() == (6, 1)


def test_event_needs_its_request():
    """An event before any request is a defect, and said so."""
    with pytest.raises(InvalidInput, match="belongs to a request"):
        EventProcess().event(0.1, in_canary=True)


@settings(deadline=None)
@given(st.lists(st.floats(-1, 1), max_size=50), st.lists(st.floats(-1, 1), max_size=50))
def test_bets_merge(one, two):
    """Paired losses counted apart equal the formula over all, to 1e-9."""
    states = []
    for part in (one, two):
        state = BetState()
        for difference in part:
            state = state.add(difference)
        states.append(state)
    merged = states[0].merge(states[1])
    assert merged.log_e() == pytest.approx(bet_diff([*one, *two]), abs=1e-9)
    assert merged.pairs == len(one) + len(two)


def test_detector_false_alarms_and_delay():
    """Over 200 clean batches at most n/A of runs alarm; a share four times the limit is found within 20."""
    rng, runs, batches, size, limit = random.Random(7), 200, 200, 50, 0.02
    threshold = math.log(batches / 0.05)
    false = 0
    for _ in range(runs):
        detector = Detector()
        for _ in range(batches):
            bad = sum(rng.random() < limit for _ in range(size))
            detector = detector.batch([(limit, bad, size - bad)])
            if detector.log_r_mean() >= threshold:
                false += 1
                break
    assert false / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)
    detector, late = Detector(), 0
    while detector.log_r_mean() < threshold:
        bad = sum(rng.random() < 4 * limit for _ in range(size))
        detector, late = detector.batch([(limit, bad, size - bad)]), late + 1
    assert late <= 20
