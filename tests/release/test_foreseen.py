"""What a plan says of each guard: after how much it sees a harm, in what time, and what no release of that length sees."""

from __future__ import annotations

import math

import pytest

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.foreseen import foresee
from lockgate.release.guards import GuardName
from lockgate.release.outputs import Spread
from lockgate.release.plan import make_plan
from lockgate.release.promise import DAY_S, BusinessPlan

BUSINESS = BusinessPlan(metric="revenue", higher_is_better=True, spread=Spread(low=0, high=90, sigma=12.0))
BUSY = Traffic(
    requests=1_200_000, span_s=3 * DAY_S, keys=50_000, t95_us=90_000, t99_us=200_000, latencies=100_000
)
QUIET = Traffic(requests=300, span_s=3 * DAY_S, keys=40)
LABELS = {"labels": Observed.ALWAYS}


def told(traffic: Traffic, settings: ReleaseConfig | None = None, **more) -> tuple[str, str]:
    """What a plan says that it sees, and what it cannot."""
    plan = make_plan(settings or ReleaseConfig(), traffic, **more)
    return " ".join(plan.will_see), " ".join(plan.cannot_see)


def test_a_busy_service_sees_a_harm_by_each_of_six_guards():
    """Errors, invalid answers, both kinds of slow ones, wrong answers and the business metric, each with requests and time."""
    plan = make_plan(ReleaseConfig(), BUSY, business=BUSINESS, **LABELS)
    assert len(plan.will_see) == len(plan.guards) == 6
    for said, begins in zip(plan.will_see, (
        "A doubling of a 1 % error rate", "1 % of invalid answers, where live has 0.1 %,",
        "A rise of answers slower than T99 from 1 % to 3 %", "A rise of answers slower than T95 from 5 % to 10 %",
        "Where the versions differ on 10 % of rows and the new one is wrong on 60 % of these", "A mean of revenue that is worse",
    ), strict=True):  # fmt: skip
        assert said.startswith(begins)
        assert "is seen after about" in said
        assert "at your traffic in" in said
        assert "in nine of ten releases within" in said


def test_what_takes_longer_than_the_release_may_last_goes_unseen():
    """A hundred requests a day for a week: a doubling of errors is not seen, and it is said how long it would take."""
    seen, unseen = told(QUIET)
    assert "A doubling of a 1 % error rate" not in seen
    assert "A doubling of a 1 % error rate goes unseen: it would take about" in unseen
    assert "at your traffic" in unseen
    assert "and this release may last 7 days" in unseen
    longer, _ = told(QUIET, ReleaseConfig(max_days=1_000))
    assert "A doubling of a 1 % error rate is seen after about" in longer


def test_wrong_answers_are_told_as_they_are_judged():
    """By number, by cost, by distance, in pairs or for each arm alone: five ways, five sentences."""
    costs = {"1": {"0": 100.0}, "0": {"1": 1.0}}
    ways = {
        "the new one is wrong on 60 % of these": {},
        "decisions on these cost 20 more on average": {"costs": costs},
        "whose errors are 20 % larger is seen after": {"numbers": True},
        "A rise of wrong answers from 10 % to 15 %": {"pure": False},
        "Errors that are 20 % larger": {"pure": False, "numbers": True},
    }
    for words, more in ways.items():
        seen, unseen = told(BUSY, **LABELS, **more)
        assert words in seen + unseen
        assert sum(other in seen + unseen for other in ways) == 1


def test_a_release_without_traffic_counts_and_names_no_time():
    """Requests are known from the statistics alone; how long they take is not."""
    plan = make_plan(ReleaseConfig(), Traffic())
    assert plan.will_see
    assert not any("at your traffic" in said for said in plan.will_see + plan.cannot_see)
    assert make_plan(ReleaseConfig(), Traffic(), first=True).will_see == ()


@pytest.mark.parametrize("late", [{}, {**LABELS, "business": BUSINESS}])
def test_a_larger_canary_and_a_larger_alpha_see_sooner(late):
    """Every number falls with the canary's weight up to a half, and with alpha; nine of ten take longer than the median."""

    def seen(settings: ReleaseConfig) -> dict[GuardName, float]:
        plan = make_plan(settings, BUSY, **late)
        found = foresee(plan, BUSY)
        assert all(one.median < one.nine < math.inf for one in found if one.median * 0.5 > 100)
        return {one.guard: one.median for one in found}

    small, large = (seen(ReleaseConfig(canary=(w,))) for w in ("5%", "50%"))
    strict = seen(ReleaseConfig(canary=("5%",), alpha=0.01))
    for name, count in small.items():
        assert large[name] <= count <= strict[name]
