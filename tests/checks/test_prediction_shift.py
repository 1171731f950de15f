"""Prediction shift: changed decisions are counted and placed, and equal versions raise nothing."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.prediction_shift.check import run
from lockgate.registry.manifest import Task

ROWS = 3_000


def evidence(**more: object) -> Evidence:
    """Two equal versions over an honest table."""
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {"plan": generator.choice(["gold", "silver", "tin"], ROWS), "age": generator.integers(18, 80, ROWS)}
    )
    score = generator.random(ROWS)
    answers = {Split.TEST: decided(score)}
    made = {"task": Task.CLASSIFICATION, "inputs": ("plan", "age"), "frames": {Split.TEST: frame}, "positive": "yes",
            "answers": answers, "live": answers, "live_name": "churn/1", **more}  # fmt: skip
    return Evidence(**made)


def decided(score: np.ndarray) -> Answers:
    """Yes above a half."""
    return Answers(np.where(score > 0.5, "yes", "no").astype(object), score)


def against_live(given: Evidence) -> Finding:
    """The finding about the live version."""
    return run(given)[0]


def test_equal_versions_pass():
    """No decision differs, and the sentence says so."""
    finding = against_live(evidence())
    assert finding.status is Status.PASS
    assert finding.headline.startswith("0.0 % of 3,000 decisions differ from churn/1")


def test_a_slice_that_changes_is_named():
    """Every gold row says yes now: the rate moves, the finding warns and names the slice."""
    given = evidence()
    gold = (given.frames[Split.TEST]["plan"] == "gold").to_numpy()
    score = given.answers[Split.TEST].scores.copy()
    score[gold] = 0.9
    finding = against_live(dataclasses.replace(given, answers={Split.TEST: decided(score)}))
    assert finding.status is Status.WARN
    assert "Most change for plan = gold: 49.6 %" in finding.headline
    assert finding.table.rows[0][0] == "plan = gold"
    assert finding.measure.value == pytest.approx(0.5 * gold.mean(), abs=0.02)


def test_many_flips_that_balance_are_no_shift_unless_limited():
    """Ten per cent flips both ways: the rate stays, so no alarm; a limit of five per cent fails."""
    given = evidence()
    score = given.answers[Split.TEST].scores
    turned = np.where(np.random.default_rng(1).random(ROWS) < 0.1, 1 - score, score)
    new = dataclasses.replace(given, answers={Split.TEST: decided(turned)})
    assert against_live(new).status is Status.PASS
    limited = dataclasses.replace(new, settings={"prediction_shift": {"max_flips": 0.05}})
    assert against_live(limited).status is Status.FAIL
    assert "At most 5.0 %" in against_live(limited).advice


def test_numbers_that_move():
    """In regression a shift of half a deviation warns, with its size; none passes."""
    old = np.random.default_rng(2).normal(100, 10, ROWS)
    given = evidence(
        task=Task.REGRESSION, answers={Split.TEST: Answers(old, old)}, live={Split.TEST: Answers(old, old)}
    )
    assert against_live(given).status is Status.PASS
    moved = dataclasses.replace(given, answers={Split.TEST: Answers(old + 5, old + 5)})
    assert against_live(moved).status is Status.WARN
    assert "move by 5 in the mean" in against_live(moved).headline


def test_no_live_version_is_in_order():
    """The first version has nothing to be compared with, and that does not block it."""
    finding = against_live(evidence(live={}))
    assert finding.status is Status.PASS
    assert "nothing to compare" in finding.headline


def test_answers_by_heart_show_against_training():
    """Scores near 0 and 1 on training rows and in the middle on test rows warn; alike ones do not."""
    given = evidence()
    frames = {**given.frames, Split.TRAIN: given.frames[Split.TEST]}
    sure = np.random.default_rng(3).beta(0.2, 0.2, ROWS)
    for trained, status in ((sure, Status.WARN), (np.random.default_rng(4).random(ROWS), Status.PASS)):
        answers = {**given.answers, Split.TRAIN: decided(trained)}
        assert run(dataclasses.replace(given, frames=frames, answers=answers))[1].status is status


def test_answers_that_follow_the_labels_are_no_alarm():
    """Rows of a busier season: answers and labels go up together and that is said; answers alone going up warn."""
    draw = np.random.default_rng(5)
    then, now = draw.normal(100, 20, ROWS), draw.normal(140, 30, ROWS)
    for labels, status in ((now, Status.PASS), (draw.normal(100, 20, ROWS), Status.WARN)):
        frames = {Split.TRAIN: pl.DataFrame({"y": then}), Split.TEST: pl.DataFrame({"y": labels})}
        answers = {Split.TRAIN: Answers(then + 1, then + 1), Split.TEST: Answers(now - 2, now - 2)}
        given = evidence(task=Task.REGRESSION, frames=frames, answers=answers, live={}, target="y")
        (finding,) = run(given)
        assert finding.status is status
        assert ("the labels moved along" in finding.headline) == (status is Status.PASS)


@pytest.mark.parametrize(("lean", "status"), [(0.0, Status.PASS), (0.15, Status.WARN)])
def test_a_model_that_is_surer_of_rows_it_remembers_is_no_alarm(lean, status):
    """Scores near 0 and 1 on training rows, milder on others, labels alike: no shift; leaning on top of that is one."""
    draw = np.random.default_rng(8)
    came = {split: draw.random(ROWS) < 0.4 for split in (Split.TRAIN, Split.TEST)}
    seen = np.where(came[Split.TRAIN], draw.beta(9, 1, ROWS), draw.beta(1, 9, ROWS))
    new = np.where(came[Split.TEST], draw.beta(5, 4, ROWS), draw.beta(3, 6, ROWS))
    said = {Split.TRAIN: seen, Split.TEST: np.clip(new + lean, 0, 1)}
    frames = {split: pl.DataFrame({"y": np.where(each, "yes", "no")}) for split, each in came.items()}
    given = evidence(frames=frames, answers={split: decided(score) for split, score in said.items()}, live={}, target="y",
                     classes=("no", "yes"))  # fmt: skip
    assert run(given)[0].status is status
    assert ("surer where it learned" in run(given)[0].headline) == (status is Status.PASS)


@pytest.mark.parametrize(("rate", "status"), [(0.55, Status.PASS), (0.3, Status.WARN)])
def test_classes_that_follow_their_rate_are_no_alarm(rate, status):
    """Probabilities that rise as the class becomes more frequent follow; those that rise alone warn."""
    draw = np.random.default_rng(6)
    said = {Split.TRAIN: draw.beta(3, 7, ROWS), Split.TEST: draw.beta(5.5, 4.5, ROWS)}
    shares = {Split.TRAIN: 0.3, Split.TEST: rate}
    frames = {
        split: pl.DataFrame({"y": np.where(draw.random(ROWS) < shares[split], "yes", "no")}) for split in said
    }
    given = evidence(frames=frames, answers={split: decided(score) for split, score in said.items()}, live={}, target="y",
                     classes=("no", "yes"))  # fmt: skip
    assert run(given)[0].status is status


def test_labels_that_leave_the_answers_behind_warn():
    """Demand doubles and no input shows it: answers stay, labels go up, in numbers and in classes; both figures are said."""
    draw = np.random.default_rng(7)
    made, labels = draw.normal(100, 20, ROWS), draw.normal(180, 35, ROWS)
    frames = {Split.TRAIN: pl.DataFrame({"y": made}), Split.TEST: pl.DataFrame({"y": labels})}
    answers = dict.fromkeys((Split.TRAIN, Split.TEST), Answers(made, made))
    (numbers,) = run(evidence(task=Task.REGRESSION, frames=frames, answers=answers, live={}, target="y"))
    assert numbers.status is Status.WARN
    assert (
        "the mean went from 99.37 to 180.1 in the labels, and from 99.37 to 99.37 in the answers"
        in numbers.headline
    )
    rare, often = (
        pl.DataFrame({"y": np.where(draw.random(ROWS) < share, "yes", "no")}) for share in (0.3, 0.5)
    )
    score = decided(draw.beta(3, 7, ROWS))
    (classes,) = run(evidence(frames={Split.TRAIN: rare, Split.TEST: often}, live={}, target="y", classes=("no", "yes"),
                              answers=dict.fromkeys((Split.TRAIN, Split.TEST), score)))  # fmt: skip
    assert classes.status is Status.WARN
    assert (
        "'no' went from 70.9 % to 50.6 % in the labels, and from 70.2 % to 70.2 % in the answers"
        in classes.headline
    )


def test_answers_without_scores():
    """Names of classes alone are compared by their rates."""
    given = evidence()
    bare = Answers(given.answers[Split.TEST].decisions)
    all_yes = Answers(np.full(ROWS, "yes", dtype=object))
    finding = against_live(dataclasses.replace(given, answers={Split.TEST: all_yes}, live={Split.TEST: bare}))
    assert finding.status is Status.WARN
    assert finding.plot is None


def test_rows_of_one_person_do_not_make_a_shift():
    """Three of 60 people turn from no to yes: of 1,500 strangers that is sure; of 60 people, 25 rows each, it is not, and neither
    is the range of ages that they alone are in."""
    draw = np.random.default_rng(9)
    people = np.repeat(np.arange(60), 25)
    frame = pl.DataFrame({"who": people, "age": 20 + people})
    score = np.where(people < 3, 0.1, draw.random(people.size))
    turned = np.where(people < 3, 0.9, score)
    given = evidence(
        frames={Split.TEST: frame},
        inputs=("age",),
        live={Split.TEST: decided(score)},
        answers={Split.TEST: decided(turned)},
    )
    assert against_live(given).status is Status.WARN
    by_person = against_live(dataclasses.replace(given, group="who"))
    assert by_person.status is Status.PASS
    assert "Most change" not in by_person.headline
    assert by_person.measure.low < 0 < by_person.measure.value


def test_other_people_are_no_other_distribution():
    """Each person has a level of their own: 30 people in training and 30 others in test differ by chance."""
    draw = np.random.default_rng(3)
    people = np.repeat(np.arange(30), 50)

    def score() -> np.ndarray:
        return np.clip(draw.normal(0.5, 0.15, 30)[people] + draw.normal(0, 0.02, people.size), 0, 1)

    frames = {split: pl.DataFrame({"who": people}) for split in (Split.TRAIN, Split.TEST)}
    answers = {split: decided(score()) for split in frames}
    given = evidence(frames=frames, answers=answers, live={})
    assert run(given)[0].status is Status.WARN
    assert run(dataclasses.replace(given, group="who"))[0].status is Status.PASS
