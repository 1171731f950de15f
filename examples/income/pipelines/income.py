"""From the census files to a classifier: a function is a step, a parameter names another step, a data set or a setting."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["age", "education_years", "capital_gain", "capital_loss", "hours"]
WORDS = ["workclass", "marital_status", "occupation", "relationship", "native_country"]
COLUMNS = ["age", "workclass", "weight", "education", "education_years", "marital_status", "occupation", "relationship",
           "race", "sex", "capital_gain", "capital_loss", "hours", "native_country", "income"]  # fmt: skip


def train(raw: Path) -> Annotated[pd.DataFrame, "complete", "not empty"]:
    """The people that the model learns from; 24 of them stand in the file a second time."""
    return _people(raw)


def test(unseen: Path) -> Annotated[pd.DataFrame, "complete", "not empty"]:
    """The people that it is judged on. Their answers end with a full stop in the file."""
    return _people(unseen, skip=1)


def model(train: pd.DataFrame, strength: float = 1.0) -> Pipeline:
    """Numbers scaled, words as columns of their own, a logistic regression."""
    inputs = make_column_transformer(
        (StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore", min_frequency=20), WORDS)
    )
    fitted = make_pipeline(inputs, LogisticRegression(C=strength, max_iter=500))
    return fitted.fit(train[NUMBERS + WORDS], train["income"])


def metrics(model: Pipeline, test: pd.DataFrame) -> dict[str, float]:
    """How good it is on people it has not seen."""
    scores = model.predict_proba(test[NUMBERS + WORDS])[:, 1]
    return {
        "roc_auc": roc_auc_score(test["income"] == ">50K", scores),
        "accuracy": accuracy_score(test["income"], model.predict(test[NUMBERS + WORDS])),
    }


def _people(path: Path, skip: int = 0) -> pd.DataFrame:
    frame = pd.read_csv(path, names=COLUMNS, skiprows=skip, skipinitialspace=True)
    # of whole rows, before columns go: people who are alike in ten of them are still two
    frame = frame.drop_duplicates(ignore_index=True)
    frame["income"] = frame["income"].str.rstrip(".")
    return frame[[*NUMBERS, *WORDS, "sex", "race", "income"]].replace("?", "unknown")
