"""Our own writers of graphs: every family compiles to the bit where it can be, refuses with a reason where it cannot."""

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
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.runner.convert_world import columns_of, compiled, edges

from lockgate.errors import PredictionFailed
from lockgate.inference.parity import parity_groups, prove
from lockgate.runner.convert.writing import CannotConvert

NUMBERS, TEXTS = ["a", "b", "c", "d"], ["t", "u"]
ROWS = 240
EXACT = 1e-9  # of double sums in another order


def rows(seed: int = 0, *, gaps: bool = False) -> pd.DataFrame:
    """Numbers (one of whole, one of large, one of small values) and texts, some missing where `gaps`."""
    chance = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "a": chance.normal(size=ROWS), "b": chance.integers(0, 6, ROWS).astype(float),
        "c": chance.gamma(2.0, 1e4, ROWS), "d": chance.uniform(0, 1e-3, ROWS),
        "t": chance.choice(["red", "green", "blue", "nan", "é"], ROWS, p=[0.4, 0.3, 0.2, 0.07, 0.03]).astype(object),
        "u": chance.choice(["x", "y", "z"], ROWS).astype(object),
    })  # fmt: skip
    if gaps:
        for name in ("a", "c", "t"):
            frame.loc[chance.random(ROWS) < 0.15, name] = np.nan
    return frame


def target(frame: pd.DataFrame, kind: str) -> Any:
    """What to predict: `two` or `three` classes, `names`, `number` or `count`."""
    score = (
        np.nan_to_num(frame.a) + frame.b / 3 + np.log1p(np.nan_to_num(frame.c)) / 4 + (frame.u == "x")
    ).to_numpy()
    score = score + np.random.default_rng(1).normal(size=len(frame)) / 2
    if kind == "number":
        return score
    if kind == "count":
        return np.floor(np.abs(score))
    cut = np.quantile(score, [0.55] if kind == "two" else [0.3, 0.7])
    classes = np.digitize(score, cut)
    return np.array(["no", "perhaps", "yes"])[classes] if kind == "names" else classes


def assert_equal(
    fitted: Any, frame: pd.DataFrame, tolerance: float = EXACT, *, extremes: bool = True
) -> None:
    """Parity on everything that parity asks, and on rows at the edges."""
    graph, signature, answer, original = compiled(fitted, frame)
    proof = prove(original, graph.answer, parity_groups(signature, columns_of(frame)), answer, tolerance)
    assert proof.reason is None
    if extremes:
        hard = columns_of(edges(frame))
        left, right = original(hard), graph.answer(hard)
        for name, values in left.items():
            if values.dtype.kind == "f":
                scale = np.maximum(1, np.abs(values))
                np.testing.assert_array_less(np.abs(values - right[name]) / scale, max(tolerance, 1e-12))
            else:
                assert (values == right[name]).all()


def mixed(numbers: Any, texts: Any, last: Any) -> Any:
    """A pipeline over numbers and texts."""
    return make_pipeline(ColumnTransformer([("n", numbers, NUMBERS), ("t", texts, TEXTS)]), last)


TREES: dict[str, tuple[Any, str, bool]] = {
    "tree": (DecisionTreeClassifier(random_state=0), "three", True),
    "tree of numbers": (DecisionTreeRegressor(random_state=0), "number", True),
    "forest of two": (RandomForestClassifier(15, random_state=0), "two", True),
    "shallow forest": (RandomForestClassifier(15, max_depth=4, random_state=0), "two", True),
    "forest of names": (RandomForestClassifier(15, max_depth=5, random_state=0), "names", True),
    "forest of numbers": (RandomForestRegressor(15, random_state=0), "number", True),
    "extra trees": (ExtraTreesClassifier(15, min_samples_leaf=3, random_state=0), "three", True),
    "extra trees of numbers": (ExtraTreesRegressor(15, random_state=0), "number", True),
    "boosting of two": (GradientBoostingClassifier(n_estimators=12), "two", False),
    "boosting of three": (GradientBoostingClassifier(n_estimators=8), "names", False),
    "exponential boosting": (GradientBoostingClassifier(n_estimators=12, loss="exponential"), "two", False),
    "boosting of numbers": (GradientBoostingRegressor(n_estimators=12), "number", False),
    "histogram of two": (HistGradientBoostingClassifier(max_iter=8), "two", True),
    "histogram of three": (HistGradientBoostingClassifier(max_iter=6), "names", True),
    "histogram of counts": (HistGradientBoostingRegressor(max_iter=8, loss="poisson"), "count", True),
    "one leaf": (DecisionTreeRegressor(max_depth=1, min_samples_leaf=200), "number", True),
}  # fmt: skip


def prepared(last: Any) -> list[tuple[Any, list[str]]]:
    """A model alone, and behind preparations, each with the columns it takes."""
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return [
        (make_pipeline(StandardScaler(), last), NUMBERS),
        (mixed(RobustScaler(), encoder, last), NUMBERS + TEXTS),
        (make_pipeline(SimpleImputer(add_indicator=True), MinMaxScaler(), last), NUMBERS),
        (last, NUMBERS),
    ]


@pytest.mark.parametrize("name", TREES)
def test_trees_are_exact(name: str) -> None:
    """Behind scalers, encoders or imputers in turn; on missing values, exact splits and neighbouring doubles."""
    last, kind, misses = TREES[name]
    model, columns = prepared(last)[list(TREES).index(name) % 3]
    frame = rows(gaps=misses)
    assert_equal(model.fit(frame[columns], target(frame, kind)), frame[columns])


@pytest.mark.faults
@pytest.mark.parametrize("name", TREES)
def test_trees_are_exact_behind_everything(name: str) -> None:
    """Each of them alone and behind every preparation, with missing values and without."""
    last, kind, misses = TREES[name]
    for gaps in (False, True) if misses else (False,):
        frame = rows(gaps=gaps)
        for model, columns in prepared(last):
            assert_equal(model.fit(frame[columns], target(frame, kind)), frame[columns])


BOOSTERS: dict[str, tuple[Any, str]] = {
    "xgboost of two": (xgb.XGBClassifier(n_estimators=8, n_jobs=1), "two"),
    "xgboost of three": (xgb.XGBClassifier(n_estimators=5, n_jobs=1), "three"),
    "xgboost of numbers": (xgb.XGBRegressor(n_estimators=8, n_jobs=1), "number"),
    "xgboost of counts": (xgb.XGBRegressor(n_estimators=8, n_jobs=1, objective="count:poisson"), "count"),
    "xgboost dart": (xgb.XGBClassifier(n_estimators=8, n_jobs=1, booster="dart", rate_drop=0.4), "two"),
    "xgboost forest": (xgb.XGBRFClassifier(n_estimators=8, n_jobs=1), "three"),
    "lightgbm of two": (lgb.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1), "two"),
    "lightgbm of names": (lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), "names"),
    "lightgbm one against all": (
        lgb.LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1, objective="multiclassova"), "three"),
    "lightgbm of numbers": (lgb.LGBMRegressor(n_estimators=8, verbose=-1, n_jobs=1), "number"),
    "lightgbm of roots": (lgb.LGBMRegressor(n_estimators=8, verbose=-1, n_jobs=1, reg_sqrt=True), "number"),
    "lightgbm of counts": (lgb.LGBMRegressor(n_estimators=8, verbose=-1, n_jobs=1, objective="tweedie"), "count"),
    "lightgbm zeros": (lgb.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1, zero_as_missing=True), "two"),
    "lightgbm dart": (lgb.LGBMRegressor(n_estimators=8, verbose=-1, n_jobs=1, boosting_type="dart"), "number"),
    "lightgbm forest": (lgb.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1, boosting_type="rf", bagging_freq=1,
                                           bagging_fraction=0.7), "two"),
}  # fmt: skip


@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters(name: str) -> None:
    """XGBoost (float32 sums: equal up to their rounding) and LightGBM, alone or behind encoders, with missing values."""
    last, kind = BOOSTERS[name]
    tolerance = 2e-6 if name.startswith("xgboost") else EXACT
    frame = rows(gaps=True)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    if list(BOOSTERS).index(name) % 3:
        assert_equal(last.fit(frame[NUMBERS], target(frame, kind)), frame[NUMBERS], tolerance)
    else:
        assert_equal(mixed("passthrough", encoder, last).fit(frame, target(frame, kind)), frame, tolerance)


def as_categories(frame: pd.DataFrame) -> pd.DataFrame:
    """Texts, and the small whole numbers, as pandas categories."""
    return frame.assign(k=frame.b.astype(int)).astype({**dict.fromkeys(TEXTS, "category"), "k": "category"})


@pytest.mark.parametrize(
    ("last", "tolerance"),
    [
        (xgb.XGBClassifier(n_estimators=8, n_jobs=1, enable_categorical=True, max_cat_to_onehot=2), 2e-6),
        (xgb.XGBRegressor(n_estimators=8, n_jobs=1, enable_categorical=True), 2e-6),
        (lgb.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1, min_data_per_group=5, cat_smooth=1), EXACT),
        (HistGradientBoostingClassifier(max_iter=8), EXACT),
    ],
)
def test_pandas_categories(last: Any, tolerance: float) -> None:
    """Categories of text and of whole numbers, missing, each and unknown ones."""
    frame = rows(gaps=True)
    if "XGB" in type(last).__name__:
        frame["t"] = frame["t"].replace("é", "e")  # XGBoost 3.2 cuts texts beyond ASCII; see test_reasons
    learned = as_categories(frame)
    learned = learned.drop(columns="k") if isinstance(last, HistGradientBoostingClassifier) else learned
    fitted = last.fit(learned, target(frame, "number" if "Regressor" in type(last).__name__ else "two"))
    given = frame.assign(k=frame.b.astype(int))[list(learned.columns)]
    assert_equal(fitted, given, tolerance, extremes=False)


LINEAR: dict[str, tuple[Any, str]] = {
    "logistic of two": (LogisticRegression(max_iter=200), "two"),
    "logistic of three": (LogisticRegression(max_iter=200), "names"),
    "least squares": (LinearRegression(), "number"), "ridge": (Ridge(), "number"), "lasso": (Lasso(0.01), "number"),
    "elastic net": (ElasticNet(0.01), "number"), "counts": (PoissonRegressor(), "count"),
    "stochastic": (SGDClassifier(loss="log_loss", random_state=0), "three"),
    "hinge": (SGDClassifier(random_state=0), "two"), "margins": (LinearSVC(), "three"),
    "ridge classes": (RidgeClassifier(), "two"),
    "calibrated": (CalibratedClassifierCV(LinearSVC(), cv=2), "three"),
    "calibrated forest": (CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=2), "two"),
    "curves": (CalibratedClassifierCV(LinearSVC(), cv=2, method="isotonic"), "three"),
    "curves of a forest": (
        CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=3, method="isotonic"), "names"),
    "one curve": (
        CalibratedClassifierCV(GradientBoostingClassifier(n_estimators=5), cv=2, method="isotonic", ensemble=False), "two"),
    "curve of a logistic": (CalibratedClassifierCV(LogisticRegression(), cv=2, method="isotonic"), "two"),
    "temperature": (CalibratedClassifierCV(LogisticRegression(), cv=2, method="temperature"), "three"),
    "temperature of scores": (CalibratedClassifierCV(LinearSVC(), cv=2, method="temperature"), "two"),
    "temperature of shares": (
        CalibratedClassifierCV(RandomForestClassifier(5, random_state=0), cv=2, method="temperature"), "two"),
    "perceptron": (MLPClassifier(hidden_layer_sizes=(5,), max_iter=30, random_state=0), "three"),
    "perceptron of numbers": (MLPRegressor(hidden_layer_sizes=(5, 4), activation="tanh", max_iter=30, random_state=0), "number"),
    "votes": (VotingClassifier([("l", LogisticRegression()), ("t", DecisionTreeClassifier(max_depth=3))], voting="soft",
                               weights=[2, 1]), "names"),
    "hard votes": (VotingClassifier([("l", LogisticRegression()), ("t", DecisionTreeClassifier(max_depth=3)),
                                     ("s", LinearSVC())]), "three"),
    "votes of numbers": (VotingRegressor([("l", Ridge()), ("t", DecisionTreeRegressor(max_depth=3))]), "number"),
    "bags": (BaggingClassifier(DecisionTreeClassifier(max_depth=4), 4, max_features=0.7, random_state=0), "two"),
    "bags of numbers": (BaggingRegressor(Ridge(), 4, random_state=0), "number"),
    "stack": (StackingClassifier([("l", LogisticRegression()), ("s", LinearSVC()), ("t", DecisionTreeClassifier(max_depth=3))],
                                 passthrough=True, cv=2), "names"),
    "stack of numbers": (StackingRegressor([("l", Ridge()), ("t", DecisionTreeRegressor(max_depth=3))], cv=2), "number"),
}  # fmt: skip


@pytest.mark.parametrize("name", LINEAR)
def test_linear_models_and_models_of_models(name: str) -> None:
    """Behind scaled numbers and encoded texts."""
    last, kind = LINEAR[name]
    frame = rows()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rounds of training
        fitted = mixed(StandardScaler(), OneHotEncoder(handle_unknown="ignore"), last).fit(
            frame, target(frame, kind)
        )
    assert_equal(fitted, frame, extremes=name not in ("calibrated forest", "counts"))  # e to the power of 1e9


def test_a_row_that_no_class_wants() -> None:
    """So far out that every class's own probability is 0: all are alike, as scikit-learn says, and none is NaN."""
    frame = rows()[NUMBERS]
    fitted = SGDClassifier(loss="log_loss", random_state=0).fit(frame, target(rows(), "three"))
    lost = np.linalg.lstsq(fitted.coef_, np.full(3, -1e6), rcond=None)[0]
    graph, _, _, original = compiled(fitted, frame)
    far = columns_of(pd.DataFrame([lost], columns=NUMBERS))
    assert original(far)["probability"].tolist() == [[1 / 3] * 3]
    assert graph.answer(far)["probability"].tolist() == [[1 / 3] * 3]


def test_isotonic_curves() -> None:
    """At their points, at the doubles beside them, between them, far beyond, rising, falling and level: to the last bit."""
    chance = np.random.default_rng(3)
    for seed in range(12):
        x = np.round(chance.normal(size=60) * 10.0 ** (seed - 6), seed % 4)
        y = chance.normal(size=60) + (0 if seed == 5 else x / max(1e-9, np.abs(x).max()))
        fitted = IsotonicRegression(out_of_bounds="clip", increasing=seed % 3 > 0).fit(x, y)
        points = fitted.X_thresholds_
        between = points[:-1] + np.diff(points) * chance.random(len(points) - 1)
        asked = np.concatenate(
            [
                points,
                np.nextafter(points, np.inf),
                np.nextafter(points, -np.inf),
                between,
                [0.0, -1e300, 1e300],
            ]
        )
        frame = pd.DataFrame({"x": asked})
        graph, _, _, original = compiled(fitted, frame)
        made, wanted = (ask(columns_of(frame))["prediction"] for ask in (graph.answer, original))
        assert made.tolist() == wanted.tolist(), seed


def test_curves_that_stay() -> None:
    """Without an answer beyond the ends, of 32 bits, and of a fold that did not see every class: each with its reason."""
    frame, two = rows()[NUMBERS], target(rows(), "two")
    with pytest.raises(CannotConvert, match="out_of_bounds='nan'"):
        compiled(IsotonicRegression().fit(frame[["a"]], two), frame[["a"]].clip(-1, 1))
    boosted = CalibratedClassifierCV(xgb.XGBClassifier(n_estimators=3, n_jobs=1), cv=2, method="isotonic")
    with pytest.raises(CannotConvert, match="32 bits"):
        compiled(boosted.fit(frame, two), frame)
    three, every = target(rows(), "three"), np.arange(ROWS)
    folds = [(np.flatnonzero(three < 2), every), (every, every)]
    with pytest.raises(CannotConvert, match="every class"):
        compiled(
            CalibratedClassifierCV(RidgeClassifier(), cv=folds, method="isotonic").fit(frame, three), frame
        )


NUMERIC: dict[str, Any] = {
    "standard": StandardScaler(), "min and max": MinMaxScaler(clip=True), "robust": RobustScaler(), "largest": MaxAbsScaler(),
    "polynomial": PolynomialFeatures(2), "interactions": PolynomialFeatures(3, interaction_only=True, include_bias=False),
    "bins": KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    "bin numbers": KBinsDiscretizer(3, encode="ordinal", quantile_method="averaged_inverted_cdf"),
    "yeo-johnson": PowerTransformer(), "logarithm": make_pipeline(MinMaxScaler(), FunctionTransformer(np.log1p)),
    "expm1": make_pipeline(MinMaxScaler(), FunctionTransformer(np.expm1)), "square": FunctionTransformer(np.square),
    "components": PCA(2, whiten=True), "truncated": TruncatedSVD(2), "unit": Normalizer(),
    "union": FeatureUnion([("s", StandardScaler()), ("p", PCA(1))], transformer_weights={"p": 2.0}),
    "best": SelectKBest(k=2), "varying": VarianceThreshold(1e-5), "nothing": "passthrough",
}  # fmt: skip


@pytest.mark.parametrize("name", NUMERIC)
def test_preparation_of_numbers(name: str) -> None:
    """Before a linear model and before a forest, which would show a split crossed."""
    frame, step = rows()[NUMBERS], NUMERIC[name]
    for last in (LogisticRegression(max_iter=300), RandomForestClassifier(8, random_state=0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = make_pipeline(step, last).fit(frame, target(rows(), "two"))
        curved = name in ("yeo-johnson", "expm1", "components", "truncated", "unit", "union", "logarithm")
        boundless = name in ("yeo-johnson", "expm1")  # infinite at the edges, which scikit-learn refuses
        assert_equal(
            fitted,
            frame,
            extremes=not boundless and not (curved and isinstance(last, RandomForestClassifier)),
        )


TEXTUAL: dict[str, Any] = {
    "strict": OneHotEncoder(), "first dropped": OneHotEncoder(drop="first", handle_unknown="ignore"),
    "binary dropped": OneHotEncoder(drop="if_binary", handle_unknown="ignore"),
    "rare": OneHotEncoder(min_frequency=40, handle_unknown="infrequent_if_exist"),
    "at most two": OneHotEncoder(max_categories=2, handle_unknown="ignore"),
    "rare and dropped": OneHotEncoder(min_frequency=40, drop="first", handle_unknown="infrequent_if_exist"),
    "codes": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    "codes with gaps": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2),
    "strict codes": OrdinalEncoder(encoded_missing_value=-3),
    "rare codes": OrdinalEncoder(min_frequency=40, handle_unknown="use_encoded_value", unknown_value=99,
                                 encoded_missing_value=-1),
    "most frequent": make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
    "constant": make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder(handle_unknown="ignore")),
    "constant, strict": make_pipeline(SimpleImputer(strategy="constant", fill_value="none"), OneHotEncoder()),
}  # fmt: skip


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("name", TEXTUAL)
def test_preparation_of_texts(name: str, gaps: bool) -> None:
    """Each category, missing and unknown ones; a text `nan` is not a missing text; what raises still raises."""
    frame = rows(gaps=gaps)
    numbers = SimpleImputer(strategy="median") if gaps else "passthrough"
    for last in (LogisticRegression(max_iter=100), RandomForestClassifier(8, random_state=0)):
        if name == "codes" and gaps and isinstance(last, LogisticRegression):
            continue  # missing texts become NaN, which it refuses
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fitted = mixed(numbers, TEXTUAL[name], last).fit(frame, target(frame, "two"))
        assert_equal(fitted, frame)


def test_strict_encoders_raise() -> None:
    """An unknown category is an error of the graph as it is one of the model."""
    frame = rows()
    for last in (LogisticRegression(max_iter=100), RandomForestClassifier(5, random_state=0)):
        fitted = mixed(StandardScaler(), OneHotEncoder(), last).fit(frame, target(frame, "two"))
        graph, _, _, original = compiled(fitted, frame)
        strange = columns_of(frame.head(2).assign(t="violet"))
        for ask in (original, graph.answer):
            with pytest.raises(PredictionFailed):
                ask(strange)
        assert len(graph.answer(columns_of(frame.head(2)))["prediction"]) == 2


def test_strict_encoders_raise_for_columns_that_no_split_uses() -> None:
    """A tree of one split looks at one column; the encoder before it looks at all."""
    frame = rows()
    for last, kind in (
        (DecisionTreeClassifier(max_depth=1), "two"),
        (DecisionTreeRegressor(max_depth=1), "number"),
    ):
        assert_equal(mixed("passthrough", OneHotEncoder(), last).fit(frame, target(frame, kind)), frame)


def test_numbers_as_categories() -> None:
    """Whole numbers encoded as categories, chosen by type, with the rest passed through."""
    frame = rows().assign(b=lambda one: one.b.astype(int)).drop(columns=TEXTS)
    chosen = ColumnTransformer([("k", OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_include="int"))],
                               remainder=StandardScaler())  # fmt: skip
    fitted = make_pipeline(chosen, LogisticRegression()).fit(frame, target(rows(), "two"))
    assert_equal(fitted, frame)


def test_several_outputs() -> None:
    """Forests and linear models of two numbers a row."""
    frame = rows()[NUMBERS]
    both = np.column_stack([target(rows(), "number"), target(rows(), "count")])
    for last in (
        RandomForestRegressor(6, random_state=0),
        LinearRegression(),
        DecisionTreeRegressor(max_depth=4),
    ):
        assert_equal(make_pipeline(StandardScaler(), last).fit(frame, both), frame)


def test_what_only_another_converter_knows() -> None:
    """Nearest neighbours come from skl2onnx; parity decides about them as about all."""
    frame = rows()[["a", "b"]]
    graph, signature, answer, original = compiled(
        KNeighborsClassifier(3).fit(frame, target(rows(), "two")), frame
    )
    proof = prove(original, graph.answer, parity_groups(signature, columns_of(frame)), answer)
    assert proof.parity.rows > ROWS


def test_reasons() -> None:
    """What cannot be compiled says why."""
    frame = rows(gaps=True)
    with pytest.raises(CannotConvert, match="function cbrt"):
        compiled(make_pipeline(FunctionTransformer(np.cbrt), Ridge()).fit(rows()[NUMBERS], target(frame, "number")),
                 rows()[NUMBERS])  # fmt: skip
    with pytest.raises(CannotConvert, match="missing=0"):
        compiled(
            xgb.XGBRegressor(n_estimators=2, missing=0.0).fit(frame[NUMBERS], target(frame, "number")),
            frame[NUMBERS],
        )
    learner = xgb.XGBClassifier(n_estimators=2, enable_categorical=True)
    with pytest.raises(CannotConvert, match="beyond ASCII"):
        compiled(learner.fit(as_categories(frame)[TEXTS], target(frame, "two")), frame[TEXTS])
    with pytest.raises(CannotConvert, match="linear trees"):
        compiled(lgb.LGBMRegressor(n_estimators=3, linear_tree=True, verbose=-1).fit(rows()[NUMBERS], target(frame, "number")),
                 rows()[NUMBERS])  # fmt: skip
