"""CatBoost: its own binary files (`.cbm`)."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework


def recognises(head: bytes) -> bool:
    """A binary model starts with `CBM1`.

    >>> recognises(b"CBM1" + bytes(12)), recognises(b"CBM")
    (True, False)
    """
    return head.startswith(b"CBM1")


HANDLER = Handler(
    framework=Framework.CATBOOST,
    title="CatBoost",
    distributions=("catboost", "numpy", "pandas"),
    file_names=("model.cbm",),
    recognises=recognises,
    compiles=True,
    extra="catboost",
)
