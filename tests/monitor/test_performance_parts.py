"""The pure parts of performance over time: delays, figures, promises, windows, verdicts."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from lockgate.checks.finding import Finding, Status, Table
from lockgate.clock import DAY_US
from lockgate.errors import InvalidInput
from lockgate.monitor.performance_concept import concept
from lockgate.monitor.performance_delay import Delay, ages_of, delay_of
from lockgate.monitor.performance_figures import Figure, Labelled, figures_of
from lockgate.monitor.performance_meaning import Meaning
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_silence import silence
from lockgate.monitor.performance_verdict import FIRST, judged
from lockgate.monitor.performance_windows import Part, Width, Window, pooled, width_for, width_of
from lockgate.monitor.promised import (
    Outcome,
    figures_promised,
    promises_of,
    slices_promised,
    slicing_promised,
)
from lockgate.stats.intervals import wilson

DAYS, ROWS = 60, 2_000


def delayed(half_life_days: float, seed: int = 0) -> list[Window]:
    """Windows of a day each; a label comes after a delay of that half-life, and only those are there that came by day 60."""
    draw = np.random.default_rng(seed)
    made = []
    for day in range(DAYS):
        until_us = (day + 1) * DAY_US
        delay_us = draw.exponential(half_life_days / np.log(2), ROWS) * DAY_US
        seen = delay_us[delay_us <= DAYS * DAY_US - until_us]
        made.append(Window(version=1, number=day, since_us=until_us - DAY_US, until_us=until_us, rows=ROWS,
                           labelled=seen.size, ages=ages_of(seen)))  # fmt: skip
    return made


def test_delays_are_read_off_windows_that_are_still_filling() -> None:
    """The share that is there by an age is found although half of the windows are young; those are incomplete, old ones not."""
    windows = delayed(4.0)
    found = delay_of(windows, DAYS * DAY_US)
    for days in (2, 3, 7, 14):
        assert found.share_at(days * DAY_US) == pytest.approx(1 - 2 ** (-days / 4), abs=0.03)
    assert found.median_us == 5 * DAY_US
    assert found.late_us in (14 * DAY_US, 21 * DAY_US, 28 * DAY_US)
    assert found.ever == pytest.approx(1.0, abs=0.03)
    assert found.share_at(DAY_US // 48) == 0.0


def test_the_first_labels_of_a_window_that_is_still_young_tell_how_late_they_are() -> None:
    """Of a day's rows the first have labels after thirty days, its last are not so old yet: no label is expected sooner."""
    windows = [
        Window(version=1, number=day, since_us=day * DAY_US, until_us=(day + 1) * DAY_US, rows=400,
               labelled=100 if day == 0 else 0, ages=ages_of(np.full(100 if day == 0 else 0, 30.1 * DAY_US)))
        for day in range(30)
    ]  # fmt: skip
    found = delay_of(windows, round(30.3 * DAY_US))
    assert found.late_us == 31 * DAY_US
    assert found.share_at(22 * DAY_US) == 0.0
    assert silence(("loans", 1), windows, found, round(30.3 * DAY_US)) == []


def test_a_stated_delay_is_believed_and_without_labels_nothing_is_complete() -> None:
    """Who says a month means a month; who says nothing and has no label gets no complete window."""
    assert delay_of(delayed(4.0), DAYS * DAY_US, 5 * DAY_US).share_at(5 * DAY_US) == 1.0
    none = [msgspec.structs.replace(each, labelled=0, ages=ages_of(np.array([]))) for each in delayed(4.0)]
    assert delay_of(none, DAYS * DAY_US).share_at(50 * DAY_US) == 0.0
    assert delay_of([], DAYS * DAY_US) == Delay(grown=(), median_us=None, late_us=None, ever=None)


def two_classes(rows: int, seed: int) -> Labelled:
    """Answers whose scores are true probabilities."""
    draw = np.random.default_rng(seed)
    score = draw.beta(0.7, 0.7, rows)
    truth = draw.random(rows) < score
    return Labelled(truth=truth, decided=score > 0.5, score=score)


@pytest.mark.parametrize("kind", ["two", "many", "numbers", "quantile"])
def test_intervals_hold_what_they_promise(kind: str) -> None:
    """Over 200 samples each interval holds the figure of a very large one in about 95 %."""
    whole, held = (
        figures_of(sample(kind, 400_000, 10_000)),
        dict.fromkeys(figures_of(sample(kind, 500, 0)), 0),
    )
    for seed in range(200):
        for name, figure in figures_of(sample(kind, 500, seed)).items():
            held[name] += figure.low <= whole[name].value <= figure.high
    assert {name: share for name, count in held.items() if not 0.89 <= (share := count / 200) <= 0.99} == {}


def sample(kind: str, rows: int, seed: int) -> Labelled:
    """Labelled rows of a kind."""
    if kind == "two":
        return two_classes(rows, seed)
    draw = np.random.default_rng(seed)
    if kind == "many":
        truth = draw.integers(0, 4, rows)
        return Labelled(truth=truth, decided=np.where(draw.random(rows) < 0.7, truth, 3 - truth))
    truth = draw.normal(size=rows)
    if kind == "quantile":
        return Labelled(truth=truth, decided=1.28 + draw.normal(0, 0.3, rows), quantile=0.9)
    return Labelled(truth=truth, decided=truth + draw.normal(0.2, 1.0, rows))


def test_rows_of_one_subject_make_intervals_no_narrower() -> None:
    """Every row ten times, as rows of one subject: the figure stays, the interval too."""
    once = two_classes(1_000, 3)
    subject = np.tile(np.arange(1_000), 10)
    tenfold = msgspec.structs.replace(once.take(subject), subject=subject)
    for name, figure in figures_of(tenfold).items():
        alone = figures_of(once)[name]
        assert figure.value == pytest.approx(alone.value)
        assert figure.high - figure.low > 0.9 * (alone.high - alone.low)


def window(number: int, labelled: Labelled, meaning: Meaning | None = None) -> Window:
    """A complete window of these rows."""
    rows = labelled.truth.size
    return Window(version=1, number=number, since_us=number * DAY_US, until_us=(number + 1) * DAY_US, rows=rows, labelled=rows,
                  figures=figures_of(labelled), meaning=meaning)  # fmt: skip


def drawn(number: int, draw: np.random.Generator, chance: float) -> Window:
    """A complete window of 400 rows, each right with that chance, and a slice of 100 of its own."""
    figures = [{"accuracy": Figure(found.value, found.low, found.high)}
               for rows in (400, 100) for found in [wilson(int(draw.binomial(rows, chance)), rows)]]  # fmt: skip
    return Window(version=1, number=number, since_us=number * DAY_US, until_us=(number + 1) * DAY_US, rows=400, labelled=400,
                  figures=figures[0], slices={"plan = pro": Part(rows=100, labelled=100, figures=figures[1])})  # fmt: skip


def test_no_alarm_where_nothing_is_wrong_and_one_where_it_is() -> None:
    """80 runs of 50 windows of a model that stays as it was: hardly ever an alarm. Five points worse: always, within
    twenty windows, and said to have begun about when it did."""
    draw = np.random.default_rng(5)
    found = wilson(4_250, 5_000)
    promised = {"accuracy": Figure(found.value, found.low, found.high)}
    false, begun = 0, []
    for _ in range(80):
        calm = [drawn(number, draw, 0.85) for number in range(50)]
        false += bool(judged(("churn", 1), calm, promised=promised, metric=None, recipe=Recipe()).notices)
        fallen = [*calm, *(drawn(number, draw, 0.80) for number in range(50, 70))]
        notices = judged(("churn", 1), fallen, promised=promised, metric=None, recipe=Recipe()).notices
        begun += [each.since_us // DAY_US for each in notices if each.subject == "worse: accuracy"]
    assert false <= 2
    assert len(begun) >= 78
    assert 48 <= np.median(begun) <= 51


def test_a_quantile_that_was_declared_after_the_validation_is_held_against_its_first_windows() -> None:
    """The validation and the windows of then speak of the mean absolute error: of those since, the first say what is usual."""
    draw = np.random.default_rng(6)

    def day(number: int, answered: float) -> Window:
        truth = draw.exponential(10.0, 1_000)
        return window(number, Labelled(truth=truth, decided=np.full(1_000, answered), quantile=0.9))

    upper, promised = 10.0 * float(np.log(10.0)), {"mae": Figure(16.0, 15.8, 16.2)}
    since = [day(number, upper) for number in range(5, 20)]
    fallen = [day(number, 8.0) for number in range(20, 30)]
    before = [
        msgspec.structs.replace(since[0], number=number, since_us=number * DAY_US, figures=promised)
        for number in range(5)
    ]
    calm = judged(("waits", 1), [*before, *since], promised=promised, metric=None, recipe=Recipe())
    assert (calm.source, set(calm.against), calm.judged, calm.notices) == (FIRST, {"pinball"}, 13, ())
    worse = judged(("waits", 1), [*before, *since, *fallen], promised=promised, metric=None, recipe=Recipe())
    assert [each.subject for each in worse.notices] == ["worse: pinball"]


def test_a_range_of_an_input_whose_meaning_moved_is_named() -> None:
    """Overall nothing moves, in one range of age labels come true more often: the words name it."""
    recipe = Recipe(numbers={"age": (30.0, 50.0)})
    calm = Meaning(rows=2_000, gap=0.0, error=0.008, spread=0.4, rate=True,
                   inputs={"age": ((0, 0.0, 0.0), (1_000, 0.0, 0.012), (500, 0.0, 0.017), (500, 0.0, 0.017))})  # fmt: skip
    moved = msgspec.structs.replace(
        calm, inputs={"age": ((0, 0.0, 0.0), (1_000, -0.05, 0.012), (500, 0.15, 0.017), (500, -0.05, 0.017))}
    )
    few = two_classes(2_000, 1)
    windows = [window(number, few, calm if number < 6 else moved) for number in range(10)]
    (notice,) = concept(("churn", 1), windows, recipe, detectors=3, calibrated=True, worse=False)
    assert notice.columns[0] == "age"
    assert "age 30 to 50 (+15.0 points)" in notice.words
    assert concept(("churn", 1), windows[:6], recipe, detectors=3, calibrated=True, worse=False) == []


FINDINGS = (
    Finding(check="performance", subject="ROC AUC", status=Status.PASS, headline="",
            table=Table(columns=("figure", "value", "from", "to"),
                        rows=(("ROC AUC", 0.9, 0.88, 0.92), ("accuracy", 0.85, 0.83, 0.87), ("PR AUC", 0.7, 0.6, 0.8)))),
    Finding(check="performance", subject="slices", status=Status.PASS, headline="",
            table=Table(columns=("slice", "rows", "wrong answers", "from", "to", "elsewhere"),
                        rows=(("plan = pro", 100, 0.1, 0.05, 0.2, 0.15), ("age = 18 to 32.5", 50, 0.2, 0.1, 0.3, 0.15),
                              ("age = 32.5 to 10,000", 50, 0.1, 0.05, 0.2, 0.15)))),
)  # fmt: skip


def test_promises_are_read_from_a_validation_and_held_against_production() -> None:
    """Kept within the two intervals, better, worse, or open where too few labels came."""
    figures, slices = figures_promised(FINDINGS), slices_promised(FINDINGS)
    assert figures == {"roc_auc": Figure(0.9, 0.88, 0.92), "accuracy": Figure(0.85, 0.83, 0.87)}
    assert slices["plan = pro"]["accuracy"] == Figure(0.9, 0.8, 0.95)
    edges = (("18 to 32.5", 18.0, 32.5), ("32.5 to 10,000", 32.5, 10_000.0))
    assert slicing_promised(FINDINGS, ["age", "plan"]) == {"age": edges, "plan": None}
    made = Window(version=1, number=0, since_us=5, until_us=9, rows=500, labelled=500,
                  figures={"roc_auc": Figure(0.91, 0.89, 0.93), "accuracy": Figure(0.7, 0.68, 0.72)},
                  slices={"plan = pro": Part(rows=9, labelled=9, figures={"accuracy": Figure(0.99, 0.98, 1.0)})})  # fmt: skip
    found = promises_of(1, figures, slices, [made])
    told = {(each.figure, each.part): each.outcome for each in found.promises}
    assert told == {
        ("roc_auc", ""): Outcome.KEPT, ("accuracy", ""): Outcome.WORSE, ("accuracy", "plan = pro"): Outcome.BETTER,
        ("accuracy", "age = 18 to 32.5"): Outcome.OPEN, ("accuracy", "age = 32.5 to 10,000"): Outcome.OPEN,
    }  # fmt: skip
    assert (found.judged, found.kept, found.since_us, found.until_us) == (3, 1, 5, 9)


def test_what_windows_of_several_classes_do_not_hold_is_no_promise_that_stays_open() -> None:
    """Log loss asks for a probability of every class, a window keeps what was decided; of two classes it is a promise."""
    rows = (("accuracy", 0.95, 0.93, 0.97), ("macro F1", 0.94, 0.92, 0.96), ("log loss", 0.13, 0.08, 0.18))
    finding = Finding(check="performance", subject="accuracy", status=Status.PASS, headline="",
                      table=Table(columns=("figure", "value", "from", "to"), rows=rows))  # fmt: skip
    assert set(figures_promised([finding])) == {"accuracy", "macro_f1"}
    assert "log_loss" in figures_promised([replace_rows(finding, (("ROC AUC", 0.9, 0.88, 0.92), *rows[2:]))])


def replace_rows(finding: Finding, rows: tuple[tuple[object, ...], ...]) -> Finding:
    """The finding with another table."""
    table = Table(columns=("figure", "value", "from", "to"), rows=rows)  # type: ignore[arg-type]
    return msgspec.structs.replace(finding, table=table)


def test_widths() -> None:
    """What people write, what is chosen by how much comes, and what is refused."""
    assert (width_of("6h"), width_of(" 5000 rows")) == (Width(DAY_US // 4), Width(5_000, rows=True))
    assert [width_for(rows, 30 * DAY_US).size // DAY_US for rows in (30_000, 3_000, 300)] == [1, 7, 28]
    for wrong in ("0d", "a day", "5 row"):
        with pytest.raises(InvalidInput, match="no width"):
            width_of(wrong)


def test_pooled_figures_are_narrower_than_each() -> None:
    """Four windows together: the mean, with half the width."""
    made = [window(number, two_classes(400, number)) for number in range(4)]
    whole = pooled(made, "accuracy")
    each = made[0].figures["accuracy"]
    assert whole is not None
    assert whole.value == pytest.approx(np.mean([one.figures["accuracy"].value for one in made]))
    assert whole.high - whole.low == pytest.approx((each.high - each.low) / 2, rel=0.1)
    assert pooled(made, "mae") is None


def test_labels_that_stopped_coming_are_said() -> None:
    """Ten windows with labels, three old ones without: said. As many young ones without: nothing."""
    delay = Delay(grown=(), median_us=2 * DAY_US, late_us=5 * DAY_US, ever=0.9)
    made = [Window(version=1, number=n, since_us=n * DAY_US, until_us=(n + 1) * DAY_US, rows=200, labelled=180 if n < 10 else 0)
            for n in range(13)]  # fmt: skip
    (notice,) = silence(("churn", 1), made, delay, 30 * DAY_US)
    assert "since 1970-01-11 0% have one by now, where 90% had" in notice.words
    assert silence(("churn", 1), made, delay, 14 * DAY_US) == []
    assert silence(("churn", 1), made[:10], delay, 30 * DAY_US) == []
    assert silence(("churn", 1), made, msgspec.structs.replace(delay, late_us=None), 30 * DAY_US) == []
