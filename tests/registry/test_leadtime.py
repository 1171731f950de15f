"""Lead time from the times at which gates were passed."""

from hypothesis import given
from hypothesis import strategies as st

from lockgate.registry.leadtime import Gate, Waits, lead_time

HOUR = 3_600_000_000


def test_where_a_version_waits_and_for_whom() -> None:
    """Passed gates have durations; the next one says for whom it waits, and the slowest step is named."""
    passed = {
        Gate.SUBMITTED: 0,
        Gate.VALIDATED: HOUR,
        Gate.RELEASE_STARTED: 2 * HOUR,
        Gate.SHADOW_DONE: 5 * HOUR,
    }
    found = lead_time(passed, 15 * HOUR)
    assert [(step.gate, step.took_us // HOUR, step.done) for step in found.steps] == [
        (Gate.VALIDATED, 1, True), (Gate.RELEASE_STARTED, 1, True), (Gate.SHADOW_DONE, 3, True), (Gate.APPROVED, 10, False),
    ]  # fmt: skip
    assert found.waiting is not None
    assert (found.waiting.waits_for, found.slowest, found.live) == (Waits.APPROVER, found.waiting, False)
    assert found.total_us == 15 * HOUR


def test_a_live_version_waits_for_nothing() -> None:
    """A first version skips shadow and canary; once live, its lead time stands still."""
    passed = {Gate.SUBMITTED: 0, Gate.VALIDATED: HOUR, Gate.RELEASE_STARTED: 2 * HOUR, Gate.LIVE: 3 * HOUR}
    skipped = [Gate.SHADOW_DONE, Gate.APPROVED, Gate.CANARY_STARTED]
    early, late = lead_time(passed, 4 * HOUR, skipped=skipped), lead_time(passed, 400 * HOUR, skipped=skipped)
    assert early == late
    assert (early.live, early.waiting, early.total_us) == (True, None, 3 * HOUR)


def test_an_ended_release_and_an_unknown_start() -> None:
    """After a rollback nothing waits; without a submission nothing is measured."""
    ended = lead_time({Gate.SUBMITTED: 0, Gate.VALIDATED: HOUR}, 9 * HOUR, ended=True)
    assert (ended.waiting, ended.total_us) == (None, HOUR)
    assert lead_time({Gate.LIVE: 1}, 2).steps == ()


@given(times=st.dictionaries(st.sampled_from(list(Gate)), st.integers(0, 10**15)), now=st.integers(0, 10**15))
def test_times_in_any_order_never_go_negative(times: dict[Gate, int], now: int) -> None:
    """Whatever the clock did, durations are not negative, add up, and shares are a whole."""
    found = lead_time(times, now)
    assert all(step.took_us >= 0 for step in found.steps)
    assert found.total_us == sum(step.took_us for step in found.steps)
    assert not found.total_us or abs(sum(step.share for step in found.steps) - 1) < 1e-9
