"""Opening a sealed package of the registry, wherever the store is."""

from __future__ import annotations

from pathlib import Path

from lockgate.inference.executor import Executor
from lockgate.inference.open import open_model, open_original
from lockgate.registry.package import blob_name
from lockgate.wiring.house import House


def open_version(
    house: House, digest: str, python: str | None = None, *, memory_mb: int | None = None
) -> Executor:
    """The executor of a sealed package, in one process; close it when done. `python`: the model's named interpreter.

    `memory_mb`: what the model's settings allow that process; None: the server's settings.
    """
    folder = house.blobs.fetch_tree(blob_name(digest), house.home.cache)
    return open_model(
        folder,
        digest,
        home=house.home,
        environment=house.config.environment.sized(1, memory_mb),
        python=Path(python) if python else None,
    )


def open_research(house: House, digest: str, python: str | None = None) -> Executor:
    """The research model of a sealed package, isolated and never compiled; close it when done."""
    folder = house.blobs.fetch_tree(blob_name(digest), house.home.cache)
    return open_original(
        folder,
        digest,
        home=house.home,
        environment=house.config.environment,
        python=Path(python) if python else None,
    )
