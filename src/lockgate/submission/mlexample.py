"""The input example that MLflow keeps beside a model, as a table: real rows, when nobody submits others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from lockgate.errors import InvalidInput
from lockgate.registry.mlmodel import inside

MAX_EXAMPLE_BYTES = 16 * 1024 * 1024


def example_of(folder: Path, name: str | None) -> pl.DataFrame | None:
    """The rows of a frame or a matrix; None for examples of other kinds (dicts, texts, tensors) and without one.

    Raises InvalidInput for a file that is damaged, Unsafe for a name that leads out of the folder.
    """
    path = inside(folder, name) if name is not None else None
    if path is None or not path.is_file() or path.stat().st_size > MAX_EXAMPLE_BYTES:
        return None
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            f"MLflow's {path.name} is not JSON", got=error, fix="log the model again"
        ) from error
    return _table(said) if isinstance(said, dict) else None


def _table(said: dict[str, Any]) -> pl.DataFrame | None:
    """`{"columns", "data"}` of a frame, `{"inputs"}` of a matrix, whose columns are called by their place."""
    rows = said.get("data", said.get("inputs"))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) and row for row in rows):
        return None
    names = [str(name) for name in said.get("columns", range(len(rows[0])))]
    plain = all(not isinstance(cell, list | dict) for row in rows for cell in row)
    if not plain or len(set(names)) != len(names) or any(len(row) != len(names) for row in rows):
        return None
    return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None, strict=False)
