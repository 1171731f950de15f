"""What runs inside a confined process around a validator's own check or a project's own metric.

Copied beside the code it calls; knows the standard library, numpy and, for tables, polars. It imports nothing of lockgate.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

EVIDENCE = Path(__file__).resolve().parent.parent / "evidence"


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
    """Run `module:function` on the labelled rows and return its number."""
    module, _, name = str(columns["function"][0]).partition(":")
    function = getattr(importlib.import_module(module), name)
    value = float(function(*(columns.get(each) for each in ("truth", "decision", "score"))))
    return {"value": np.array([value])}


def _tables(folder: Path) -> dict[str, Any]:
    import polars as pl  # noqa: PLC0415 - metrics need none

    return {path.stem: pl.read_ipc(path) for path in sorted(folder.glob("*.arrow"))}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"a finding cannot hold a {type(value).__name__}")
