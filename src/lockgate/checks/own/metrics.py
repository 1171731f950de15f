"""A project's own metrics: functions of the version's code, computed in its own environment, confined."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from lockgate.checks.own import inside
from lockgate.checks.own.check import INSIDE
from lockgate.declared import OwnMetric
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.inference.workshop import Draft, Workbench, open_draft
from lockgate.registry.manifest import Framework

TIME_S = 60.0


class ConfinedMetrics:
    """The metrics of one version; the process starts when the first is asked and ends with `close`.

    `package`: the sealed package's folder; `python`: finds the interpreter that has what its code needs.
    """

    def __init__(self, metrics: Mapping[str, OwnMetric], package: Path, python: Callable[[], Path]) -> None:
        self._metrics, self._package, self._python = metrics, package, python
        self._stack = ExitStack()
        self._bench: Workbench | None = None

    def __call__(
        self, name: str, columns: dict[str, np.ndarray], times: int = 0, clusters: np.ndarray | None = None
    ) -> np.ndarray:
        """The metric of n rows, followed by that of at most `times` sets of redrawn rows (of redrawn `clusters`, numbered).

        Raises InvalidInput where there is none, PredictionFailed with what the function raised.
        """
        if name not in self._metrics:
            raise InvalidInput(f"there is no metric '{name}'", allowed=", ".join(self._metrics) or "none")
        bench = self._bench or self._open()
        rows = max(len(next(iter(columns.values()))), 1)
        own = {
            "function": np.full(rows, self._metrics[name].function, dtype=object),
            "times": np.full(rows, times),
        }
        if clusters is not None:
            own["clusters"] = clusters
        typed = {
            key: array.astype(object) if array.dtype.kind == "U" else array for key, array in columns.items()
        }
        values = bench.predict({**{f"{inside.RESERVED}{key}": array for key, array in own.items()}, **typed})[
            "value"
        ]
        if not np.isfinite(values[0]):
            raise PredictionFailed(f"the metric '{name}' gave no number", got=float(values[0]))
        return np.asarray(values, dtype=float)

    def close(self) -> None:
        """End the process. Twice does no harm."""
        self._stack.close()

    def _open(self) -> Workbench:
        code = self._package / "code"
        if not code.is_dir():
            raise InvalidInput(
                "the version has no code that a metric could be in", fix="submit it with --code FILE.py"
            )
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="lockgate-metrics-")))
        shutil.copytree(code, folder / "code")
        shutil.copy(inside.__file__, folder / "code" / f"{INSIDE}.py")
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        draft = Draft(folder=folder, framework=Framework.PYTHON, model_path="code", entry=f"{INSIDE}:metric")
        self._bench = self._stack.enter_context(open_draft(draft, python=self._python(), timeout_s=TIME_S))
        return self._bench
