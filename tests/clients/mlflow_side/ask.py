"""Run under an interpreter that has mlflow-skinny: asks a gateway by MLflow's own client, prints JSON of what it understood.

python ask.py PORT MODEL PARAMS_JSON
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

ROWS = pd.DataFrame({"a": [1.0, 4.0], "b": [2.0, 5.0], "c": [3.0, -6.0]})


def main(port: str, model: str, params: str) -> dict[str, Any]:
    """Every call that a user makes; frames whose columns stand in another order, and with a row that misses a value."""
    client = ScoringServerClient("127.0.0.1", int(port))
    client.ping()
    found: dict[str, Any] = {"version": client.get_version()}
    client.url_prefix += f"/models/{model}"
    found["frame"] = client.invoke(ROWS).get_predictions("ndarray").ravel().tolist()
    turned = ROWS[["c", "a", "b"]]
    found["with params"] = (
        client.invoke(turned, params=json.loads(params)).get_predictions("ndarray").ravel().tolist()
    )
    found["frame of answers"] = client.invoke(ROWS).get_predictions("dataframe").iloc[:, 0].tolist()
    wrong = {
        "unknown param": (ROWS, {"heat": 1}),
        "a gap": (ROWS.assign(b=np.nan), None),
        "no column": (ROWS[["a"]], None),
    }
    for name, (rows, asked) in wrong.items():
        try:
            client.invoke(rows, params=asked)
        except Exception as error:  # the client has no class of its own for a refusal
            found[name] = str(error)
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
