"""Leakage: every planted way in is found by name, and honest tables raise nothing."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_wine

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.leakage.check import run
from lockgate.checks.leakage.rows import overlapping_rows
from lockgate.checks.leakage.tells import codes_of, out_of_fold
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task

ALARMS = (Status.FAIL, Status.WARN)


def alarms(evidence: Evidence) -> dict[str, Finding]:
    """What raised an alarm, by subject."""
    return {finding.subject: finding for finding in run(evidence) if finding.status in ALARMS}


def tables(train: pl.DataFrame, test: pl.DataFrame | None = None, **more: object) -> Evidence:
    """Evidence of two tables; every column but the target `y` is an input unless said otherwise."""
    frames = {Split.TRAIN: train} | ({Split.TEST: test} if test is not None else {})
    inputs = more.pop("inputs", tuple(name for name in train.columns if name != "y"))
    return Evidence(frames=frames, inputs=inputs, **{"target": "y", "task": Task.CLASSIFICATION, **more})


def noise(rows: int = 1_000, seed: int = 0) -> pl.DataFrame:
    """Honest columns, and a target that they tell a little about."""
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=rows), generator.normal(size=rows)
    return pl.DataFrame({"a": a, "b": b, "c": generator.choice(["u", "v", "w"], rows),
                         "y": (a + b + generator.normal(size=rows) > 0).astype(int)})  # fmt: skip


def test_the_bike_hire_leak_is_named(bikes):
    """casual + registered == cnt is said once, with the formula and both columns; the honest columns raise nothing."""
    inputs = tuple(name for name in bikes.columns if name not in ("dteday", "cnt"))
    evidence = Evidence(task=Task.REGRESSION, inputs=inputs, frames={Split.TRAIN: bikes[:8_000], Split.TEST: bikes[8_000:]},
                        target="cnt", time="dteday")  # fmt: skip
    named = alarms(evidence)
    assert list(named) == ["casual + registered"]
    found = named["casual + registered"]
    assert found.status is Status.FAIL
    assert "cnt = casual + registered in 100.0 % of rows" in found.headline
    assert found.measure.value == 1
    honest = dataclasses.replace(
        evidence, inputs=tuple(name for name in inputs if name not in ("casual", "registered"))
    )
    assert alarms(honest) == {}


def test_a_leak_by_missingness_is_named(titanic):
    """Titanic: whether `boat` is missing tells who survived; without it and `body` nothing is found."""
    inputs = ("Pclass", "Sex", "Age", "SibSp", "Fare", "Embarked", "boat")
    evidence = Evidence(
        task=Task.CLASSIFICATION, inputs=inputs, frames={Split.TRAIN: titanic}, target="Survived"
    )
    found = alarms(evidence)
    assert list(found) == ["boat"]
    assert "is missing tells Survived" in found["boat"].headline
    assert found["boat"].measure.value == pytest.approx(0.966, abs=0.01)
    assert alarms(dataclasses.replace(evidence, inputs=inputs[:-1])) == {}


def test_a_column_that_copies_the_answer_fails():
    """The target under another name, as number or as text, gives the answer alone; listed under `ignore` it is let go."""
    frame = noise().with_columns(
        outcome=pl.col("y").replace_strict({0: "lost", 1: "won"}), late=pl.col("y") * 3.5
    )
    found = alarms(tables(frame))
    assert {found["outcome"].status, found["late"].status} == {Status.FAIL}
    settings = {"leakage": {"ignore": ["outcome", "late"]}}
    assert alarms(tables(frame, settings=settings)) == {}


def test_a_column_that_nearly_gives_the_answer_warns():
    """A strong column warns, does not fail, and asks when it is known."""
    frame = noise(4_000)
    flips = np.random.default_rng(1).random(4_000) < 0.04
    found = alarms(tables(frame.with_columns(d=pl.Series((frame["y"].to_numpy() + flips) % 2))))
    assert found["d"].status is Status.WARN
    assert "when d is known" in found["d"].advice


def test_three_classes_and_a_number():
    """Leaks are found for more than two classes and in regression alike."""
    frame = noise(1_500).with_columns(y=pl.Series(["x", "y", "z"] * 500))
    assert "copy" in alarms(tables(frame.with_columns(copy=pl.col("y") + "!")))
    number = noise().with_columns(y=pl.col("a") * 2 + pl.Series(np.random.default_rng(2).normal(size=1_000)))
    assert alarms(tables(number, task=Task.REGRESSION)) == {}
    assert "copy" in alarms(tables(number.with_columns(copy=pl.col("y") ** 3), task=Task.REGRESSION))


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (pl.col("a") - 2 * pl.col("b") + 5, "a - 2 x b + 5"),
        (pl.col("a") * pl.col("b"), "a x b"),
        (pl.col("a") / pl.col("b"), "a / b"),
        (pl.col("a") + pl.col("b") - pl.col("e"), "a + b - e"),
        ((pl.col("e") * pl.col("h") * 100).round(0), "100 x e x h"),
        (100 * (pl.col("e") - pl.col("h")) / pl.col("h"), "100 x (e - h) / h"),
        (pl.col("e") / (pl.col("e") + pl.col("h")), "e / (e + h)"),
    ],
)
def test_computed_targets_are_spelled_out(made, words):
    """Weighted sums, products and ratios are found and written down."""
    frame = (
        noise()
        .with_columns(
            e=pl.Series(np.random.default_rng(3).gamma(2.0, size=1_000)),
            h=pl.Series(np.random.default_rng(8).uniform(5, 13, 1_000)),
        )
        .with_columns(y=made)
    )
    found = [
        finding
        for finding in alarms(tables(frame, task=Task.REGRESSION)).values()
        if "is" in finding.subject or "+" in finding.subject
    ]
    assert any(f"y = {words} in 100.0 %" in finding.headline for finding in found)


def test_a_formula_that_holds_in_most_rows_and_rounded():
    """A sum that four rows in a hundred break, and one rounded to whole numbers, are spelt out; a good model's 0.98 is none."""
    draw = np.random.default_rng(4)
    frame = pl.DataFrame({f"c{n}": draw.gamma(2.0, 100.0, 2_000) for n in range(8)})
    broken = draw.random(2_000) < 0.04
    total = frame["c1"] + frame["c5"]
    mended = frame.with_columns(y=pl.when(pl.Series(broken)).then(total * 0.5).otherwise(total))
    assert "y = c1 + c5 in 97" in alarms(tables(mended, task=Task.REGRESSION))["c1 + c5"].headline
    whole = frame.with_columns(y=(frame["c2"] * 1.2 + frame["c3"]).round(0))
    assert "y = 1.2 x c2 + c3 in 100.0 %" in alarms(tables(whole, task=Task.REGRESSION))["c2 + c3"].headline
    noisy = frame.with_columns(y=total + pl.Series(draw.normal(0, 25, 2_000)))
    assert "c1 + c5" not in alarms(tables(noisy, task=Task.REGRESSION))


def test_two_inputs_that_give_the_answer_together():
    """Two inputs of which neither tells anything alone fail together (exclusive or); a difference with a little noise warns;
    two honest drivers of the answer, and three inputs in all, raise nothing."""
    draw = np.random.default_rng(5)
    frame = noise(3_000).with_columns(
        before=pl.Series(draw.normal(100, 30, 3_000)),
        p=pl.Series(draw.normal(size=3_000)),
        q=pl.Series(draw.normal(size=3_000)),
    )
    either = frame.with_columns(y=((pl.col("p") > 0) != (pl.col("q") > 0)).cast(pl.Int64))
    (finding,) = alarms(tables(either)).values()
    assert finding.subject == "p with q"
    assert finding.status is Status.FAIL
    assert "y away" in finding.headline
    paid = frame.with_columns(after=pl.col("before") + pl.Series(draw.normal(0, 5, 3_000)))
    paid = paid.with_columns(
        y=(pl.col("after") > pl.col("before") + pl.Series(draw.normal(0, 0.2, 3_000))).cast(pl.Int64)
    )
    assert "before - after gives y away" in alarms(tables(paid))["before with after"].headline
    assert alarms(tables(frame)) == {}
    summed = frame.with_columns(
        y=(pl.col("p") + pl.col("q") + pl.Series(draw.normal(0, 0.1, 3_000)) > 0).cast(pl.Int64)
    )
    assert alarms(tables(summed))["p with q"].status is Status.WARN
    assert alarms(tables(either, inputs=("p", "q", "a"))) == {}


def test_pairs_of_words_and_of_three_classes():
    """Categories and numbers, and more than two classes, are seen together."""
    draw = np.random.default_rng(6)
    frame = noise(3_000).with_columns(
        k=pl.Series(draw.choice(list("xyz"), 3_000)), n=pl.Series(draw.integers(0, 3, 3_000))
    )
    places = pl.col("k").replace_strict({"x": 0, "y": 1, "z": 2})
    assert "k with n" in alarms(
        tables(frame.with_columns(y=(places + pl.col("n")) % 3), inputs=("a", "b", "k", "n"))
    )
    number = frame.with_columns(y=((places + pl.col("n")) % 3) * 2.5 + pl.Series(draw.normal(0, 0.1, 3_000)))
    assert "k with n" in alarms(tables(number, task=Task.REGRESSION, inputs=("a", "b", "k", "n")))


def test_an_identifier_that_predicts_fails():
    """Row numbers over sorted data tell the answer: that is named as an identifier; a random one is not an alarm here."""
    frame = noise(2_000).sort("y").with_row_index("row")
    found = alarms(tables(frame))
    assert found["row"].status is Status.FAIL
    assert "identifier" in found["row"].headline
    assert alarms(tables(noise(2_000).with_row_index("row"))) == {}


def test_rows_in_both_tables_are_found():
    """600 of 1,000 test rows from training fail, 25 warn, none is in order."""
    train, fresh = noise(3_000), noise(1_000, seed=9)
    for copied, status in ((600, Status.FAIL), (25, Status.WARN), (0, None)):
        test = pl.concat([train[:copied], fresh[copied:]])
        found = alarms(tables(train, test)).get("rows of training in test")
        assert (found.status if found else None) is status
    assert (
        "600 of 1,000"
        in alarms(tables(train, pl.concat([train[:600], fresh[600:]])))["rows of training in test"].headline
    )


def test_rows_that_repeat_by_themselves_are_no_alarm():
    """Tables of three coarse columns share nearly all rows honestly."""
    generator = np.random.default_rng(0)
    coarse = pl.DataFrame({name: generator.integers(0, 4, 2_000) for name in ("a", "b", "c")})
    coarse = coarse.with_columns(y=pl.Series(generator.integers(0, 2, 2_000)))
    assert alarms(tables(coarse[:1_000], coarse[1_000:])) == {}


def test_overlap_sees_through_types():
    """A row counts as the same whether its numbers are whole or not."""
    train = noise().with_columns(n=pl.Series(range(1_000)) % 400)
    test = train[:500].with_columns(pl.col("n").cast(pl.Float64))
    assert "rows of training in test" in alarms(tables(train, test))


def wide(rows: int, seed: int) -> pl.DataFrame:
    """Eight numbers, a town, and a target that they tell a little about."""
    draw = np.random.default_rng(seed)
    columns = {f"n{n}": draw.normal(50, 10, rows) for n in range(8)}
    towns = draw.choice(["Köln", "Bonn", "Aachen"], rows)
    return pl.DataFrame(columns | {"town": towns, "y": draw.integers(0, 2, rows)})


def test_rows_that_are_nearly_in_both_tables_are_found():
    """Test rows that are training rows rounded, or spelt otherwise, are counted; fresh ones, and exact copies, are not."""
    train, fresh = wide(3_000, 0), wide(1_000, 1)
    assert alarms(tables(train, fresh)) == {}
    numbers = [pl.col(f"n{n}").round(0) for n in range(8)]
    rounded = pl.concat([train[:400].with_columns(numbers), fresh[400:].with_columns(numbers)])
    found = alarms(tables(train, rounded))["rows nearly of training in test"]
    assert found.status is Status.FAIL
    assert 350 <= int(found.headline.split()[0]) <= 400
    spelt = pl.concat(
        [train[:30].with_columns(pl.col("town").replace({"Köln": "koln ", "Bonn": "BONN"})), fresh[30:]]
    )
    names = [name for name in train.columns if name != "y"]
    shaken = spelt.with_columns(n0=pl.col("n0") + 1e-6)
    assert (
        alarms(tables(train, shaken, inputs=tuple(names)))["rows nearly of training in test"].status
        is Status.WARN
    )
    assert list(alarms(tables(train, pl.concat([train[:400], fresh[400:]])))) == ["rows of training in test"]


def test_texts_that_share_most_of_their_words_are_found():
    """Test texts that are training texts with a word changed and other capitals are counted; fresh ones are not."""
    draw = np.random.default_rng(0)
    words = np.array([f"word{n}" for n in range(300)])

    def texts(rows: int) -> list[str]:
        return [" ".join(draw.choice(words, 25)) for _ in range(rows)]

    train = pl.DataFrame({"said": texts(1_500), "y": draw.integers(0, 2, 1_500)})
    fresh = pl.DataFrame({"said": texts(500), "y": draw.integers(0, 2, 500)})
    assert alarms(tables(train, fresh)) == {}
    changed = [f"Changed {text.split(' ', 1)[1].upper()}" for text in train["said"][:200]]
    found = alarms(tables(train, fresh.with_columns(said=pl.Series(changed + fresh["said"][200:].to_list()))))
    assert found["rows nearly of training in test"].status is Status.FAIL
    assert 180 <= int(found["rows nearly of training in test"].headline.split()[0]) <= 200


@pytest.mark.parametrize("columns", [3, 5, 20])
def test_rows_that_are_near_by_nature_are_no_alarm(columns):
    """Slow signals split at random have near rows everywhere, and dense tables of few columns too."""
    draw = np.random.default_rng(columns)
    slow = np.cumsum(draw.normal(0, 0.02, (4_000, columns)), axis=0)
    frame = pl.DataFrame({f"s{n}": slow[:, n] for n in range(columns)} | {"y": draw.integers(0, 2, 4_000)})
    mixed = frame.sample(fraction=1, shuffle=True, seed=0)
    assert "rows nearly of training in test" not in alarms(tables(mixed[:2_500], mixed[2_500:]))


def test_subjects_whose_label_stays_are_a_leak():
    """Patients on both sides with one diagnosis each fail; where the label changes from visit to visit nothing is said here."""
    draw = np.random.default_rng(0)
    patient = draw.integers(0, 300, 3_000)
    frame = noise(3_000).with_columns(patient=pl.Series(patient), y=pl.Series(patient % 2))
    inputs = ("a", "b", "c")
    found = alarms(tables(frame[:2_000], frame[2_000:], group="patient", inputs=inputs))[
        "patient on both sides"
    ]
    assert found.status is Status.FAIL
    assert "in 100.0 % of rows (by chance" in found.headline
    for kind in (pl.concat_list("patient"), pl.concat_str("patient").cast(pl.Binary) + b"\xff"):
        odd = frame.with_columns(patient=kind)
        again = alarms(tables(odd[:2_000], odd[2_000:], group="patient", inputs=inputs))
        assert again["patient on both sides"] == found
    changing = frame.with_columns(y=pl.Series(draw.integers(0, 2, 3_000)))
    assert alarms(tables(changing[:2_000], changing[2_000:], group="patient", inputs=inputs)) == {}
    apart = frame.sort("patient")
    assert (
        alarms(
            tables(
                apart[:2_000], apart[2_000:].filter(pl.col("patient") > 250), group="patient", inputs=inputs
            )
        )
        == {}
    )
    size = frame.with_columns(y=pl.col("patient") * 1.5 + pl.Series(draw.normal(0, 5, 3_000)))
    number = tables(size[:2_000], size[2_000:], group="patient", inputs=inputs, task=Task.REGRESSION)
    assert "R squared" in alarms(number)["patient on both sides"].headline


def test_time_travel_is_found():
    """Trained after the test: fails. Mixed: warns. Trained before: in order."""
    frame = noise(2_000).with_columns(at=pl.Series([f"2024-{1 + n // 200:02d}-01" for n in range(2_000)]))
    old, new, inputs = frame[:1_000], frame[1_000:], ("a", "b", "c")
    assert alarms(tables(old, new, time="at", inputs=inputs)) == {}
    assert alarms(tables(new, old, time="at", inputs=inputs))["time (at)"].status is Status.FAIL
    mixed = frame.sample(fraction=1, shuffle=True, seed=0)
    assert (
        alarms(tables(mixed[:1_000], mixed[1_000:], time="at", inputs=inputs))["time (at)"].status
        is Status.WARN
    )


def test_columns_known_too_late_are_found():
    """`known_at` after the prediction fails for that column; a missing time column says what it needs."""
    frame = noise(400).with_columns(
        made=pl.Series(range(400)), known=pl.Series(range(400)) - 1, late=pl.Series(range(400)) + 5
    )
    evidence = tables(frame, frame, time="made", known_at={"a": "known", "b": "late"}, inputs=("a", "b"))
    late = [finding for finding in run(evidence) if "known at" in finding.subject]
    assert [(finding.subject, finding.status) for finding in late] == [
        ("b (known at late)", Status.FAIL), ("a (known at known)", Status.PASS)]  # fmt: skip
    lost = tables(frame, frame, time="made", known_at={"a": "nowhere"}, inputs=("a",))
    assert any(f.status is Status.COULD_NOT_RUN and "nowhere" in f.headline for f in run(lost))


def test_what_could_not_be_looked_at_is_said():
    """Without labels and without training data each part says what would make it possible."""
    frame = noise().drop("y")
    said = {finding.subject: finding for finding in run(tables(frame))}
    assert said["target"].status is Status.COULD_NOT_RUN
    assert "test table" in said["rows of training in test"].headline


def test_a_time_column_that_holds_no_times():
    """Text that is no time is an error that shows it."""
    frame = noise().with_columns(at=pl.lit("soon"))
    with pytest.raises(InvalidInput, match="soon"):
        run(tables(frame, frame, time="at", inputs=("a",)))


def flights(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Departures as an airport writes them down: clock times as numbers, some flights cancelled."""
    draw = np.random.default_rng(seed)
    sched, delay = (
        draw.integers(6 * 60, 22 * 60, rows),
        np.round(draw.gamma(1.0, 20.0, rows) - 10).astype(int),
    )
    cancelled, flown = draw.random(rows) < 0.03, draw.integers(40, 110, rows)

    def clock(minutes: np.ndarray) -> np.ndarray:
        return minutes % 1_440 // 60 * 100 + minutes % 60

    frame = pl.DataFrame({
        "sched_dep_time": clock(sched), "sched_arr_time": clock(sched + 80), "distance": draw.integers(100, 2_500, rows),
        "dep_time": clock(sched + delay), "arr_time": clock(sched + delay + flown), "dep_delay": delay, "air_time": flown - 15,
        "y": (delay + draw.normal(0, 15, rows) > 15).astype(int),
    })  # fmt: skip
    hidden = pl.Series(cancelled)
    late = ("dep_time", "arr_time", "dep_delay", "air_time")
    return frame.with_columns(pl.when(hidden).then(None).otherwise(pl.col(name)).alias(name) for name in late)


def test_clock_times_after_the_prediction_are_named():
    """Real departure and arrival, and what comes from them, are named as known too late; schedules and distance are not."""
    frame = flights()
    inputs = tuple(name for name in frame.columns if name not in ("y", "sched_dep_time"))
    found = alarms(tables(frame, time="sched_dep_time", inputs=inputs))["times after the prediction"]
    why = dict(found.table.rows)
    assert set(why) == {"dep_time", "arr_time", "dep_delay", "air_time"}
    assert why["dep_delay"] == "is the minutes to dep_time"
    assert why["air_time"] == "is missing wherever dep_time is"
    honest = ("sched_arr_time", "distance")
    assert alarms(tables(frame, time="sched_dep_time", inputs=honest)) == {}


def test_times_without_a_trace_of_missing_values_are_named():
    """Where cancelled flights are left out, time in the air is known by growing with the minutes from take-off to landing on
    the same route; the distance, which goes with it from route to route, is not. The prediction's time may be in another zone
    and cut to the hour."""
    draw = np.random.default_rng(3)
    frame = flights(4_000, seed=3).drop_nulls()
    route = draw.integers(0, 12, frame.height)
    flown, dep = 30 + 25 * route + draw.normal(0, 8, frame.height).round(), frame["dep_time"].to_numpy()
    landed = ((dep // 100 * 60 + dep % 100) + flown + draw.integers(10, 25, frame.height)) % 1_440
    hours = frame["sched_dep_time"] // 100
    frame = frame.with_columns(
        air_time=pl.Series(flown), arr_time=pl.Series(landed // 60 * 100 + landed % 60), distance=pl.Series(200.0 * route + 150),
        route=pl.Series([f"to {n}" for n in route]), at=pl.datetime(2013, 1, 1) + pl.duration(hours=hours + 5),
    )  # fmt: skip
    for time in ("sched_dep_time", "at"):
        inputs = tuple(name for name in frame.columns if name not in ("y", time, "at"))
        why = dict(alarms(tables(frame, time=time, inputs=inputs))["times after the prediction"].table.rows)
        assert set(why) == {"dep_time", "arr_time", "dep_delay", "air_time"}
        assert why["air_time"] == "grows with the minutes between dep_time and arr_time"


def test_known_at_reads_clock_times():
    """A declared clock time after the prediction's fails, beside a prediction time that is a date with a clock."""
    frame = flights()
    minutes = pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100
    frame = frame.with_columns(at=pl.datetime(2013, 1, 1) + pl.duration(minutes=minutes))
    known = {"air_time": "arr_time", "distance": "sched_dep_time"}
    found = alarms(tables(frame, frame[:500], time="at", known_at=known, inputs=("air_time", "distance")))
    assert found["air_time (known at arr_time)"].status is Status.FAIL
    assert not any(name.startswith("distance") for name in found)


def test_dates_after_the_prediction_are_named():
    """A date of the outcome among the inputs is named; one from before is not."""
    days = pl.Series([dt.date(2024, 1, 1) + dt.timedelta(day % 300) for day in range(1_000)])
    frame = noise().with_columns(
        at=days, closed=days + pl.Series([dt.timedelta(9)] * 1_000), opened=days - dt.timedelta(9)
    )
    found = alarms(tables(frame, time="at", inputs=("a", "b", "closed", "opened")))
    assert [row[0] for row in found["times after the prediction"].table.rows] == ["closed"]


def test_rows_of_a_sampled_training_table_are_scaled_up(car_loan):
    """A tenth of the test rows is copied from training, a fifth of which was read: the interval covers it; clean rows pass."""
    train, test = car_loan[:20_000], car_loan[20_000:24_000]
    spoilt = pl.concat([test[:3_600], train.sample(400, seed=1)])
    here, inputs = train.sample(4_000, seed=2), [name for name in train.columns if name != "repaid"]
    for judged, status in ((spoilt, Status.FAIL), (test, Status.PASS)):
        found = overlapping_rows("leakage", here, judged, inputs, fail=0.05, warn=0.01, seen=0.2)
        assert found.status is status
        assert "a sample of 20.0 % of the training table" in found.headline
        assert found.measure.low <= 0.1 * (status is Status.FAIL) <= found.measure.high
        evidence = tables(here, judged, inputs=tuple(inputs), target="repaid", whole={"train": train.height})
        checked = {each.subject: each for each in run(evidence)}["rows of training in test"]
        assert (checked.headline, checked.measure) == (found.headline, found.measure)


def test_an_answer_is_recognised_in_few_rows():
    """A number that gives three classes of thirty rows away is told from one that is none, whatever its many values."""
    draw = np.random.default_rng(0)
    classes = np.repeat([0, 1, 2], 30)
    answer, chance = classes + draw.normal(0, 0.15, 90), draw.normal(size=90)
    truth = classes.astype(str).astype(object)
    assert out_of_fold(codes_of(pl.Series(answer)), truth)[0] > 0.98
    assert out_of_fold(codes_of(pl.Series(chance)), truth)[0] < 0.7


def test_an_answer_in_few_rows_is_known_by_being_right():
    """Wine, 89 rows of three kinds: no honest column is named; a copy of the target under other names is, though the area of so
    few rows of a kind leaves it in doubt."""
    wine = load_wine()
    names = [name.replace("/", "_") for name in wine.feature_names]
    kinds = np.array(["A", "B", "C"])[wine.target]
    frame = pl.DataFrame(dict(zip(names, wine.data.T, strict=True))).with_columns(
        y=pl.Series(kinds), copy=pl.Series(wine.target)
    )
    rows = np.random.default_rng(0).permutation(frame.height)
    frames = {Split.TRAIN: frame[rows[:89]], Split.TEST: frame[rows[89:]]}
    for inputs, named in ((names, []), ([*names, "copy"], ["copy"])):
        found = run(Evidence(task=Task.CLASSIFICATION, inputs=tuple(inputs), frames=frames, target="y"))
        assert [each.subject for each in found if each.status is not Status.PASS] == named
    assert found[0].headline == "copy alone gives the right y in 89 of 89 rows."


def test_rows_that_repeat_everywhere_are_said_and_no_alarm():
    """Three quarters of the rows are of few kinds, in training as in test: no alarm, and a word on subjects."""
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"a": draw.integers(0, 4, 2_000), "b": draw.integers(0, 3, 2_000)})
    given = Evidence(
        task=Task.CLASSIFICATION,
        inputs=("a", "b"),
        frames={Split.TRAIN: frame[:1_500], Split.TEST: frame[1_500:]},
    )
    (finding,) = [each for each in run(given) if each.subject == "rows of training in test"]
    assert finding.status is Status.PASS
    assert "no more than rows repeat within it" in finding.headline
    assert "group: COLUMN" in finding.advice
