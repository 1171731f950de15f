"""The suite: what runs, what cannot, in which order, and how often honest models raise an alarm."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.checks.conftest import ADULT_COLUMNS, CAR_INPUTS, Model, evidence_of, run_suite

from lockgate.checks import suite
from lockgate.checks.base import Check
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status, digest_of
from lockgate.checks.needs import Need
from lockgate.checks.quality.check import QualitySettings
from lockgate.checks.running.pool import Here
from lockgate.checks.suite import CHECKS, SUITES, checks_of, plan_suite, refuse_settings
from lockgate.checks.validate import validate
from lockgate.config import Tier
from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance.policy import DEFAULTS
from lockgate.registry.manifest import Task

ALL = tuple(CHECKS)
# what a model and its tables alone do not bring
TO_BE_DECLARED = {Need.PROTECTED, Need.GROUP, Need.KNOWN_AT, Need.ASSUMPTIONS, Need.SCENARIOS, Need.COSTS, Need.METRICS,
                  Need.PREVIOUS, Need.HISTORY, Need.LIVE}  # fmt: skip


def test_an_honest_model_passes_everything(loans):
    """Car loans, split in time: whatever has what it needs passes, and the run repeats to the byte."""
    findings = run_suite(loans, ALL)
    ready = {planned.check for planned in plan_suite(loans, ALL) if planned.runs}
    assert {finding.status for finding in findings if finding.check in ready} == {Status.PASS}
    assert {finding.check for finding in findings} == set(ALL)
    assert digest_of(findings) == digest_of(run_suite(loans, ALL))


def test_progress_is_shown(loans):
    """Each check is announced when it starts and when it ends."""
    told = []
    run_suite(loans, ["quality", "leakage"], lambda step: told.append((step.check, step.state)))
    assert told == [("quality", "running"), ("quality", "done"), ("leakage", "running"), ("leakage", "done")]


def test_the_plan_says_what_cannot_run(loans):
    """Without labels, answers and test table, each check says what it needs; with them it runs."""
    assert {need for planned in plan_suite(loans, ALL) for need in planned.lacks} <= TO_BE_DECLARED
    bare = dataclasses.replace(
        loans, frames={Split.TRAIN: loans.frames[Split.TRAIN]}, answers={}, target=None
    )
    plan = {planned.check: planned.lacks for planned in plan_suite(bare, ALL)}
    assert plan["quality"] == ()
    assert plan["performance"] == (Need.JUDGED, Need.TARGET, Need.LABELS, Need.ANSWERS)
    finding = next(f for f in run_suite(bare, ["performance"]))
    assert finding.status is Status.COULD_NOT_RUN
    assert "test or validation table" in finding.headline
    assert (
        finding.advice
        == "Submit the model again with --test TABLE --target COLUMN, then validate the new version."
    )


def test_a_check_that_raises_hides_nothing(loans, monkeypatch):
    """Its reason is a finding; the other checks are run all the same."""

    def broken(_: Evidence) -> list:
        raise ZeroDivisionError("by chance")

    def lost(_: Evidence) -> list:
        raise NotFound("no such column", fix="add it")

    for run, says in ((broken, "ZeroDivisionError: by chance"), (lost, "no such column")):
        monkeypatch.setitem(
            suite.CHECKS, "quality", Check("quality", "?", (Need.TABLE,), QualitySettings, run)
        )
        findings = run_suite(loans, ["quality", "leakage"])
        assert says in next(f.headline for f in findings if f.check == "quality")
        assert {f.status for f in findings if f.check == "quality"} == {Status.COULD_NOT_RUN}
        assert any(f.check == "leakage" and f.status is Status.PASS for f in findings)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"fairnes": {}}, "there is no such check"),
        ({"leakage": {"alone": 1}}, "alone_fail"),
        ({"performance": {"min": "high"}}, "Expected"),
        *[
            ({name: {"rows": 0}}, "Expected `int` >= 1")
            for name in ("label_errors", "noise", "parity", "stress")
        ],
    ],
)
def test_wrong_settings_are_refused_before_anything_runs(loans, settings, says):
    """An unknown check, an unknown key and a wrong value are named."""
    with pytest.raises(InvalidInput, match=says):
        refuse_settings(settings)
    with pytest.raises(InvalidInput):
        validate(dataclasses.replace(loans, settings=settings), ALL, Here())


def test_suites_and_policies_fit():
    """Each tier's suite has every check that the tier's policy requires; unknown names are refused."""
    for tier in Tier:
        assert set(DEFAULTS[tier].must_pass) <= set(SUITES[tier])
    with pytest.raises(InvalidInput, match="quick"):
        checks_of("huge")
    with pytest.raises(InvalidInput, match="no check 'x'"):
        plan_suite(Evidence(task=Task.OTHER, inputs=(), frames={}), ["x"])


@pytest.mark.parametrize("seed", range(3))
def test_honest_halves_raise_no_alarm(car_loan, adult, seed):
    """Shuffled halves of two real tables, with a live version trained on other rows: not one failure or warning.

    The census' question marks and its education, which stands there in words and in numbers, are true findings and are taken
    out first. Slices are left to the next test: on real tables some are truly harder than others.
    """
    loans = car_loan.sample(12_000, shuffle=True, seed=seed)
    live = Model(loans[4_000:8_000], CAR_INPUTS, "repaid", Task.CLASSIFICATION)
    one = evidence_of(loans[:4_000], loans[8_000:], CAR_INPUTS, "repaid", live=live, key="id")
    census = adult.sample(12_000, shuffle=True, seed=seed).with_columns(pl.col(pl.String).replace("?", None))
    inputs = tuple(name for name in ADULT_COLUMNS[:-1] if name != "education_num")
    two = evidence_of(census[:6_000], census[6_000:], inputs, "income")
    alarms = [
        finding.headline
        for given in (one, two)
        for finding in run_suite(given, ALL)
        if finding.status in (Status.FAIL, Status.WARN)
    ]
    assert alarms == []


def test_pure_noise_raises_alarms_as_rarely_as_promised():
    """Thirty models on pure noise against a twin: no failure, and at most two warnings in some 250 findings."""
    alarms = []
    for seed in range(30):
        generator = np.random.default_rng(seed)
        rows = 300
        score = generator.random(rows)
        frame = pl.DataFrame(
            {f"x{n}": generator.normal(size=rows) for n in range(5)}
            | {"c": generator.choice(list("abcd"), rows), "y": (generator.random(rows) < score).astype(int)}
        )
        twin = np.clip(score + generator.normal(0, 0.02, rows), 0.001, 0.999)
        answers, other = ({Split.TEST: Answers(class_names((s > 0.5) * 1), s)} for s in (score, twin))
        given = Evidence(
            task=Task.CLASSIFICATION,
            inputs=tuple(n for n in frame.columns if n != "y"),
            target="y",
            classes=("0", "1"),
            frames={Split.TEST: frame},
            answers=answers,
            live=other,
            slices=("c", "x0"),
        )
        alarms += [
            finding for finding in run_suite(given, ALL) if finding.status in (Status.FAIL, Status.WARN)
        ]
    assert not [finding for finding in alarms if finding.status is Status.FAIL]
    assert len(alarms) <= 2


ODD = {
    "nan": [float("nan")], "inf": [float("inf"), 1.0], "null": [None], "text": ["a", "", None], "truth": [True, False],
    "list": [[1.0, 2.0]], "date": [dt.date(2024, 1, 1)], "while": [dt.timedelta(1)], "big": [2**62], "tiny": [1e-300, 2e-300],
    "huge": [1e200, -1e200], "constant": [1.0],
}  # fmt: skip


@pytest.mark.parametrize("rows", [1, 2, 60])
@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("labels", [[0, 1], [1], [0, 1, 2], [None], [0.5, 1.5, -3.0]])
def test_odd_tables_never_break_a_check(rows, task, labels):
    """Whatever a table holds, each check ends in findings of its own; none stops with an exception of Python."""
    columns = {name: (values * rows)[:rows] for name, values in ODD.items()}
    frame = pl.DataFrame({**columns, "y": pl.Series((labels * rows)[:rows], dtype=pl.Float64)})
    score = np.random.default_rng(0).random((3, rows))
    made = [
        Answers(class_names((s > 0.5) * 1), s) if task is Task.CLASSIFICATION else Answers(s, s)
        for s in score
    ]
    given = Evidence(
        task=task, inputs=tuple(ODD), frames={Split.TRAIN: frame, Split.TEST: frame}, target="y", time="date", key="big",
        answers={Split.TRAIN: made[0], Split.TEST: made[1]}, live={Split.TEST: made[2]}, known_at={"tiny": "date"},
        slices=("text", "huge", "truth", "null"), protected=("inf",), classes=("0", "1"), positive="1",
    )  # fmt: skip
    findings = run_suite(given, ALL)
    assert not [finding.headline for finding in findings if "stopped with" in finding.headline]
    assert {finding.check for finding in findings} == set(ALL)
