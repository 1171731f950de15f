"""XGBoost: its own JSON and UBJ files, and pickled XGBClassifier and the like."""

from __future__ import annotations

from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework


def recognises(head: bytes) -> bool:
    """JSON that starts with `learner` or `version`, or UBJ, whose objects write lengths as `L`.

    >>> recognises(b'{"learner":{'), recognises(b"{L" + bytes(7)), recognises(b'{"models": 1}')
    (True, True, False)
    """
    text = head.lstrip()
    return text.startswith((b'{"learner"', b'{"version"')) or head.startswith(b"{L\x00")


HANDLER = Handler(
    framework=Framework.XGBOOST,
    title="XGBoost",
    distributions=("xgboost", "xgboost-cpu", "numpy", "scipy"),  # either of the first two is there
    roots=("xgboost",),
    file_names=("model.json", "model.ubj", "model.pkl", "model.joblib"),
    recognises=recognises,
    compiles=True,
    extra="xgboost",
)
