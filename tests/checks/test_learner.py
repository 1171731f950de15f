"""The version's own algorithm, trained again in a confined runner: what scikit-learn itself would answer."""

from __future__ import annotations

import sys
from pathlib import Path

import joblib
import msgspec
import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lockgate.checks.asking import Broker
from lockgate.checks.back_test.check import run as back_test
from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.fit.check import run as fit
from lockgate.checks.learner import Learner, can_learn
from lockgate.checks.running.local import LocalProcesses
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

INPUTS = ("a", "b", "c")
FIELDS = tuple(Field(name=name, datatype=DataType.FP64) for name in INPUTS)


def table(rows: int, seed: int, classes: bool = True) -> pl.DataFrame:
    """Three numbers and what comes of them; a month for every 200 rows."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, 3))
    lean = values @ [1.5, -1.0, 0.0] + draw.normal(size=rows)
    frame = pl.DataFrame(dict(zip(INPUTS, values.T, strict=True)))
    month = pl.Series([f"2025-{1 + place * 8 // rows:02}-15" for place in range(rows)])
    return frame.with_columns(
        y=pl.Series(np.where(lean > 0, "yes", "no")) if classes else pl.Series(lean), at=month
    )


def sealed(folder: Path, model: object, task: Task = Task.CLASSIFICATION) -> tuple[Manifest, Learner]:
    """A model's file as it lies in a package, and who trains it again."""
    (folder / "model").mkdir()
    joblib.dump(model, folder / "model/model.joblib")
    classifies = task is Task.CLASSIFICATION
    manifest = Manifest(
        framework=Framework.SKLEARN, task=task, model_path="model/model.joblib", compiled=Compiled(),
        signature=Signature(inputs=FIELDS, outputs=()), python=f"{sys.version_info.major}.{sys.version_info.minor}",
        answer=Answer(prediction="prediction", probability="probability" if classifies else None,
                      classes=("no", "yes") if classifies else None, positive="yes" if classifies else None),
    )  # fmt: skip
    return manifest, Learner(manifest, folder, lambda: Path(sys.executable))


def taught(learner: Learner, train: pl.DataFrame, test: pl.DataFrame) -> Answers:
    """Answers to `test` after learning `train`, as checks ask for them."""
    broker = Broker({}, others={Asked.RELEARNED: learner})
    evidence = Evidence(task=Task.CLASSIFICATION, inputs=INPUTS, frames={}, ask=broker.ask, learns=True)
    return evidence.relearned(train, train["y"].to_numpy(), test)


@pytest.mark.parametrize("searched", [False, True])
def test_it_is_scikit_learns_own_clone(tmp_path, searched):
    """A pipeline (and what a search had chosen) learns other rows and answers as its clone does; then others again."""
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    if searched:
        model = GridSearchCV(model, {"logisticregression__C": [0.01]}, cv=2)
    first, other, test = table(400, 0), table(300, 1), table(100, 2)
    model.fit(first.select(INPUTS).to_numpy(), first["y"].to_numpy())
    manifest, learner = sealed(tmp_path, model)
    assert can_learn(manifest)
    plain = getattr(model, "best_estimator_", model)
    for rows in (other, first[:250]):
        expected = clone(plain).fit(rows.select(INPUTS).to_numpy(), rows["y"].to_numpy())
        made = taught(learner, rows, test)
        wide = expected.predict_proba(test.select(INPUTS).to_numpy())
        assert made.probabilities == pytest.approx(wide)
        assert made.scores == pytest.approx(wide[:, 1])
        assert made.decisions.tolist() == expected.predict(test.select(INPUTS).to_numpy()).tolist()
    with pytest.raises(InvalidInput, match="does not know"):
        taught(learner, other.with_columns(y=pl.lit("perhaps")), test)
    with pytest.raises(PredictionFailed, match=r"one class|least 2 classes"):
        taught(learner, other.with_columns(y=pl.lit("yes")), test)
    learner.close()
    learner.close()


def test_who_cannot_learn_is_known_before(tmp_path):
    """A graph or a function cannot; neither can a classifier whose classes nobody knows."""
    manifest, _ = sealed(tmp_path, LogisticRegression())
    changed = msgspec.structs.replace
    assert not can_learn(changed(manifest, framework=Framework.ONNX, model_path="model/model.onnx"))
    assert not can_learn(changed(manifest, framework=Framework.PYTHON))
    assert not can_learn(changed(manifest, answer=Answer(prediction="prediction")))


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory):
    """A version whose months drift: evidence with a broker that can train it again."""
    train, test = table(1_200, 0), table(1_600, 1)
    model = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    model.fit(train.select(INPUTS).to_numpy(), train["y"].to_numpy())
    _, learner = sealed(tmp_path_factory.mktemp("package"), model)

    def answers(frame: pl.DataFrame) -> Answers:
        wide = model.predict_proba(frame.select(INPUTS).to_numpy())
        return Answers(np.array(["no", "yes"], dtype=object)[wide.argmax(axis=1)], wide[:, 1], wide)

    broker = Broker({}, others={Asked.RELEARNED: learner, Asked.VERSION: lambda frame, _: answers(frame)})
    evidence = Evidence(
        task=Task.CLASSIFICATION, inputs=INPUTS, target="y", time="at", classes=("no", "yes"), positive="yes",
        frames={Split.TRAIN: train, Split.TEST: test}, learns=True, ask=broker.ask,
        answers={Split.TRAIN: answers(train), Split.TEST: answers(test)},
    )  # fmt: skip
    yield evidence, broker
    learner.close()


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in findings}


def test_the_learning_curve_is_the_versions_own(forest):
    """Its own algorithm after 150, 300, 600 and 1,200 rows; the same through checking processes; honest: no alarm."""
    evidence, broker = forest
    found = by_subject(fit(evidence))
    curve = found["learning curve"]
    assert "the version's own algorithm" in curve.headline
    assert [row[0] for row in curve.table.rows] == [150, 300, 600, 1_200]
    assert {finding.status for finding in found.values()} == {Status.PASS}
    ran = LocalProcesses(processes=1).run(evidence, ["fit"], broker, lambda _: None)
    assert by_subject(ran[0].findings)["learning curve"].table == curve.table


def test_retraining_is_that_of_its_own_algorithm(forest, monkeypatch):
    """The windows are answered by its own algorithm kept fresh; where that takes too long a plain model is said to be it."""
    evidence, _ = forest
    found = by_subject(back_test(evidence))
    assert "Its own algorithm, trained again before each window" in found["retraining"].headline
    monkeypatch.setattr("lockgate.checks.back_test.reference.OWN_S", 0.0)
    found = by_subject(back_test(evidence))
    assert found["retraining"].headline.startswith("A plain model")
    assert "more than 0 seconds" in found["retraining"].headline


def test_numbers_are_learned_too(tmp_path):
    """A regression trained again answers as its clone."""
    train, test = table(300, 3, classes=False), table(50, 4, classes=False)
    model = Ridge(alpha=3.0).fit(table(300, 5).select(INPUTS).to_numpy(), np.zeros(300))
    _, learner = sealed(tmp_path, model, Task.REGRESSION)
    made = taught(learner, train, test)
    expected = clone(model).fit(train.select(INPUTS).to_numpy(), train["y"].to_numpy())
    assert made.decisions == pytest.approx(expected.predict(test.select(INPUTS).to_numpy()))
    learner.close()
