"""`mlflow models serve` over a saved scikit-learn model, one worker, as its documentation says.

python mlflow_serve.py MODEL PORT
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import joblib
from mlflow import sklearn as flavor

if __name__ == "__main__":
    model, port = Path(sys.argv[1]), sys.argv[2]
    folder = model.with_name(f"mlflow-{model.stem}-{port}")
    options = {"serialization_format": flavor.SERIALIZATION_FORMAT_CLOUDPICKLE}
    flavor.save_model(joblib.load(model), str(folder), **options)
    command = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "-m", str(folder)]
    os.execv(
        command[0], [*command, "-h", "127.0.0.1", "-p", port, "--env-manager", "local", "--workers", "1"]
    )
