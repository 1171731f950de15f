"""Plans from traffic: default stages, small traffic, first versions, impure models, and the words about them."""

import pytest

from lockgate.config import Observed
from lockgate.config_release import Business, ReleaseConfig
from lockgate.errors import InvalidInput
from lockgate.release.baseline import Traffic
from lockgate.release.guards import GuardName
from lockgate.release.outputs import Spread
from lockgate.release.plan import make_plan
from lockgate.release.promise import DAY_S, STAGES, BusinessPlan
from lockgate.traffic import Stick


def traffic(per_day, *, keys=50_000, days=3.0, **more):
    """Traffic at a rate, measured over some days."""
    return Traffic(requests=int(per_day * days), span_s=days * DAY_S, keyed_share=1.0, keys=keys, **more)


def test_busy_model_gets_the_default_plan():
    """Much traffic and many keys: five stages, sticky by key, alpha split over four guards that sum to the budget."""
    plan = make_plan(ReleaseConfig(), traffic(400_000, t95_us=90_000, t99_us=200_000, latencies=100_000))
    assert plan.stages == STAGES
    assert plan.stage_requests == (1000,) * 5
    assert plan.stick is Stick.KEY
    assert plan.shadow
    assert plan.fallback
    assert sum(guard.alpha for guard in plan.guards) == pytest.approx(0.05)
    assert len(plan.guards) == 4
    assert plan.stage_min_s == (600, 600, 600, 600, 86_400)
    assert plan.no_data_s == 300


def test_shares_of_guards_that_get_no_evidence_go_to_the_others():
    """Nineteen of twenty answers in 9 ms: nobody waits for the slower ones, so T99 alone is watched, with more alpha."""
    fast = make_plan(ReleaseConfig(), traffic(400_000, t95_us=9_000, t99_us=20_000, latencies=100_000))
    slow = make_plan(ReleaseConfig(), traffic(400_000, t95_us=90_000, t99_us=200_000, latencies=100_000))
    assert {guard.name for guard in slow.guards} - {guard.name for guard in fast.guards} == {
        GuardName.SLOW_T95
    }
    assert sum(guard.alpha for guard in fast.guards) == pytest.approx(0.05)
    assert fast.guards[0].alpha > slow.guards[0].alpha
    asked = make_plan(ReleaseConfig(), traffic(400_000, t95_us=9_000, latencies=100_000), p99_ms=5.0)
    assert GuardName.SLOW_T95 in {guard.name for guard in asked.guards}


BUSINESS = BusinessPlan(metric="revenue", higher_is_better=True, spread=Spread(low=0, high=90, sigma=12.0))


def test_a_business_metric_guards_where_its_values_are_known():
    """Six guards, alpha split as designed, and in words what change of the mean would be seen."""
    busy = traffic(400_000, t95_us=90_000, t99_us=200_000, latencies=100_000)
    plan = make_plan(ReleaseConfig(), busy, labels=Observed.ALWAYS, business=BUSINESS)
    assert [round(guard.alpha, 4) for guard in plan.guards] == [0.0125, 0.0025, 0.0075, 0.005, 0.0125, 0.01]
    assert any(said.startswith("Business metric revenue: with values of") for said in plan.cannot_see)
    assert any(said.startswith("A mean of revenue that is worse by 1.2 ") for said in plan.will_see)
    assert any("business metric" in said and "may end it" in said for said in plan.sentences)
    lacking = make_plan(ReleaseConfig(business=Business("revenue"), guards=("errors", "business")), busy)
    assert {guard.name for guard in lacking.guards} == {GuardName.ERRORS, GuardName.INVALID}
    assert any("Business metric revenue: fewer than 100 values" in said for said in lacking.cannot_see)
    for settings, first in ((ReleaseConfig(business=Business("revenue")), True),
                            (ReleaseConfig(business=Business("revenue"), guards=("errors",)), False)):  # fmt: skip
        unmeant = make_plan(settings, busy, first=first)
        assert all("fewer than 100 values" not in said for said in unmeant.cannot_see)


def test_the_plan_names_errors_only_where_they_are_watched():
    """A release that is guarded by latency alone does not promise to see errors by its guards."""
    plan = make_plan(ReleaseConfig(guards=("latency",)), traffic(400_000))
    assert not any("A doubling" in said for said in plan.will_see + plan.cannot_see)


def test_what_it_cannot_see_is_said_in_numbers():
    """The planning sentence names requests and time at this traffic, and labels that do not reach the guards."""
    plan = make_plan(ReleaseConfig(canary=("10%",), guards=("errors",)), traffic(113_560))
    said = " ".join(plan.will_see + plan.cannot_see)
    assert "A doubling of a 1 % error rate is seen after about" in said
    assert "at your traffic in" in said
    assert "no labels guard this release" in said


@pytest.mark.parametrize("per_day", [100, 900])
def test_small_traffic_collapses_stages_and_counts(per_day):
    """At 100 or 900 requests a day everything fits into the seven days, and the silence limit is relative to the rate."""
    plan = make_plan(ReleaseConfig(), traffic(per_day, keys=40))
    per_s = per_day / DAY_S
    assert len(plan.stages) < len(STAGES)
    needed_s = sum(n / (w * per_s) for n, w in zip(plan.stage_requests, plan.stages, strict=True))
    assert needed_s + plan.shadow_requests / per_s + plan.watch_s <= plan.max_s
    assert plan.no_data_s >= 14 / per_s
    assert plan.stick is Stick.REQUEST
    assert "small traffic" in plan.sentences[0]


def test_a_short_time_of_traffic_is_not_called_a_day():
    """Ninety seconds of measuring give a pace and how long was measured; an hour gives a day's figure."""
    young = Traffic(requests=8_820, span_s=90, keyed_share=1.0, keys=550)
    said = make_plan(ReleaseConfig(), young).sentences[0]
    assert said == "Measured over 90 seconds: about 98 requests per second of about 550 keys."
    older = make_plan(ReleaseConfig(), Traffic(requests=352_800, span_s=3_600, keyed_share=1.0, keys=550))
    assert older.sentences[0] == "Measured: 8,467,200 requests a day of about 550 keys."


def test_young_traffic_sticks_by_key():
    """A few hundred requests of almost as many keys: their number is not known yet, and callers keep their version."""
    young = Traffic(requests=600, span_s=300, keyed_share=1.0, keys=550)
    assert make_plan(ReleaseConfig(), young).stick is Stick.KEY
    assert make_plan(ReleaseConfig(), Traffic(requests=600, span_s=300, keys=50)).stick is Stick.REQUEST
    # a quiet service: five requests a key in three days, but each key is a large part, and would be left out of the guards
    quiet = Traffic(
        requests=300, span_s=3 * DAY_S, keyed_share=1.0, keys=60, heavy=tuple(f"k{n}" for n in range(60))
    )
    assert make_plan(ReleaseConfig(), quiet).stick is Stick.REQUEST


def test_first_version_has_limits_and_no_canary():
    """Nothing to compare with: no shadow, no stages, and it is said in words."""
    plan = make_plan(ReleaseConfig(error_limit=0.02, p99_limit_ms=80), Traffic(), first=True)
    assert plan.first
    assert not plan.shadow
    assert plan.stages == ()
    assert any("There is no live version to compare with" in said for said in plan.sentences)
    assert any("80 ms" in said for said in plan.sentences)


def test_impure_model_is_never_called_twice():
    """No shadow and no second answer in the same request."""
    plan = make_plan(ReleaseConfig(), traffic(400_000), pure=False)
    assert not plan.shadow
    assert not plan.fallback
    assert any("not pure" in said for said in plan.sentences)


def test_settings_win():
    """Every public field of the release settings is taken as given."""
    settings = ReleaseConfig(
        shadow_requests=50, shadow_min_s=1, canary=("5%", 0.5), stage_min_s=2, stage_requests=30, watch_s=3,
        max_days=1, guards=("errors",), alpha=0.01, deadline_ms=800,
    )  # fmt: skip
    plan = make_plan(settings, traffic(100))
    assert plan.stages == (0.05, 0.5)
    assert (plan.stage_min_s, plan.stage_requests) == ((2, 2), (30, 30))
    assert (plan.shadow_requests, plan.shadow_min_s, plan.watch_s, plan.max_s) == (50, 1, 3, DAY_S)
    assert [guard.name for guard in plan.guards] == ["errors", "invalid"]
    assert sum(guard.alpha for guard in plan.guards) == pytest.approx(0.01)
    assert plan.canary_deadline_ms == 400


def test_goal_stands_in_for_traffic_that_was_not_measured():
    """Without traffic the stated requests a day decide; without both the usual numbers do."""
    assert make_plan(ReleaseConfig(), Traffic(), requests_per_day=100).stage_requests[0] < 1000
    unknown = make_plan(ReleaseConfig(), Traffic())
    assert unknown.stages == STAGES
    assert "No traffic was measured" in unknown.sentences[0]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (ReleaseConfig(canary=("50%", "5%")), "grow"),
        (ReleaseConfig(canary=("100%",)), "between 0 and 1"),
        (ReleaseConfig(canary=("many",)), "between 0 and 1"),
        (ReleaseConfig(guards=("smell",)), "known guards"),
        (ReleaseConfig(guards=("labels",)), "late alone"),
        (ReleaseConfig(alpha=0.9), "alpha"),
        (ReleaseConfig(error_limit=0.0), "error_limit"),
    ],
)
def test_impossible_settings_are_refused(settings, words):
    """A plan that cannot be says why."""
    with pytest.raises(InvalidInput, match=words):
        make_plan(settings, traffic(10_000))
