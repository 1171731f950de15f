"""Labels against the week before: a jump is told once, weekdays are none, and quiet series stay quiet."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lockgate.clock import DAY_US
from lockgate.monitor.performance_meaning import Meaning
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_target import Target
from lockgate.monitor.performance_verdict import judged
from lockgate.monitor.performance_week import jumps
from lockgate.monitor.performance_windows import Window

OF = ("churn", 1)
ROWS = 2_000
START_US = 1_700_006_400_000_000


def days(
    rates: list[float], seed: int = 0, *, gaps: list[float] | None = None, width_us: int = DAY_US
) -> list[Window]:
    """A window of 2,000 labelled rows for each rate of `yes`; `gaps`: what equal answers come true more often by."""
    draw = np.random.default_rng(seed)
    found = []
    for day, rate in enumerate(rates):
        yes = int(draw.binomial(ROWS, rate))
        error = float(np.sqrt(0.2 / ROWS))
        gap = (0.0 if gaps is None else gaps[day]) + float(draw.normal(0, error))
        found.append(
            Window(version=1, number=day, since_us=START_US + day * width_us, until_us=START_US + (day + 1) * width_us,
                   rows=ROWS, labelled=ROWS, target=Target(rows=ROWS, shares={"no": ROWS - yes, "yes": yes}),
                   meaning=Meaning(rows=ROWS, gap=gap, error=error, spread=0.45, rate=True, inputs={}, learned=0.0,
                                   right=False))
        )  # fmt: skip
    return found


def numbers(means: list[float], seed: int = 0) -> list[Window]:
    """Windows of labels that are numbers, with a standard deviation of 1."""
    draw = np.random.default_rng(seed)
    return [
        Window(version=1, number=day, since_us=START_US + day * DAY_US, until_us=START_US + (day + 1) * DAY_US, rows=ROWS,
               labelled=ROWS, target=Target(rows=ROWS, mean=float(draw.normal(mean, ROWS**-0.5)), spread=1.0))
        for day, mean in enumerate(means)
    ]  # fmt: skip


def test_a_jump_is_told_with_both_figures_and_over_when_a_week_is_like_it() -> None:
    """One in five came true, then three in ten: told on that day and for two more windows, as often as the validation had it."""
    windows = days([0.2] * 10 + [0.3] * 12)
    assert jumps(OF, windows[:10]) == []
    [told] = jumps(OF, windows[:11])
    assert (told.subject, told.since_us) == ("labels jumped", windows[10].since_us)
    assert "What comes true of churn/1 jumped on 2023-11-25: 'yes' in" in told.words
    assert "in the week before" in told.words
    assert jumps(OF, windows) == []


def test_a_version_that_is_long_other_than_its_validation_may_jump() -> None:
    """The judgement of the version says both: labels moved since long ago, and jumped today."""
    windows = days([0.4] * 20 + [0.55])
    labels = Target(rows=20_000, shares={"no": 16_000, "yes": 4_000})
    found = judged(OF, windows, promised={}, metric=None, recipe=Recipe(), labels=labels).notices
    assert {"labels moved", "labels jumped"} <= {each.subject for each in found}


def test_what_equal_answers_stand_for_jumps() -> None:
    """Eight points more come true with equal answers, from one day to the next."""
    windows = days([0.3] * 12, gaps=[0.0] * 11 + [0.08])
    [told] = jumps(OF, windows)
    assert told.subject == "concept jumped"
    assert "more rows come true than in the week before" in told.words


def test_numbers_jump_too() -> None:
    """Half a standard deviation of the mean, up or down."""
    for step in (0.5, -0.5):
        [told] = jumps(OF, numbers([3.0] * 9 + [3.0 + step]))
        assert "their mean is" in told.words
    assert jumps(OF, numbers([3.0] * 10)) == []


def test_days_have_names() -> None:
    """Weekends are otherwise, each week alike: no jump once there was a week before the week before."""
    week = [0.2] * 5 + [0.4] * 2
    assert all(not jumps(OF, days(week * 4, seed)[:end]) for seed in range(5) for end in range(16, 29))
    [told] = jumps(OF, days([*week * 3, 0.5]))
    assert told.subject == "labels jumped"


def test_less_than_a_week_is_no_week() -> None:
    """Six days say nothing of a seventh; of windows of a week the one before is asked."""
    assert jumps(OF, days([0.2] * 6 + [0.5])) == []
    [told] = jumps(OF, days([0.2, 0.2, 0.3], width_us=7 * DAY_US))
    assert told.since_us == START_US + 14 * DAY_US


@pytest.mark.parametrize(
    "series", [lambda seed: days([0.3] * 40, seed), lambda seed: numbers([3.0] * 40, seed)]
)
def test_quiet_series_stay_quiet(series: Callable[[int], list[Window]]) -> None:
    """20 series of 40 days, each day judged once: 640 days, of which hardly one is told by chance."""
    told = {
        (seed, notice.subject, notice.since_us)
        for seed in range(20)
        for windows in [series(seed)]
        for end in range(8, 41)
        for notice in jumps(OF, windows[:end])
    }
    assert len(told) <= 2
