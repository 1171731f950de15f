"""Models that remember names get the bare matrix only where it is proven to give the same answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from lightgbm import LGBMClassifier
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from xgboost import XGBClassifier

from lockgate.runner.columns import Block
from lockgate.runner.estimator import Estimator

NAMES = ("age", "income", "debts")


def people(rows: int = 80) -> pd.DataFrame:
    """Rows of three numbers."""
    return pd.DataFrame(np.random.default_rng(4).normal(size=(rows, 3)), columns=NAMES)


def loaded(model: Any, frame: pd.DataFrame) -> Estimator:
    """The model fitted on a frame, as a runner holds it."""
    fitted = model.fit(frame, (frame["age"] + frame["debts"] > 0).astype(int))
    return Estimator(
        fitted, "sklearn", [{"name": name, "datatype": "FP64", "shape": []} for name in frame.columns]
    )


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), LogisticRegression()),
        RandomForestClassifier(n_estimators=5),
        LGBMClassifier(n_estimators=5, verbose=-1),
    ],
    ids=["pipeline", "forest", "lightgbm"],
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_the_matrix_gives_the_same_answers(model: Any) -> None:
    """Models of known libraries answer the bare matrix as they answer the frame, bit by bit."""
    frame = people()
    runner = loaded(model, frame)
    block = Block(NAMES, frame.to_numpy().T)
    first, second = runner.answer_block(block), runner.answer_block(block)
    assert first is not None
    assert second is not None
    assert runner._nameless is True
    expected = runner.fitted.predict_proba(frame)
    assert first["probability"].tobytes() == second["probability"].tobytes() == expected.tobytes()


def by_income(frame: pd.DataFrame) -> pd.DataFrame:
    """A step that looks at names."""
    return frame[["income", "age", "debts"]]


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(ColumnTransformer([("scale", StandardScaler(), ["age"])]), LogisticRegression()),
        make_pipeline(FunctionTransformer(by_income), LogisticRegression()),
        make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
    ],
    ids=["columns by name", "own function", "frames between steps"],
)
def test_models_that_need_names_get_them(model: Any) -> None:
    """A step that picks columns by name keeps its frame."""
    frame = people()
    runner = loaded(model, frame)
    block = Block(NAMES, frame.to_numpy().T)
    first, second = runner.answer_block(block), runner.answer_block(block)
    assert first is not None
    assert second is None
    assert runner._nameless is False
    assert first["probability"].tolist() == runner.fitted.predict_proba(frame).tolist()


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_one_that_refuses_the_matrix_is_left_alone() -> None:
    """XGBoost either takes the bare matrix with the same answers or keeps its frame; it never answers otherwise."""
    frame = people()
    runner = loaded(XGBClassifier(n_estimators=5), frame)
    block = Block(NAMES, frame.to_numpy().T)
    for _ in range(2):
        answered = runner.answer_block(block)
        if answered is not None:
            assert answered["probability"].tolist() == runner.fitted.predict_proba(frame).tolist()
    assert runner._nameless is not None


def test_numbers_that_are_categories_keep_their_frame() -> None:
    """A first row that answers alike both ways proves nothing for LightGBM's categories: 20 is the second, not the number."""
    rng = np.random.default_rng(0)
    kind, age = rng.choice([10.0, 20.0, 30.0], 2000), rng.normal(size=2000)
    frame = pd.DataFrame({"age": age, "kind": pd.Categorical(kind)})
    fitted = LGBMClassifier(n_estimators=20, verbose=-1).fit(frame, (kind == 20) & (age > 0))
    runner = Estimator(
        fitted, "sklearn", [{"name": name, "datatype": "FP64", "shape": []} for name in frame.columns]
    )
    runner.answer_block(Block(("age", "kind"), np.array([[-3.0], [10.0]])))
    columns = {"age": np.ones(3), "kind": np.array([10.0, 20.0, 30.0])}
    answered = runner.answer_block(Block(("age", "kind"), np.array([*columns.values()])))
    expected = runner.answer(columns)
    assert expected["prediction"].tolist() == [False, True, False]
    assert answered is None or answered["prediction"].tolist() == expected["prediction"].tolist()


def test_other_columns_are_not_taken_for_the_matrix() -> None:
    """Another order, text or more dimensions go the ordinary way."""
    runner = loaded(LogisticRegression(), people())
    assert runner.answer_block(Block(("income", "age", "debts"), np.zeros((3, 2)))) is None
    assert runner.answer_block(Block(NAMES, np.zeros((3, 2, 2)))) is None
    assert runner.answer_block(Block(NAMES, np.full((3, 2), "x", dtype=object))) is None
