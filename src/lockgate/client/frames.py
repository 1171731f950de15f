"""Data frames on their way to lockgate."""

from __future__ import annotations

import io
from typing import Any


def as_parquet(table: Any) -> io.BytesIO | None:
    """A polars or pandas frame as Parquet, from its first byte on; None for what is no frame."""
    body = io.BytesIO()
    if hasattr(table, "write_parquet"):
        table.write_parquet(body)
    elif hasattr(table, "to_parquet"):
        table.to_parquet(body, index=False)
    else:
        return None
    body.seek(0)
    return body
