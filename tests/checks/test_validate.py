"""Validating real sealed packages: compiled graphs asked through the executor that serves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression, LogisticRegression

import lockgate.checks.gather as checks_gather
import lockgate.checks.loading as checks_loading
from lockgate.blobs import Blobs
from lockgate.checks.asking import Broker, answer_rows
from lockgate.checks.evidence import Asked, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.gather import gather, no_inputs
from lockgate.checks.loading import load_tables
from lockgate.checks.running.pool import Here, Pool
from lockgate.checks.suite import checks_of
from lockgate.checks.validate import plan, validate
from lockgate.config import EnvironmentConfig, Goal, Home, ModelConfig
from lockgate.datasets.columns import infer_fields
from lockgate.datasets.dataset import store_dataset
from lockgate.errors import InvalidInput
from lockgate.inference.executor import Executor
from lockgate.inference.open import open_model
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import seal
from lockgate.registry.signature import DataType, Field, Signature

LOAN_INPUTS = ["car_value", "debt_to_income_ratio", "driver_tenure"]
SETTINGS = ModelConfig(target="repaid", time="timestamp", key="id", goal=Goal(metric="roc_auc", at_least=0.7))


def sealed(
    home: Home, folder: Path, frame: pl.DataFrame, inputs: list[str], target: str, rows: int = 4_000
) -> Executor:
    """Train on the first rows, convert to ONNX with one vector input, seal, open."""
    matrix = frame[:rows].select(inputs).to_numpy().astype(np.float32)
    centred = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    regression = frame[target].n_unique() > 10
    model = LinearRegression() if regression else LogisticRegression()
    truth = frame[target][:rows].to_numpy()
    model.fit(centred, truth if regression else truth.astype(int))
    # the scaling is folded into the weights, so that the graph takes raw columns
    raw = model.coef_ / matrix.std(axis=0)
    model.intercept_ = model.intercept_ - (raw * matrix.mean(axis=0)).sum(axis=-1)
    model.coef_ = raw
    graph = to_onnx(model, matrix[:1], options={} if regression else {"zipmap": False})
    (folder / "model").mkdir(parents=True)
    (folder / "model/model.onnx").write_bytes(graph.SerializeToString())
    names = [output.name for output in graph.graph.output]
    outputs = (
        (Field(name=names[0], datatype=DataType.FP32, shape=(1,)),)
        if regression
        else (
            Field(name=names[0], datatype=DataType.INT64),
            Field(name=names[1], datatype=DataType.FP32, shape=(2,)),
        )
    )
    manifest = Manifest(
        framework=Framework.ONNX,
        task=Task.REGRESSION if regression else Task.CLASSIFICATION,
        signature=Signature(
            inputs=(Field(name="X", datatype=DataType.FP32, shape=(len(inputs),)),), outputs=outputs
        ),
        answer=Answer(prediction=names[0])
        if regression
        else Answer(prediction=names[0], probability=names[1], classes=(0, 1)),
        model_path="model/model.onnx",
        compiled=Compiled(reason="is a graph itself"),
        python="3.11",
    )
    digest, _ = seal(folder, manifest)
    return open_model(folder, digest, home=home, environment=EnvironmentConfig())


@pytest.fixture
def loans_model(home, tmp_path, car_loan):
    """A sealed logistic regression on car loans."""
    executor = sealed(home, tmp_path / "package", car_loan, LOAN_INPUTS, "repaid")
    yield executor
    executor.close()


def frames_of(frame: pl.DataFrame, columns: list[str]) -> dict[Split, pl.DataFrame]:
    """Training and test rows in time order."""
    kept = frame.select(columns)
    return {Split.TRAIN: kept[:4_000], Split.TEST: kept[4_000:7_000]}


def validated(
    executor: Executor,
    frames: dict[Split, pl.DataFrame],
    settings: ModelConfig,
    *,
    suite: str = "low",
    required: tuple[str, ...] = (),
    live: Executor | None = None,
    pool: Pool | None = None,
    **watching: Any,
) -> list[Finding]:
    """Ask the models, run the suite in this process, and return its findings."""
    evidence = gather(executor, frames, settings, live=live, live_name="loans/1" if live else None,
                      progress=watching.get("progress"))  # fmt: skip
    broker = Broker({Asked.VERSION: lambda: executor})
    return list(
        validate(evidence, checks_of(suite), pool or Here(), broker=broker, required=required).findings
    )


def by_subject(findings: list[Finding]) -> dict[tuple[str, str], Finding]:
    """Findings by check and subject."""
    return {(finding.check, finding.subject): finding for finding in findings}


LOAN_COLUMNS = ["id", "timestamp", *LOAN_INPUTS, "repaid"]


def test_a_sealed_model_is_asked_and_judged(loans_model, car_loan):
    """A real package goes through every check; progress names what is done; the goal is met; nothing blocks."""
    told = []
    findings = validated(
        loans_model,
        frames_of(car_loan, LOAN_COLUMNS),
        SETTINGS,
        required=("performance", "leakage"),
        live=loans_model,
        progress=lambda what, done, of: told.append((what, done, of)),
    )
    found = by_subject(findings)
    assert found["performance", "ROC AUC"].status is Status.PASS
    assert "as good as loans/1" in found["performance", "against loans/1"].headline
    assert found["prediction_shift", "against loans/1"].headline.startswith("0.0 % of 3,000 decisions differ")
    assert not any(finding.blocking for finding in findings)
    assert ("answers on test rows", 3_000, 3_000) in told


def test_a_goal_that_is_missed_blocks(loans_model, car_loan):
    """A required check that fails blocks; the same without the requirement does not."""
    high = ModelConfig(
        target="repaid", goal=Goal(metric="roc_auc", at_least=0.99), key="id", time="timestamp"
    )
    frames = frames_of(car_loan, LOAN_COLUMNS)
    assert validated(loans_model, frames, high, required=("performance",))[0].blocking
    assert not any(f.blocking for f in validated(loans_model, frames, high))


def test_the_bike_leak_blocks_and_is_named(home, tmp_path, bikes):
    """A regression on columns that add up to the target is refused by name, however good its figures."""
    inputs = ["temp", "hum", "casual", "registered"]
    executor = sealed(home, tmp_path / "package", bikes, inputs, "cnt")
    findings = validated(
        executor,
        frames_of(bikes, ["dteday", *inputs, "cnt"]),
        ModelConfig(target="cnt", time="dteday"),
        required=("leakage", "performance"),
    )
    executor.close()
    assert findings[0].blocking
    assert "casual + registered" in findings[0].headline
    assert by_subject(findings)["performance", "mean absolute error"].measure.value < 0.1


def test_a_table_that_does_not_fit_is_a_reason(loans_model, car_loan):
    """Another number of columns: the checks that need answers could not run, say why, and block where required."""
    frames = frames_of(car_loan, [*LOAN_COLUMNS, "size_of_downpayment", "loan_length"])
    findings = by_subject(validated(loans_model, frames, SETTINGS, required=("performance",)))
    finding = findings["performance", "the whole check"]
    assert finding.status is Status.COULD_NOT_RUN
    assert finding.blocking
    assert "takes 3 numbers a row" in finding.headline


def test_a_live_version_that_cannot_answer_is_said(home, tmp_path, loans_model, car_loan):
    """The live version takes other columns: its comparison could not run, the rest did."""
    other = sealed(
        home,
        tmp_path / "live",
        car_loan.with_columns(z=pl.col("car_value") + 1),
        [*LOAN_INPUTS, "z"],
        "repaid",
    )
    findings = by_subject(
        validated(
            loans_model,
            frames_of(car_loan, LOAN_COLUMNS),
            SETTINGS,
            live=other,
        )
    )
    other.close()
    assert "The live version did not answer" in findings["prediction_shift", "against loans/1"].headline
    assert findings["performance", "ROC AUC"].status is Status.PASS


def test_the_plan_comes_before_any_work(loans_model, car_loan):
    """What cannot run is known from tables and settings alone; wrong settings are refused there."""
    frames = frames_of(car_loan, LOAN_COLUMNS)
    first = {"quality", "leakage", "performance", "prediction_shift"}
    whole = {planned.check: planned.runs for planned in plan(loans_model.manifest, frames, SETTINGS, "low")}
    assert all(whole[name] for name in first)
    bare = {planned.check: planned.runs for planned in plan(loans_model.manifest, {}, SETTINGS, "low")}
    assert not any(bare[name] for name in first)
    with pytest.raises(InvalidInput, match=r"checks\.performance"):
        plan(loans_model.manifest, frames, ModelConfig(checks={"performance": {"minimum": 1}}), "low")
    with pytest.raises(InvalidInput, match="only a model that answers numbers"):
        plan(loans_model.manifest, frames, ModelConfig(target="repaid", quantile=0.9), "low")


def test_no_data_at_all_blocks_what_is_required(loans_model):
    """Without a table nothing can be judged, and a required check says that it was not."""
    findings = validated(loans_model, {}, SETTINGS, required=("performance",))
    assert [finding.check for finding in findings if finding.blocking] == ["performance"]
    assert {finding.status for finding in findings} == {Status.COULD_NOT_RUN}


def test_answers_are_those_of_the_model(loans_model, car_loan):
    """Scores and decisions of more rows than one chunk equal one direct call."""
    frame = car_loan.select(LOAN_COLUMNS)[:9_000]
    answers = answer_rows(loans_model, frame, ["id", "timestamp", "repaid"])
    matrix = frame.select(LOAN_INPUTS).to_numpy().astype(np.float32)
    direct = loans_model.predict({"X": matrix})
    assert np.array_equal(answers.scores, direct[loans_model.manifest.answer.probability][:, 1].astype(float))
    assert np.array_equal(answers.decisions, direct[loans_model.manifest.answer.prediction].astype(str))


def test_tables_come_from_the_store(blobs: Blobs, car_loan):
    """Stored tables are loaded by their digests; a split that there is not is refused."""
    stored = store_dataset(blobs, car_loan[:100])
    loaded = load_tables(blobs, {"test": stored.digest})
    assert loaded.frames[Split.TEST].equals(car_loan[:100])
    assert loaded.whole == {}
    with pytest.raises(InvalidInput, match="train, validation, test"):
        load_tables(blobs, {"exam": stored.digest})
    assert infer_fields(car_loan[:10], ["repaid"])[0].datatype is DataType.FP64


def test_a_large_table_is_sampled_and_says_so(blobs, loans_model, car_loan, monkeypatch):
    """More rows than are read: the same sample each time, of which the findings are, with its error in words.

    A stored table gives the very rows that the same table in memory does, and its training table is sampled as well.
    """
    monkeypatch.setattr(checks_loading, "MOST_ROWS", 1_000)
    monkeypatch.setattr(checks_gather, "MOST_ROWS", 1_000)
    frames = frames_of(car_loan, LOAN_COLUMNS)
    one, two = (gather(loans_model, frames, SETTINGS) for _ in range(2))
    tables = load_tables(
        blobs, {str(split): store_dataset(blobs, frame).digest for split, frame in frames.items()}
    )
    stored = gather(loans_model, tables.frames, SETTINGS, whole=tables.whole)
    assert one.frames[Split.TEST].height == one.answers[Split.TEST].decisions.size == 1_000
    for split in frames:
        assert one.frames[split].equals(two.frames[split])
        assert one.frames[split].equals(stored.frames[split])
    assert (stored.samples, stored.whole) == (one.samples, one.whole)
    assert one.whole == {str(split): frame.height for split, frame in frames.items() if frame.height > 1_000}
    assert not one.frames[Split.TEST].equals(
        gather(loans_model, frames, msgspec.structs.replace(SETTINGS, seed=1)).frames[Split.TEST]
    )
    found = validate(one, ("quality",), Here()).findings
    said = next(each.headline for each in found if each.subject == "sample of test")
    assert said == "On a sample of 1,000 of 3,000 rows: shares are exact to 2.5 %."
    assert one.answered == {}
    assert one.answered_truth(Split.TEST).size == 1_000


def test_further_columns_are_no_inputs_of_a_vector(home, tmp_path, car_loan):
    """A protected column that the model does not take is left out of "all numbers", and stays in the table for the checks."""
    executor = sealed(home, tmp_path / "package", car_loan, LOAN_INPUTS, "repaid")
    frames = frames_of(car_loan.with_columns(women=pl.col("loan_length") % 2), [*LOAN_COLUMNS, "women"])
    settings = msgspec.structs.replace(SETTINGS, protected=("women",))
    evidence = gather(executor, frames, settings)
    executor.close()
    assert evidence.failures == {}
    assert evidence.inputs == tuple(LOAN_INPUTS)
    assert "women" in evidence.frames[Split.TEST].columns
    assert no_inputs(SETTINGS, executor.manifest, frames) == {"id", "timestamp", "repaid"}
