"""Has anything moved? Planted faults are found and named, and rows that are alike raise no alarm however often one looks."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.clock import HOUR_US
from lockgate.monitor.causes import Point, causes_of, changed_at, explained
from lockgate.monitor.drift import (
    OUT,
    Fault,
    Found,
    as_reference,
    broken_columns,
    far_moved,
    judge,
    share_at,
    without_seasons,
)
from lockgate.monitor.profile import Profile, merged_profiles, profiles_of
from lockgate.monitor.reference import Reference, of_rows
from lockgate.predictions.record import Columns


def _rows(draw: np.random.Generator, rows: int, **changes: object) -> Columns:
    """Five inputs; the answer follows `age` and a little `income`."""
    made: Columns = {
        "age": draw.normal(40, 10, rows),
        "income": draw.lognormal(10, 0.5, rows),
        "debt": np.where(draw.random(rows) < 0.2, np.nan, draw.normal(0, 1, rows)),
        "plan": draw.choice(np.array(["basic", "pro", "max"], dtype=object), rows, p=[0.6, 0.3, 0.1]),
        "member": draw.random(rows) < 0.5,
    }
    made |= {name: change(made) if callable(change) else change for name, change in changes.items()}  # type: ignore[misc]
    return made


def _score(made: Columns) -> np.ndarray:
    """Straight in the age."""
    return np.asarray(made["age"] / 100, dtype=float)


def _profile(reference: Reference, made: Columns, **answers: np.ndarray) -> Profile:
    at_us = np.zeros(len(next(iter(made.values()))), dtype=np.int64)
    return merged_profiles(profiles_of(reference, at_us, made, answers or {"score": _score(made)}).values())


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Of 4,000 rows."""
    made = _rows(np.random.default_rng(0), 4_000)
    frame = pl.DataFrame({name: values.tolist() for name, values in made.items()})
    return msgspec.structs.replace(
        of_rows("test", frame, {"score": _score(made)}), matter={"age": 0.8, "income": 0.2}
    )


@pytest.mark.parametrize("chunks_seen", [40, pytest.param(730, marks=pytest.mark.faults)])
def test_looks_at_rows_that_are_alike_raise_no_alarm(reference: Reference, chunks_seen: int) -> None:
    """40 chunks (two years of days in the long form), with their weeks and months: nothing is said of any of five inputs."""
    draw = np.random.default_rng(1)
    chunks: list[Profile] = []
    said = []
    for look in range(1, chunks_seen + 1):
        chunks = [*chunks, _profile(reference, _rows(draw, 500))][-28:]
        stretches = {n: merged_profiles(chunks[-n:]) for n in (1, 7, 28) if len(chunks) >= n}
        found = judge(reference, stretches, look)
        said += [*found.moved, *found.answers, *found.broken, *found.turned]
    assert said == []


def test_the_chance_of_error_of_all_looks_together_is_that_of_one_check() -> None:
    """However long one looks."""
    assert sum(share_at(look) for look in range(1, 1_000_000)) <= 0.03
    assert share_at(1) > share_at(2) > share_at(1_000) > 0


def test_what_moved_is_found_ranked_and_explains_the_answers(reference: Reference) -> None:
    """Both columns moved as far; the one that answers hang on stands first, and the answers' move follows from it."""
    made = _rows(
        np.random.default_rng(2), 500, age=lambda m: m["age"] + 9, income=lambda m: m["income"] * 1.6
    )
    stretches = {1: _profile(reference, made)}
    found = judge(reference, stretches, 40)
    assert set(found.moved) == {"age", "income"}
    assert set(found.answers) == {"score"}
    assert found.broken == ()
    causes = causes_of(reference, found.moved, stretches, {"age": 5, "income": 7}, found.answers["score"][0])
    assert [cause.column for cause in causes] == ["age", "income"]
    assert causes[0].explains == pytest.approx(1.0, abs=0.1)
    assert (causes[1].explains or 0.0) < 0.2
    assert causes[0].words.startswith("went up by 0.")
    assert causes[0].weight == pytest.approx(0.8 * causes[0].effect)


def test_a_small_shift_is_found_in_the_longer_stretch(reference: Reference) -> None:
    """Too small for one chunk at the hundredth look, clear in 28 of them."""
    draw = np.random.default_rng(3)
    chunks = [_profile(reference, _rows(draw, 500, age=lambda m: m["age"] + 1.5)) for _ in range(28)]
    assert "age" not in judge(reference, {1: chunks[-1]}, 100).moved
    assert judge(reference, {1: chunks[-1], 28: merged_profiles(chunks)}, 100).moved["age"][1] == 28


@pytest.mark.parametrize(
    ("column", "change", "fault", "what"),
    [
        ("age", None, Fault.GONE, ""),
        ("debt", lambda m: np.full(m["debt"].size, np.nan), Fault.EMPTY, ""),
        ("age", lambda m: np.where(m["age"] > 60, np.inf, m["age"]), Fault.INFINITE, ""),
        ("income", lambda m: np.full(m["income"].size, 7.0), Fault.CONSTANT, "7"),
        ("plan", lambda m: np.full(m["plan"].size, "pro", dtype=object), Fault.CONSTANT, "'pro'"),
        ("extra", lambda m: m["age"], Fault.NEW, ""),
    ],
)
def test_columns_that_broke_are_named(
    reference: Reference, column: str, change: object, fault: Fault, what: str
) -> None:
    """Each kind of fault, and nothing else is said of that column."""
    made = _rows(np.random.default_rng(4), 600, **({} if change is None else {column: change}))
    if change is None:
        del made[column]
    found = judge(reference, {1: _profile(reference, made, score=np.zeros(600))}, 3)
    assert [(each.column, each.fault) for each in found.broken] == [(column, fault)]
    assert what in found.broken[0].what
    assert column not in found.moved


def test_a_column_that_some_callers_no_longer_send(reference: Reference) -> None:
    """The share of rows without it."""
    draw = np.random.default_rng(5)
    half = _rows(draw, 300)
    del half["income"]
    whole = merged_profiles([_profile(reference, _rows(draw, 300)), _profile(reference, half)])
    found = broken_columns(reference, whole)
    assert [(each.column, each.fault, each.what) for each in found] == [("income", Fault.PARTLY_GONE, "50%")]


def test_columns_that_were_exchanged_are_named_together(reference: Reference) -> None:
    """Each holds what the other held."""
    made = _rows(np.random.default_rng(6), 600)
    made["age"], made["income"] = made["income"], made["age"]
    found = broken_columns(reference, _profile(reference, made))
    assert {(each.column, each.fault, each.what) for each in found} == {
        ("age", Fault.EXCHANGED, "income"), ("income", Fault.EXCHANGED, "age"),
    }  # fmt: skip


def test_columns_that_changed_places_and_look_alike_are_named_by_what_goes_with_them() -> None:
    """Two inputs of one distribution, of which one goes with a third: exchanged they are told, as they were they are not."""
    draw = np.random.default_rng(11)

    def rows(count: int) -> Columns:
        first, second, noise = draw.normal(size=(3, count))
        return {"a": first, "b": second, "c": 0.8 * first + 0.6 * noise}

    def hours(made: Columns) -> Profile:
        at_us = np.arange(len(made["a"]), dtype=np.int64) * (6 * HOUR_US // len(made["a"]))
        return merged_profiles(profiles_of(held, at_us, made, {}).values())

    held = of_rows("test", pl.DataFrame({name: values.tolist() for name, values in rows(4_000).items()}), {})
    as_before, exchanged = rows(3_000), rows(3_000)
    exchanged["a"], exchanged["b"] = exchanged["b"], exchanged["a"]
    assert judge(held, {1: hours(as_before)}, 5) == Found()
    found = judge(held, {1: hours(exchanged)}, 5)
    assert not found.moved
    assert not found.broken
    first = found.turned[0]
    assert ({first.one, first.other}, first.places) == ({"a", "b"}, True)


def test_missing_values_and_categories_that_moved(reference: Reference) -> None:
    """A share of missing values, a share of names, and a name never seen."""
    draw = np.random.default_rng(7)
    made = _rows(
        draw, 800,
        debt=lambda m: np.where(draw.random(800) < 0.5, np.nan, m["debt"]),
        plan=lambda m: np.where(draw.random(800) < 0.4, "student", m["plan"]),
    )  # fmt: skip
    stretches = {1: _profile(reference, made)}
    found = judge(reference, stretches, 5)
    assert found.moved["debt"][0].missing
    words = {
        cause.column: cause.words
        for cause in causes_of(reference, found.moved, stretches, {"debt": 0, "plan": 0}, None)
    }
    assert "is missing in" in words["debt"]
    assert "never seen before" in words["plan"]


def test_a_column_that_is_always_empty_here_and_there_is_no_news(reference: Reference) -> None:
    """What was missing in the reference may be missing; a version whose reference holds only missing values says nothing."""
    empty = of_rows("empty", pl.DataFrame({"a": [None] * 50, "b": [1.0, 2.0] * 25}, strict=False), {})
    made: Columns = {"a": np.full(300, np.nan), "b": np.tile([1.0, 2.0], 150)}
    assert judge(empty, {1: _profile(empty, made, score=np.zeros(300))}, 1) == Found()


def test_what_differs_every_monday_is_no_news_on_a_monday(reference: Reference) -> None:
    """The day differs from the validation and not from earlier ones of its name; what differs from those too stays."""
    draw = np.random.default_rng(8)
    monday = {"age": lambda m: m["age"] + 8}
    usual = merged_profiles([_profile(reference, _rows(draw, 500, **monday)) for _ in range(3)])
    newest = _profile(reference, _rows(draw, 500, **monday, plan=np.full(500, "pro", dtype=object)))
    found = Found(moved=judge(reference, {1: newest}, 9).moved)
    left, seasonal = without_seasons(found, as_reference(reference, usual), newest, 9)
    assert seasonal == ("age",)
    assert "age" not in left.moved


def test_far_moves_are_told_from_near_ones(reference: Reference) -> None:
    """Of 200 rows: a move of two deviations is far, one of a third is not."""
    draw = np.random.default_rng(9)
    far = far_moved(reference, _profile(reference, _rows(draw, 200, age=lambda m: m["age"] + 20)), 30)
    near = far_moved(reference, _profile(reference, _rows(draw, 200, age=lambda m: m["age"] + 3)), 30)
    assert set(far) == {"age", f"{OUT}score"}
    assert near == {}


def test_since_when_is_the_change_that_fits_best() -> None:
    """A step in the middle; a column that was as far from the begin on; one chunk alone."""
    step = [Point(hour * HOUR_US, 500, 0.02 if hour < 20 else 0.9) for hour in range(30)]
    assert changed_at(step) == 20 * HOUR_US
    always = [Point(hour * HOUR_US, 500, 0.8 + 0.01 * (hour % 2)) for hour in range(10)]
    assert changed_at(always) == 0
    assert changed_at(step[:1]) == 0


def test_nothing_is_explained_where_nothing_can_be(reference: Reference) -> None:
    """Answers that did not move, or a reference that knows of no relation."""
    assert explained(reference, {"age": 1.0}, 0.01) == {}
    assert explained(msgspec.structs.replace(reference, pairs=None), {"age": 1.0}, 0.5) == {}
