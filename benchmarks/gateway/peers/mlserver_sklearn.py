"""MLServer with its own scikit-learn runtime, no extra worker processes (the faster choice for small models).

python mlserver_sklearn.py MODEL PORT
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if __name__ == "__main__":
    model, port = Path(sys.argv[1]), int(sys.argv[2])
    folder = model.with_name(f"mlserver-{model.stem}-{port}")
    folder.mkdir()
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    described = {
        "name": "bench",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model)},
    }
    (folder / "model-settings.json").write_text(json.dumps(described))
    command = str(Path(sys.executable).with_name("mlserver"))
    os.execv(command, [command, "start", str(folder)])
