"""What counts as evidence and what does not."""

import msgspec
import pytest

from lockgate.config_release import ReleaseConfig
from lockgate.predictions.record import Attempt, Kind, Record
from lockgate.release.baseline import Baseline, Traffic
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.guards import GuardName
from lockgate.release.judge import Label, judge, worst
from lockgate.release.plan import make_plan
from lockgate.release.promise import ReleasePlan
from lockgate.release.taking_back import void
from lockgate.traffic import Role, Stick

PLAN = msgspec.structs.replace(make_plan(ReleaseConfig(canary=("10%", "50%")), Traffic()), stick=Stick.KEY)
FAILED = Attempt(2, "sha256:b", "error", "ValueError: unseen", 900)


def record(number, *, canary=False, bad=False, key=None, w=0.1, stage=1, latency_us=1000, **more):
    """One answered request of release 7; a bad canary request was answered by live."""
    answer = {"status": 500, "error": "ValueError: unseen"} if bad and not canary else {}
    return Record(
        id=f"r{number}", at_us=1_000_000 + number, model="churn", version=1, digest="sha256:a", release=7, stage=stage,
        weight=w, assigned=Role.CANARY if canary else Role.LIVE, key=key or f"k{number}", latency_us=latency_us,
        **{"failed": FAILED if bad and canary else None, **answer, **more},
    )  # fmt: skip


def folded(records, plan: ReleasePlan = PLAN, frozen: Frozen = Frozen()):  # noqa: B008
    """Counts after these records."""
    counts = Counts(release=7)
    fold(counts, records, plan, frozen)
    return counts


def test_four_errors_of_four_callers_fire_at_ten_percent():
    """A broken canary costs a handful of answers, and none of a caller: four first errors, none in live."""
    records = [record(i, canary=True, bad=True) for i in range(4)]
    for n in range(1, 5):
        verdict = worst(judge(PLAN, folded(records[:n]), Frozen()))
        assert (verdict.label is Label.WORSE) == (n == 4), n
    assert "the canary is worse" in verdict.sentence


def test_a_slow_verdict_says_how_slow_and_what_to_do():
    """A version that is slower than a very fast one is told apart by its figure, and by the goal that would allow it."""
    frozen = Frozen(t95_us=1_500)
    counts = folded([record(i, canary=True, latency_us=4_000) for i in range(20)], frozen=frozen)
    verdict = worst(judge(PLAN, counts, frozen))
    assert (verdict.guard, verdict.label) == (GuardName.SLOW_T95, Label.WORSE)
    assert "20 callers of the canary and 0 of live waited longer than 1.5 ms" in verdict.sentence
    assert verdict.sentence.endswith("if that is fast enough, state what is: goal.p99_ms")
    assert any("goal.p99_ms" in sentence for sentence in PLAN.sentences)


def test_a_guard_says_how_many_requests_it_looked_at():
    """No event among many requests does not read like no data; a first version has no guard that compares."""
    records = [record(i, canary=i % 10 == 0) for i in range(2_000)]
    verdict = next(v for v in judge(PLAN, folded(records), Frozen()) if v.guard == GuardName.ERRORS)
    assert "0 callers of the canary and 0 of live, in 200 and 1,800 requests" in verdict.sentence
    first = msgspec.structs.replace(PLAN, first=True, shadow=False)
    assert all(v.guard != GuardName.ERRORS for v in judge(first, folded(records, first), Frozen()))


def test_only_the_first_error_of_a_key_counts():
    """Ten errors of one caller are one event."""
    counts = folded([record(i, canary=True, bad=True, key="same") for i in range(10)])
    assert counts.guards[GuardName.ERRORS].totals() == (1, 0)
    assert counts.stages[1].canary_bad == 10
    assert counts.fallbacks == 10


def test_by_request_each_error_counts():
    """With few keys the plan assigns by request, and each request is its own unit."""
    plan = msgspec.structs.replace(PLAN, stick=Stick.REQUEST)
    counts = folded([record(i, canary=True, bad=True, key="same") for i in range(10)], plan)
    assert counts.guards[GuardName.ERRORS].totals() == (10, 0)


@pytest.mark.parametrize("change", [{"w": 0.0}, {"w": 1.0}, {"forced": True}, {"kind": Kind.BATCH}])
def test_what_could_go_to_one_arm_only_never_counts(change):
    """Weight 0 or 1, forced routes and batches say nothing about the difference."""
    counts = folded([record(i, canary=True, bad=True, **change) for i in range(10)])
    assert all(process.totals() == (0, 0) for process in counts.guards.values())


def test_heavy_keys_are_left_out():
    """A key with more than 1 % of the traffic never enters unpaired guards, nor the split."""
    records = [record(i, canary=True, bad=True, key="whale") for i in range(5)]
    counts = folded(records, frozen=Frozen(heavy=("whale",)))
    assert GuardName.ERRORS not in counts.guards or counts.guards[GuardName.ERRORS].totals() == (0, 0)
    assert counts.stages == {}


def test_slow_and_failed_requests_count_as_slow():
    """Slower than the frozen threshold counts, and so does a request that failed quickly."""
    frozen = Frozen(t99_us=5000, t95_us=2000)
    records = [
        record(1, canary=True, latency_us=6000),
        record(2, latency_us=3000),
        record(3, canary=True, bad=True),
    ]
    counts = folded(records, frozen=frozen)
    assert counts.guards[GuardName.SLOW_T99].totals() == (2, 0)
    assert counts.guards[GuardName.SLOW_T95].totals() == (2, 1)


def test_that_live_answered_for_a_slow_canary_hides_nothing_from_the_guards():
    """Live is asked beside it from the highest threshold on: the guards count what they had counted without it, no error more."""
    frozen = Frozen(t99_us=5000, t95_us=2000)
    waited = [record(i, canary=True, latency_us=90_000, role=Role.CANARY) for i in range(8)]
    slow = Attempt(2, "sha256:b", "slow", "no answer yet when it was slow", 5_000)
    beside = [record(i, canary=True, latency_us=5_600, failed=slow) for i in range(8)]
    counts = folded(beside, frozen=frozen)
    assert counts.guards == folded(waited, frozen=frozen).guards
    assert counts.guards[GuardName.SLOW_T99].totals() == counts.guards[GuardName.SLOW_T95].totals() == (8, 0)
    assert counts.guards[GuardName.ERRORS].totals() == (0, 0)
    assert counts.stages[1].canary_bad == 0
    assert worst(judge(PLAN, counts, frozen)).label is Label.WORSE
    assert counts.fallbacks == 8
    baseline = Baseline()
    for one in beside:
        baseline.add(one)
    assert baseline.errors == 0


def test_invalid_answers_are_a_guard_of_their_own():
    """An answer outside the signature is told apart from an error."""
    invalid = Attempt(2, "sha256:b", "invalid", "NaN", 10)
    counts = folded([msgspec.structs.replace(record(1, canary=True), failed=invalid)])
    assert counts.guards[GuardName.INVALID].totals() == (1, 0)
    assert counts.guards[GuardName.ERRORS].totals() == (0, 0)


def test_caller_mistakes_are_nobodys_error():
    """A 400 is the caller's, whichever arm it was assigned to."""
    counts = folded([record(i, canary=True, status=400, error="age: a number is needed") for i in range(10)])
    assert counts.guards[GuardName.ERRORS].totals() == (0, 0)


def test_requests_that_the_canary_cannot_read_ask_a_person():
    """Callers lack a field: no error of the canary, nothing is rolled back, the release is held."""
    refused = Attempt(2, "sha256:b", "input", "tenure: missing", 0)
    records = [msgspec.structs.replace(record(i, canary=True), failed=refused) for i in range(30)]
    counts = folded(records)
    assert counts.guards[GuardName.ERRORS].totals() == (0, 0)
    verdict = worst(judge(PLAN, counts, Frozen()))
    assert (verdict.guard, verdict.label) == ("inputs", Label.HELD)


def test_failures_of_live_count_for_both_guards_unless_they_say_more():
    """An unclear failure of live makes both guards more careful; one that says "invalid" counts as that alone."""
    unclear = folded([record(1, bad=True)])
    assert unclear.guards[GuardName.ERRORS].totals() == unclear.guards[GuardName.INVALID].totals() == (0, 1)
    clear = folded([record(1, status=500, error="invalid answer: NaN")])
    assert clear.guards[GuardName.INVALID].totals() == (0, 1)
    assert clear.guards[GuardName.ERRORS].totals() == (0, 0)


@pytest.mark.parametrize(
    ("failing", "label"), [(1, Label.NOT_YET), (6, Label.HELD), (40, Label.WORSE)], ids=["one", "many", "all"]
)
def test_failures_on_recorded_history_are_no_statistics_but_not_ignored(failing, label):
    """How live fared on old requests is not known here: a few failures wait, many ask a person, most end it."""
    old = [
        Record(kind=Kind.SHADOW, id=f"s{i}", of=f"old{i}", at_us=5 + i, model="churn", release=7,
               status=500 if i < failing else 200)
        for i in range(40)
    ]  # fmt: skip
    counts = Counts(release=7)
    for part in ([record(1, w=0.0, stage=0)], old, []):
        fold(counts, part, PLAN, Frozen())
    assert (counts.pairs, counts.pair_errors) == (40, failing)
    assert counts.guards[GuardName.ERRORS].totals() == (0, 0)
    assert worst(judge(PLAN, counts, Frozen())).label is label
    void(counts, 0, seq=4)  # two people looked at it and let it go on
    assert worst(judge(PLAN, counts, Frozen())).label is Label.NOT_YET


def test_broken_split_voids_other_evidence():
    """When an arm loses its records the split guard says so, and no other guard may roll back."""
    records = [record(i, canary=i % 50 == 0, bad=i % 50 == 0, w=0.5) for i in range(1500)]
    verdicts = judge(PLAN, folded(records), Frozen())
    assert worst([v for v in verdicts if v.guard != "floor"]).label is Label.BROKEN
    assert {v.guard for v in verdicts} == {"split", "floor"}


def test_after_a_broken_split_counting_begins_anew():
    """A person resumed: the stage's evidence is void, what comes next counts."""
    counts = folded([record(i, canary=True, bad=True) for i in range(4)])
    void(counts, 1, seq=9)
    assert counts.guards[GuardName.ERRORS].log_e() <= 0
    fold(counts, [record(i, canary=True, bad=True) for i in range(10, 16)], PLAN, Frozen())
    assert counts.guards[GuardName.ERRORS].log_e() > 4


def test_pairs_of_the_shadow_compare_the_same_request():
    """Only a request that one version failed and the other did not is evidence, whichever record is read first."""
    live = [record(i, w=0.0, stage=0, bad=i < 3) for i in range(40)]
    shadow = [
        Record(kind=Kind.SHADOW, id=f"s{i}", of=f"r{i}", at_us=1_000_000 + i, model="churn", release=7,
               status=500 if i in (0, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19) else 200)
        for i in range(40)
    ]  # fmt: skip
    for first, second in ((live, shadow), (shadow, live)):
        counts = Counts(release=7)
        counts.first_us = 1_000_000
        for part in (first, second, []):
            fold(counts, part, PLAN, Frozen())
        assert counts.pairs == 40
        assert counts.guards[GuardName.ERRORS].totals() == (10, 2)


def test_watch_counts_against_limits_and_leaves_bad_keys_out():
    """With all traffic on the new version a share above the limit is found; one bad caller is one event."""
    frozen = Frozen(limits={GuardName.ERRORS: 0.02})
    one = folded([record(i, w=0.0, stage=3, bad=True, key="same") for i in range(200)], frozen=frozen)
    assert one.watched[GuardName.ERRORS].total_bad == 1
    broken = folded([record(i, w=0.0, stage=3, bad=i % 5 == 0) for i in range(400)], frozen=frozen)
    assert worst(judge(PLAN, broken, frozen)).label is Label.WORSE
    fine = folded([record(i, w=0.0, stage=3, bad=i % 100 == 0) for i in range(2000)], frozen=frozen)
    assert worst(judge(PLAN, fine, frozen)).label is Label.NOT_YET


def test_snapshot_and_replay_give_the_same_counts():
    """Encoded half-way, read back and continued, the state is the same to the last digit."""
    records = [record(i, canary=i % 9 == 0, bad=i % 45 == 0, latency_us=i * 7 % 4000) for i in range(900)]
    frozen = Frozen(t99_us=3900, t95_us=3000)
    whole = folded(records, frozen=frozen)
    half = folded(records[:450], frozen=frozen)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(half), type=Counts)
    fold(again, records[450:], PLAN, frozen)
    assert again == whole


def test_baseline_measures_traffic():
    """Rate, keys, heavy keys, errors and latency quantiles come out as put in."""
    baseline = Baseline()
    for i in range(25_000):
        key = "whale" if i % 20 == 0 else f"k{i % 9000}"
        row = record(i, w=0.0, key=key, latency_us=1000 + i % 1000, bad=i % 100 == 0)
        baseline.add(msgspec.structs.replace(row, at_us=i * 100_000))
    traffic = msgspec.msgpack.decode(msgspec.msgpack.encode(baseline), type=Baseline).traffic()
    assert traffic.per_s == pytest.approx(10, rel=0.01)
    assert traffic.keys == pytest.approx(9000, rel=0.12)
    assert traffic.heavy == ("whale",)
    assert traffic.error_share == pytest.approx(0.01, rel=0.01)
    assert traffic.t95_us == pytest.approx(1950, rel=0.03)
    assert traffic.t99_us == pytest.approx(1990, rel=0.03)


def test_requests_without_a_key_leave_nothing_to_remember():
    """Each is one for itself: they count in the split and for every guard, and no set grows with them."""
    for plan, key in ((PLAN, None), (msgspec.structs.replace(PLAN, stick=Stick.REQUEST), "one")):
        found = [
            msgspec.structs.replace(record(i, canary=i % 10 == 0, bad=i % 3 == 0), key=key)
            for i in range(3_000)
        ]
        counts = folded(found, plan)
        assert sum(counts.guards[GuardName.ERRORS].totals()) == 1_000
        stage = counts.stages[1]
        assert (stage.units_canary, stage.units_baseline) == (300, 2_700)
        assert not counts.stage_keys
        assert not any(counts.bad_keys.values())


def test_failed_requests_wait_for_their_shadow_in_bounds(monkeypatch):
    """A shadow that takes a share leaves most failed requests without an answer: the newest are kept; with traffic none."""
    monkeypatch.setattr("lockgate.release.counts.MOST_FAILED", 50)
    failed = [msgspec.structs.replace(record(i, bad=True, w=0.0, stage=0), release=7) for i in range(200)]
    counts = folded(failed)
    assert list(counts.failed_ids) == [f"r{i}" for i in range(150, 200)]
    later = folded([*[record(500 + i) for i in range(5)], *failed])
    assert not later.failed_ids
