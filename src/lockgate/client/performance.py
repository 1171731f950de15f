"""How well models do over time, and how their labels come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lockgate.client.naming import model_only
from lockgate.client.transport import connected


def performance(
    model: str, *, version: int | None = None, since: str | None = None, home: str | Path | None = None
) -> dict[str, Any]:
    """Windows with what labels say of them, estimates and whether they held, promises of validations and what became of them."""
    with connected(home) as lockgate:
        found: dict[str, Any] = lockgate.get(
            f"/models/{model_only(model)}/performance", version=version, since=since
        )
    return found


def label_status(model: str, *, home: str | Path | None = None) -> dict[str, Any]:
    """How many labels there are, how late they come, how many belong to no prediction that is on record."""
    with connected(home) as lockgate:
        found: dict[str, Any] = lockgate.get(f"/models/{model_only(model)}/labels")
    return found
