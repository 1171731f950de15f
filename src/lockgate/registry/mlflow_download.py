"""A program of its own: downloads one model with mlflow and says what its run knows. Called by `mlflow_uri`.

python -m lockgate.registry.mlflow_download ADDRESS FOLDER; the store is MLFLOW_TRACKING_URI of its environment. mlflow keeps
the store in the process's own variables, so two submissions from two stores cannot share a process; nor does the
console need to carry mlflow's memory from then on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

MISSING_EXTRA, FAILED = 3, 4
GIT_TAG = "mlflow.source.git.commit"
MOST_LETTERS = 300


def main(address: str, folder: str) -> int:
    """Print one line of JSON: folder, parameters, metrics, commit; or error and code. Returns the exit status."""
    try:
        import mlflow  # noqa: PLC0415  optional, and it takes seconds
    except ImportError:
        return MISSING_EXTRA
    try:
        found = Path(mlflow.artifacts.download_artifacts(artifact_uri=address, dst_path=folder))
        print(json.dumps({"folder": str(found), **_run_of(mlflow, found)}))
    except (mlflow.exceptions.MlflowException, OSError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0][:MOST_LETTERS]
        print(json.dumps({"error": said, "code": str(getattr(error, "error_code", ""))}))
        return FAILED
    return 0


def _run_of(mlflow: Any, folder: Path) -> dict[str, Any]:
    """Parameters, metrics and code commit of the run that logged it; nothing when the run was deleted."""
    try:
        run_id = mlflow.models.Model.load(str(folder)).run_id
        data = mlflow.MlflowClient().get_run(run_id).data if run_id else None
    except mlflow.exceptions.MlflowException:
        return {}
    if data is None:
        return {}
    metrics = {name: float(value) for name, value in data.metrics.items() if value == value}  # noqa: PLR0124  NaN
    return {"parameters": dict(data.params), "metrics": metrics, "commit": data.tags.get(GIT_TAG)}


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
