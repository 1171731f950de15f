"""How people name a version, as the parts of an address: `churn/3`, `churn@live`, `churn` (the newest)."""

from __future__ import annotations

import re

from lockgate.errors import InvalidInput
from lockgate.registry.naming import check_model_name

_NAME = re.compile(r"([^/@\s]+)(?:/(\d+)|@([a-z]+))?")


def version_path(name: str, default: str = "latest") -> str:
    """The address of a version.

    >>> version_path("churn/3"), version_path("churn@live"), version_path("churn")
    ('/models/churn/versions/3', '/models/churn/versions/live', '/models/churn/versions/latest')
    """
    model, word = parts_of(name)
    return f"/models/{model}/versions/{word or default}"


def parts_of(name: str) -> tuple[str, str | None]:
    """Model and number or alias; None when only a model is named. Raises InvalidInput.

    >>> parts_of("churn/3"), parts_of("churn@live"), parts_of("churn")
    (('churn', '3'), ('churn', 'live'), ('churn', None))
    """
    found = _NAME.fullmatch(name.strip())
    if found is None:
        raise InvalidInput(
            "this names no version", got=name[:80], allowed="churn/3, churn@live, churn@canary, churn"
        )
    return found[1], found[2] or found[3]


def model_only(name: str) -> str:
    """The model that is named, and nothing more. Raises InvalidInput, with the rule for names where it breaks that."""
    if not _NAME.fullmatch(name.strip()):
        return check_model_name(name)
    model, word = parts_of(name)
    if word is not None:
        raise InvalidInput(
            "a model is wanted here, not one of its versions", got=name, fix=f"name it '{model}'"
        )
    return model
