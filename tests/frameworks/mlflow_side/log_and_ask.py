"""Run under an interpreter that has mlflow: logs one model of each flavor and says where each lies.

python log_and_ask.py log TRACKING_URI ROWS_CSV NAME...  prints JSON: name -> {run, version, uri}
python log_and_ask.py ask TRACKING_URI ROWS_CSV URI...   prints JSON: uri -> what mlflow.pyfunc.load_model(uri) answers
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow
import mlflow.lightgbm
import mlflow.onnx
import mlflow.sklearn
import mlflow.xgboost
import pandas as pd
from lightgbm import LGBMClassifier
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, Schema
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from weighted import Weighted
from xgboost import XGBClassifier

TARGET = "repaid"
WHOLE = Schema([ColSpec("long", "loan_length", required=False), ColSpec("double", "debt_to_income_ratio")])
HERE = Path(__file__).parent


def rows_of(path: str) -> pd.DataFrame:
    """The table, texts as plain objects."""
    table = pd.read_csv(path)
    texts = ["salary_range", "size_of_downpayment"]
    numbers = table.select_dtypes("number").columns
    return table.astype({**dict.fromkeys(texts, object), **dict.fromkeys(numbers, "float64")})


def log(rows: pd.DataFrame, names: list[str]) -> dict[str, dict[str, str]]:
    """These models, each in a run of its own, registered under its own name."""
    inputs, target = rows.drop(columns=TARGET), rows[TARGET].astype(int)
    texts = [name for name in inputs if inputs[name].dtype == object]
    numbers = inputs.drop(columns=texts)
    columns = make_column_transformer(
        (StandardScaler(), list(numbers)), (OneHotEncoder(handle_unknown="ignore"), texts)
    )
    whole: Pipeline = make_pipeline(columns, LogisticRegression(max_iter=300)).fit(inputs, target)
    few = make_pipeline(StandardScaler(), LogisticRegression()).fit(numbers, target)
    boosted = XGBClassifier(n_estimators=10, max_depth=3, n_jobs=1).fit(numbers, target)
    leaves = LGBMClassifier(n_estimators=10, max_depth=3, n_jobs=1, verbose=-1).fit(numbers, target)
    graph = to_onnx(few, numbers.iloc[:1].to_numpy("float32"), options={"zipmap": False})
    example = inputs.head(20)
    says = {"signature": infer_signature(numbers, few.predict(numbers))}
    wide = infer_signature(numbers.to_numpy("float32"), {"label": target.to_numpy()})
    made = {
        "skops": lambda: mlflow.sklearn.log_model(whole, name="model", input_example=example, registered_model_name="skops"),
        "pickled": lambda: mlflow.sklearn.log_model(whole, name="model", input_example=example,
            serialization_format="cloudpickle", registered_model_name="pickled"),
        "bare": lambda: mlflow.sklearn.log_model(few, name="model", registered_model_name="bare", **says),
        "xgboost": lambda: mlflow.xgboost.log_model(boosted, name="model", registered_model_name="xgboost", **says),
        "lightgbm": lambda: mlflow.lightgbm.log_model(leaves, name="model", registered_model_name="lightgbm", **says),
        "onnx": lambda: mlflow.onnx.log_model(graph, name="model", registered_model_name="onnx", signature=wide),
        "code": lambda: mlflow.pyfunc.log_model(name="model", python_model=str(HERE / "points.py"),
            input_example=example, registered_model_name="code"),
        "object": lambda: mlflow.pyfunc.log_model(name="model", python_model=Weighted(), input_example=example,
            code_paths=[str(HERE / "weighted.py")], registered_model_name="object"),
        "optional": lambda: mlflow.pyfunc.log_model(name="model", python_model=str(HERE / "points.py"),
            signature=ModelSignature(inputs=WHOLE), registered_model_name="optional"),
    }  # fmt: skip
    said = {}
    for name in names:
        with mlflow.start_run() as run:
            mlflow.log_params({"kind": name, "rows": len(rows)})
            mlflow.log_metric("accuracy", float((whole.predict(inputs) == target).mean()))
            info = made[name]()
        version = info.registered_model_version
        mlflow.MlflowClient().set_registered_model_alias(name, "champion", version)
        said[name] = {"run": run.info.run_id, "version": str(version), "uri": info.model_uri}
    return said


def ask(rows: pd.DataFrame, uri: str) -> list[object]:
    """mlflow's own answers."""
    model = mlflow.pyfunc.load_model(uri)
    schema = model.metadata.get_input_schema()
    table = (
        rows[schema.input_names()]
        if schema.has_input_names()
        else (rows.drop(columns=TARGET).select_dtypes(["number", "bool"]).to_numpy("float32"))
    )
    if schema == WHOLE:
        table = table.astype({"loan_length": "int64"})
    answers = model.predict(table)
    if isinstance(answers, dict):
        answers = answers["label"]
    return list(pd.DataFrame(answers).iloc[:, 0].tolist())


def main(words: list[str]) -> None:
    """One of the two ways to be called."""
    act, store, table, *rest = words
    mlflow.set_tracking_uri(store)
    rows = rows_of(table)
    print(json.dumps(log(rows, rest) if act == "log" else {uri: ask(rows, uri) for uri in rest}))


if __name__ == "__main__":
    main(sys.argv[1:])
