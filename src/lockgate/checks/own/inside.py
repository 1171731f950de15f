"""What runs inside a confined process around a validator's own check or a project's own metric.

Copied beside the code it calls; knows the standard library, numpy and, for tables, polars. It imports nothing of lockgate.
"""

from __future__ import annotations

import importlib
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

EVIDENCE = Path(__file__).resolve().parent.parent / "evidence"
RESERVED = "lockgate."  # columns of that beginning are for us, not for the metric
DRAWING_S = 20.0


class Given:
    """What a validator's check sees: `frames["test"]` (polars), `answers["test"]` (polars: decision, score, p0 ...),
    `live["test"]`, `facts` (target, inputs, classes, positive, protected, time, key, ...)."""

    def __init__(self, folder: Path) -> None:
        self.facts: dict[str, Any] = json.loads((folder / "facts.json").read_bytes())
        self.frames = _tables(folder / "frames")
        self.answers = _tables(folder / "answers")
        self.live = _tables(folder / "live")


def check(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run the module's `check(evidence)`: a dict, a list of dicts, or None for "nothing found"."""
    module = importlib.import_module(str(columns["module"][0]))
    found = module.check(Given(EVIDENCE))
    findings = [] if found is None else [found] if isinstance(found, dict) else list(found)
    text = json.dumps(findings, default=_plain, allow_nan=False)
    return {"findings": np.array([text], dtype=object)}


def metric(columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run `module:function` on the labelled rows; its number, then its numbers of redrawn rows until the time is up.

    `lockgate.times` says how often to draw, `lockgate.clusters` (n,) which rows are drawn together.
    """
    own = {key: columns.pop(f"{RESERVED}{key}") for key in ("function", "times")}
    clusters = columns.pop(f"{RESERVED}clusters", None)
    module, _, name = str(own["function"][0]).partition(":")
    function = getattr(importlib.import_module(module), name)
    plain, named = _given(columns, None)
    values, began_s, draw = [float(function(*plain, **named))], time.monotonic(), np.random.default_rng(0)
    for _ in range(int(own["times"][0])):
        if time.monotonic() - began_s > DRAWING_S:
            break
        plain, named = _given(columns, _redrawn(len(columns["truth"]), clusters, draw))
        values.append(float(function(*plain, **named)))
    return {"value": np.array(values)}


def _given(columns: dict[str, np.ndarray], rows: Any) -> tuple[list[Any], dict[str, np.ndarray]]:
    """What the function takes: truth, decision and score by place (None: the model gives none), further columns by name."""
    picked = columns if rows is None else {key: values[rows] for key, values in columns.items()}
    first = ("truth", "decision", "score")
    return [picked.get(key) for key in first], {
        key: values for key, values in picked.items() if key not in first
    }


def _redrawn(rows: int, clusters: Any, draw: np.random.Generator) -> np.ndarray:
    if clusters is None:
        return draw.integers(0, rows, rows)
    count = int(clusters.max()) + 1
    return np.repeat(np.arange(rows), np.bincount(draw.integers(0, count, count), minlength=count)[clusters])


def _tables(folder: Path) -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415 - metrics need none

    return {path.stem: pl.read_ipc(path) for path in sorted(folder.glob("*.arrow"))}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a finding cannot hold a {type(value).__name__}")
