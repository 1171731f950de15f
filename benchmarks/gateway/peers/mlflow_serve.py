"""`mlflow models serve` over a saved scikit-learn model, one worker, as its documentation says.

python mlflow_serve.py MODEL PORT [--signature]

With a signature, which the documentation recommends, MLflow holds every request against it: thirty named columns of
numbers.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import joblib
from mlflow import sklearn as flavor
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, Schema

if __name__ == "__main__":
    model, port = Path(sys.argv[1]), sys.argv[2]
    folder = model.with_name(f"mlflow-{model.stem}-{port}")
    options: dict[str, Any] = {"serialization_format": flavor.SERIALIZATION_FORMAT_CLOUDPICKLE}
    if "--signature" in sys.argv:
        columns = [ColSpec(DataType.double, f"f{number}") for number in range(30)]
        options["signature"] = ModelSignature(inputs=Schema(columns))
    flavor.save_model(joblib.load(model), str(folder), **options)
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", str(folder)]
    os.execv(
        command[0], [*command, "-h", "127.0.0.1", "-p", port, "--env-manager", "local", "--workers", "1"]
    )
