"""Heavy libraries that are imported when they are first used, so that a verb does not pay for those it does not need.

    if TYPE_CHECKING:
        import altair as alt
    else:
        alt = late("altair")

Type checkers see the library itself. Only for other people's libraries: our own modules are imported at the top.
"""

from __future__ import annotations

import importlib
from typing import Any


class Late:
    """Stands for a module and imports it at the first attribute. Safe in threads: Python's import lock orders them."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        if (
            attribute == "__wrapped__"
        ):  # asked of everything by who looks for functions, such as doctest: no module has it
            raise AttributeError(attribute)
        return getattr(importlib.import_module(self._name), attribute)

    def __repr__(self) -> str:
        return f"late({self._name!r})"


def late(name: str) -> Any:
    """The module of that name, imported at the first use of one of its attributes.

    >>> fractions = late("fractions")
    >>> fractions.Fraction(1, 2) + 1
    Fraction(3, 2)
    """
    return Late(name)
