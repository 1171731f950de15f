"""The runner works in other interpreters than ours: an environment that uv built, on the oldest Python it promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lockgate.config import Home
from lockgate.inference.environment_build import built
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.runner import columns, wire

TRAIN = """
import pickle, sys
import numpy as np
from sklearn.linear_model import LogisticRegression
X = np.arange(40.0).reshape(20, 2)
fitted = LogisticRegression().fit(X, X[:, 0] > 19)
pickle.dump(fitted, open(sys.argv[1], "wb"))
print(fitted.predict_proba(X[:2])[:, 1].tolist())
"""


@pytest.mark.frameworks
def test_runner_on_python_3_9(tmp_path: Path, home: Home, run_python: Callable[..., str]) -> None:
    """A model trained with an older scikit-learn on Python 3.9 is served from an environment of its own, fully confined."""
    python = built(("numpy==1.26.4", "scikit-learn==1.5.2", "scipy==1.13.1", "joblib==1.4.2", "threadpoolctl==3.5.0"),
                   "3.9", home)  # fmt: skip
    (tmp_path / "package" / "model").mkdir(parents=True)
    said = run_python(python, TRAIN, tmp_path / "package/model/model.pkl")
    fields = tuple(
        {"name": name, "datatype": "FP64", "shape": [], "nullable": False, "categories": []} for name in "ab"
    )
    runner = RunnerProcess(Order(python=python, folder=tmp_path / "package", framework="sklearn",
                                 model_path="model/model.pkl", inputs=fields))  # fmt: skip
    try:
        assert runner.ready.python.startswith("3.9.")
        assert runner.ready.framework_version == "1.5.2"
        assert "Landlock" in " ".join(runner.ready.confined)
        rows = {"a": np.array([0.0, 2.0]), "b": np.array([1.0, 3.0])}
        answer = columns.decode(runner.ask(wire.Kind.PREDICT, columns.encode(rows), 10.0))
        assert str(answer["probability"][:, 1].tolist()) == said.strip()
    finally:
        runner.kill()
