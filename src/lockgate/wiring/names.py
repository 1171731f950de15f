"""How people name a version: `churn/3`, `churn@live`, `churn@canary`, `churn` (the newest)."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.errors import InvalidInput, NotFound
from lockgate.registry.naming import VersionName, check_model_name
from lockgate.registry.store import Version, get_model, get_version
from lockgate.release.store import aliases

LATEST = "latest"
ALIASES = ("live", "canary")


def resolve(tx: sa.Connection, model: str, word: str) -> Version:
    """A version of a model by number, `live`, `canary` or `latest`. Raises NotFound that says what there is."""
    check_model_name(model)
    if word.isascii() and word.isdigit() and 0 < int(word) < 10**9:
        return get_version(tx, VersionName(model, int(word)))
    if word == LATEST:
        newest = get_model(tx, model).versions
        if not newest:
            raise NotFound(f"model '{model}' has no version yet", fix=f"lockgate submit FILE --name {model}")
        return get_version(tx, VersionName(model, newest))
    if word not in ALIASES:
        allowed = f"{model}/3, {model}@live, {model}@canary, {model}"
        raise InvalidInput("this names no version", got=word[:80], allowed=allowed)
    get_model(tx, model)
    known = aliases(tx, model)
    if word not in known:
        fix = f"lockgate release {model}/NUMBER starts a release; lockgate model show {model} lists its versions"
        raise NotFound(f"no version of '{model}' is {word} now", fix=fix)
    return get_version(tx, VersionName(model, known[word]))
