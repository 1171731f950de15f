"""Any Python callable with its module: `module:function`, or `module:Class` with a predict method (docs/inference.md)."""

from __future__ import annotations

import re

from lockgate.errors import InvalidInput
from lockgate.frameworks.base import Handler
from lockgate.registry.manifest import Framework

ENTRY = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")

HANDLER = Handler(framework=Framework.PYTHON, title="Python callable", distributions=("numpy",))


def module_of(entry: str) -> str:
    """The module of an entry. Raises InvalidInput when it is not `module:name`.

    >>> module_of("pricing.model:predict")
    'pricing.model'
    """
    if not ENTRY.fullmatch(entry):
        raise InvalidInput(
            "the entry of a Python model is not 'module:function' or 'module:Class'",
            got=entry,
            fix="for example pricing:predict, with pricing.py beside it",
        )
    return entry.partition(":")[0]
