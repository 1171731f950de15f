"""Before labels come: what is clearly expected to be worse is said, what is not is not, and labels have the last word."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.clock import DAY_US
from lockgate.monitor.estimate import Estimate
from lockgate.monitor.notices import Notice, Severity
from lockgate.monitor.performance_expected import ended, expected_worse
from lockgate.monitor.performance_figures import Figure
from lockgate.monitor.performance_windows import Window

OF = ("churn", 3)
PROMISED = {"roc_auc": Figure(0.85, 0.84, 0.86), "accuracy": Figure(0.80, 0.79, 0.81)}


def estimate(
    number: int, value: float, half: float = 0.01, came: float | None = None, name: str = "roc_auc"
) -> Estimate:
    """What was expected of a window, and what came."""
    said = Figure(value, value - half, value + half)
    held = {} if came is None else {name: said.low <= came <= said.high}
    return Estimate(version=3, number=number, rows=2_000, source="production", learned=9_000, figures={name: said},
                    held=held, came={} if came is None else {name: came})  # fmt: skip


def window(number: int, auc: float | None = None) -> Window:
    """A day; `auc` where its labels are there."""
    figures = {} if auc is None else {"roc_auc": Figure(auc, auc - 0.01, auc + 0.01)}
    return Window(version=3, number=number, since_us=number * DAY_US, until_us=(number + 1) * DAY_US, rows=2_000,
                  labelled=2_000 if figures else 0, figures=figures)  # fmt: skip


def found(estimates: list[Estimate], complete: list[Window] | None = None) -> list[Notice]:
    """What holds by these estimates of as many days."""
    windows = [window(each.number) for each in estimates]
    return expected_worse(OF, estimates, windows, complete or [], promised=PROMISED, metric=None)


def test_two_windows_in_a_row_clearly_below_the_promise_are_told() -> None:
    """With the estimate, its interval, what was promised and since when; that there are no labels stands first."""
    (said,) = found([estimate(0, 0.85), estimate(1, 0.80), estimate(2, 0.79)])
    assert said.subject == "estimated: roc_auc"
    assert said.severity is Severity.WARN
    assert said.words == (
        "Estimated, no labels yet: ROC AUC of churn/3 is expected to be 0.79 (0.78 to 0.8) since 1970-01-02, "
        "where its validation said 0.85."
    )
    assert "lockgate annotate select churn" in said.advice


@pytest.mark.parametrize(
    "estimates",
    [
        [estimate(0, 0.85), estimate(1, 0.849)],  # as promised
        [estimate(0, 0.82), estimate(1, 0.85)],  # over again
        [estimate(0, 0.85), estimate(1, 0.81, half=0.015)],  # one alone, and not beyond doubt
        [estimate(0, 0.78, half=0.08), estimate(1, 0.78, half=0.08)],  # too unsure
        [estimate(0, 0.84), estimate(1, 0.84)],  # within what the promise may be off
        [estimate(0, 0.9, name="log_loss"), estimate(1, 0.9, name="log_loss")],  # nothing promised of it
    ],
)  # fmt: skip
def test_what_is_not_clear_is_not_told(estimates: list[Estimate]) -> None:
    """Each case alone would raise it if its rule were missing."""
    assert found(estimates) == []


def test_one_window_beyond_any_doubt_is_enough() -> None:
    """A drop of a tenth need not wait for another day."""
    assert found([estimate(0, 0.85), estimate(1, 0.70)])[0].since_us == DAY_US


def test_estimates_that_often_did_not_hold_are_a_remark() -> None:
    """Which is said; those that held say so too."""
    past = [estimate(number, 0.85, came=0.86 if number < 2 else 0.81) for number in range(6)]
    low = [estimate(6, 0.78), estimate(7, 0.78)]
    done = [window(number, 0.85) for number in range(6)]
    (doubtful,) = found([*past, *low], done)
    assert doubtful.severity is Severity.NOTE
    assert doubtful.words.endswith("Past estimates held in 2 of 6 cases.")
    (trusted,) = found([*(estimate(number, 0.85, came=0.85) for number in range(6)), *low], done)
    assert trusted.severity is Severity.WARN


def test_labels_that_contradict_end_it_with_a_word() -> None:
    """The estimate was too dark: it is over although later ones say the same, until labels bear one out."""
    low = [estimate(number, 0.78) for number in range(1, 5)]
    (said,) = found([estimate(0, 0.85), *low])
    came = [estimate(0, 0.85), estimate(1, 0.78, came=0.85), *low[1:]]
    complete = [window(0, 0.85), window(1, 0.85)]
    assert found(came, complete) == []
    assert ended(said, complete=complete, notices=[]) == (
        "Labels of 2,000 rows came: ROC AUC is 0.85 (0.84 to 0.86), where 0.78 was estimated. By the labels it is not worse than "
        "promised."
    )
    borne_out = [*came[:2], estimate(2, 0.78, came=0.78), *low[2:]]
    assert found(borne_out, [*complete, window(2, 0.78)])


def test_labels_that_agree_end_it_with_a_word_too() -> None:
    """From then on it is told by labels, as an alert of its own."""
    (said,) = found([estimate(0, 0.78), estimate(1, 0.78)])
    worse = Notice(source="performance", model="churn", version=3, subject="worse: roc_auc", severity=Severity.ALARM, words="",
                   since_us=0)  # fmt: skip
    complete = [window(0, 0.78), window(1, 0.78)]
    assert found([estimate(0, 0.78, came=0.78), estimate(1, 0.78, came=0.78)], complete) == []
    assert ended(said, complete=complete, notices=[worse]).endswith("which is an alert of its own.")
    assert (
        ended(said, complete=[], notices=[])
        == "Newer estimates are as promised, or none can be made any more."
    )
    assert ended(worse, complete=complete, notices=[]) == ""


def test_a_month_of_estimates_that_are_right_says_nothing() -> None:
    """A hundred series of 30 windows, each with an error of its own and one that all of its windows share."""
    rng, told = np.random.default_rng(7), 0
    for _ in range(100):
        shared = rng.normal(0, 0.004)
        values = 0.85 + shared + rng.normal(0, 0.003, 30)
        series = [estimate(day, value, half=1.96 * 0.005) for day, value in enumerate(values)]
        told += any(found(series[:days]) for days in range(1, 31))
    assert told == 0
