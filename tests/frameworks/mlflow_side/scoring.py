"""Run under an interpreter that has mlflow: logs models to a folder, and asks a scoring server with MLflow's own client.

python scoring.py save FOLDER ROWS_CSV       saves `plain` (scikit-learn) and `thresholds` (Python code with params)
python scoring.py ask PORT PATH ROWS_CSV [PARAMS] prints JSON: what MLflow's client understood
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import mlflow.pyfunc
import mlflow.sklearn
import pandas as pd
from log_and_ask import TARGET, rows_of
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HERE = Path(__file__).parent
COLUMNS = ["loan_length", "debt_to_income_ratio"]
PARAMS = ParamSchema([ParamSpec("threshold", "double", 12.0), ParamSpec("sign", "string", "plus")])


def save(folder: Path, rows: pd.DataFrame) -> None:
    """Both models."""
    inputs, target = rows[COLUMNS], rows[TARGET].astype(int)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(inputs, target)
    mlflow.sklearn.save_model(fitted, folder / "plain", signature=infer_signature(inputs, target))
    schema = Schema([ColSpec("double", name) for name in COLUMNS])
    mlflow.pyfunc.save_model(
        folder / "thresholds",
        python_model=str(HERE / "thresholds.py"),
        signature=ModelSignature(inputs=schema, params=PARAMS),
    )


def ask(port: int, path: str, rows: pd.DataFrame, params: dict[str, object] | None) -> dict[str, object]:
    """MLflow's client, whoever answers."""
    client = ScoringServerClient("127.0.0.1", port)
    client.ping()
    version = client.get_version()
    client.url_prefix += path
    found = client.invoke(rows[COLUMNS].head(200), params=params)
    return {
        "version": version,
        "frame": found.get_predictions("ndarray").ravel().tolist(),
    }


if __name__ == "__main__":
    act, where, *rest = sys.argv[1:]
    if act == "save":
        save(Path(where), rows_of(rest[0]))
    else:
        path, table, *params = rest
        print(json.dumps(ask(int(where), path, rows_of(table), json.loads(params[0]) if params else None)))
