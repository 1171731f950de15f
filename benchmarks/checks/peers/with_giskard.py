"""giskard's scan of a tabular model: all of it, and its search for weak slices."""

import giskard
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder


def slices(train, test):
    """The columns of each weak slice of its report."""
    model, data = _wrapped([pd.DataFrame(columns) for columns in (train, test)], 40)
    report = giskard.scan(model, data, only=["performance"], verbose=False)
    return [_columns(issue) for issue in report.issues if issue.slicing_fn is not None]


def suite(folder):
    """Its whole scan on a gradient boosting of its own."""
    tables = [pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "test")]
    model, data = _wrapped(tables, 100, [name for name in tables[0].columns if name[0] == "c"])
    return lambda: giskard.scan(model, data, verbose=False)


def _wrapped(frames, rounds, categories=()):
    train, test = frames
    words = [name for name in train.columns if train[name].dtype == object]
    inputs = [name for name in train.columns if name != "y"]
    fitted = make_pipeline(
        make_column_transformer((OrdinalEncoder(), words), remainder="passthrough"),
        HistGradientBoostingClassifier(max_iter=rounds, random_state=0),
    ).fit(train[inputs], train["y"])
    model = giskard.Model(
        lambda frame: fitted.predict_proba(frame[inputs]), model_type="classification", classification_labels=[0, 1],
        feature_names=inputs,
    )  # fmt: skip
    return model, giskard.Dataset(test, target="y", cat_columns=[*words, *categories])


def _columns(issue):
    return {clause.column for group in issue.slicing_fn.query.clauses.values() for clause in group}
