"""Random small pipelines on random rows: compiled to the bit, or refused with a reason; never silently wrong."""

from __future__ import annotations

import warnings
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier
from tests.runner.convert_world import columns_of, compiled, edges

from lockgate.errors import Unavailable
from lockgate.inference.parity import TOLERANCE, compare, parity_groups, prove
from lockgate.runner.convert.writing import CannotConvert

ROWS = 160
SHORT, LONG = 16, 400
Chance = np.random.Generator


def picked(chance: Chance, choices: list[Any]) -> Any:
    """One of several."""
    return choices[int(chance.integers(len(choices)))]


def random_rows(chance: Chance) -> pd.DataFrame:
    """One to four columns of numbers of any scale, none to two of text, each with or without missing values."""
    frame = pd.DataFrame(index=range(ROWS))
    for place in range(int(chance.integers(1, 5))):
        kind = picked(chance, ["normal", "whole", "huge", "tiny", "ties"])
        values = {
            "normal": chance.normal(size=ROWS), "whole": chance.integers(-3, 9, ROWS).astype(float),
            "huge": chance.normal(size=ROWS) * 1e12, "tiny": chance.exponential(1e-9, ROWS),
            "ties": np.round(chance.normal(size=ROWS), 1),
        }[kind]  # fmt: skip
        if chance.random() < 0.35:
            values[chance.random(ROWS) < 0.2] = np.nan
        frame[f"n{place}"] = values
    for place in range(int(chance.integers(0, 3))):
        letters = [f"v{number}" for number in range(int(chance.integers(2, 9)))] + ["nan", "a b", ""]
        values = chance.choice(letters, ROWS).astype(object)
        if chance.random() < 0.4:
            values[chance.random(ROWS) < 0.15] = np.nan
        frame[f"t{place}"] = values
    return frame


def random_preparation(chance: Chance) -> Any:
    """A ColumnTransformer over numbers and texts."""
    numbers = [picked(chance, [SimpleImputer(strategy=picked(chance, ["mean", "median", "most_frequent"]), add_indicator=True),
                               SimpleImputer(strategy="constant", fill_value=-1.5), "passthrough"]),
               picked(chance, [StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler(), "passthrough"]),
               picked(chance, ["passthrough", "passthrough", PolynomialFeatures(2), PCA(1),
                               KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf")])]  # fmt: skip
    encoder = picked(chance, [
        OneHotEncoder(handle_unknown=picked(chance, ["ignore", "error", "infrequent_if_exist"]),
                      min_frequency=picked(chance, [None, 15]), drop=picked(chance, [None, "first"])),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2,
                       max_categories=picked(chance, [None, 4])),
    ])  # fmt: skip
    texts = make_pipeline(SimpleImputer(strategy=picked(chance, ["most_frequent", "constant"])), encoder)
    return ColumnTransformer(
        [("n", make_pipeline(*numbers), make_column_selector(dtype_include="number")),
         ("t", picked(chance, [texts, encoder]), make_column_selector(dtype_exclude="number"))],
        remainder="drop", sparse_threshold=0.0,
    )  # fmt: skip


def random_model(chance: Chance) -> tuple[Any, str]:
    """An estimator and what it predicts."""
    return picked(chance, [
        (LogisticRegression(max_iter=60), "classes"), (SGDClassifier(loss="log_loss"), "classes"), (Ridge(), "number"),
        (DecisionTreeClassifier(max_depth=5), "classes"), (RandomForestClassifier(6), "classes"),
        (RandomForestClassifier(5, max_depth=3), "classes"), (RandomForestRegressor(6), "number"),
        (ExtraTreesRegressor(5), "number"), (GradientBoostingClassifier(n_estimators=4), "classes"),
        (HistGradientBoostingClassifier(max_iter=4), "classes"), (GaussianNB(), "classes"),
        (xgb.XGBClassifier(n_estimators=4, n_jobs=1), "classes"), (xgb.XGBRegressor(n_estimators=4, n_jobs=1), "number"),
        (lgb.LGBMClassifier(n_estimators=4, n_jobs=1, verbose=-1), "classes"),
        (lgb.LGBMRegressor(n_estimators=4, n_jobs=1, verbose=-1, zero_as_missing=bool(chance.random() < 0.3)), "number"),
    ])  # fmt: skip


def random_pipeline(seed: int) -> tuple[Any, pd.DataFrame] | None:
    """A fitted pipeline and its rows; None when these rows cannot train it."""
    chance = np.random.default_rng(seed)
    frame = random_rows(chance)
    model, kind = random_model(chance)
    steps = [random_preparation(chance)]
    if chance.random() < 0.2:
        steps.append(SelectKBest(k=1))
    score = chance.normal(size=ROWS) / 2 + np.nan_to_num(frame["n0"].rank().to_numpy()) / ROWS
    answers = (
        score
        if kind == "number"
        else np.digitize(score, np.quantile(score, picked(chance, [[0.5], [0.3, 0.7]])))
    )
    model.set_params(**{"random_state": 0} if "random_state" in model.get_params() else {})
    if kind == "classes" and (more := np.random.default_rng([seed, 1])).random() < 0.25:
        model = CalibratedClassifierCV(
            model, cv=2, method=picked(more, ["isotonic", "isotonic", "sigmoid", "temperature"])
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make_pipeline(*steps, model).fit(frame, answers), frame
    except (ValueError, IndexError):  # KBinsDiscretizer of nothing is an IndexError
        return None


def fate(seed: int) -> str:
    """`cannot be trained`, `compiled` or `refused`; fails where a graph and its model differ beyond the tolerance."""
    made = random_pipeline(seed)
    if made is None:
        return "cannot be trained"
    fitted, frame = made
    try:
        graph, signature, answer, original = compiled(fitted, frame)
    except (CannotConvert, Unavailable) as error:
        return "refused" if str(error) else "refused without a reason"
    proof = prove(original, graph.answer, parity_groups(signature, columns_of(frame)), answer)
    if proof.reason is not None:
        # only another converter's graphs may be wrong, and parity has told
        assert isinstance(fitted[-1], GaussianNB), f"seed {seed}: {proof.reason}: {fitted}"
        return "refused"
    if not isinstance(fitted[-1], GaussianNB):
        hard = columns_of(edges(frame, seed))
        found = compare(original(hard), graph.answer(hard), answer)
        assert found.largest <= TOLERANCE, f"seed {seed}: {found}: {fitted}"
    return "compiled"


def count(seeds: range) -> dict[str, int]:
    """How many came to which end."""
    ends = [fate(seed) for seed in seeds]
    return {end: ends.count(end) for end in sorted(set(ends))}


def test_random_pipelines() -> None:
    """A few of them; most compile."""
    found = count(range(SHORT))
    assert found["compiled"] > SHORT / 2
    assert "refused without a reason" not in found


@pytest.mark.faults
def test_many_random_pipelines() -> None:
    """Hundreds of them."""
    found = count(range(1000, 1000 + LONG))
    print(found)
    assert found["compiled"] > LONG / 2
    assert "refused without a reason" not in found
