"""A folder that says itself how it is served: `model/` (its files), `code/`, and a file with the entry and exact pins."""

from __future__ import annotations

import json
from pathlib import Path

from lockgate.errors import InvalidInput

PREPARED = "lockgate-served.json"


def prepared(folder: Path) -> tuple[str, tuple[str, ...]]:
    """Entry (`module:Class`) and pins. Raises InvalidInput."""
    try:
        said = json.loads((folder / PREPARED).read_text())
        return str(said["entry"]), tuple(str(one) for one in said["requirements"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{PREPARED} of {folder.name} does not say how the model is served", got=error,
                           fix="write the package again") from error  # fmt: skip
