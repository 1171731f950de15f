"""LightGBM: its own text files, and pickled LGBMClassifier and the like."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework


def recognises(head: bytes) -> bool:
    r"""A text model starts with the line `tree`.

    >>> recognises(b"tree\nversion=v4\n"), recognises(b"trees are green")
    (True, False)
    """
    return head.startswith((b"tree\n", b"tree\r\n"))


HANDLER = Handler(
    framework=Framework.LIGHTGBM,
    title="LightGBM",
    distributions=("lightgbm", "numpy", "scipy"),
    roots=("lightgbm",),
    file_names=("model.txt", "model.pkl", "model.joblib"),
    recognises=recognises,
    compiles=True,
    extra="lightgbm",
)
