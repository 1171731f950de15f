"""How many versions of a model were judged on the same test rows: each look at them is a chance to choose by luck."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.checks.tables import validations

_JUDGED = ("test", "validation")


class _Ran(msgspec.Struct, frozen=True):
    check: str


class _Look(msgspec.Struct, frozen=True):
    """Of a recorded validation, what tells whether the version was judged: its tables, and the checks that ran."""

    package: str
    data: dict[str, str]
    used: tuple[_Ran, ...] = ()


def versions_judged(tx: sa.Connection, model: str, rows: str, *, blind: Collection[str]) -> set[str]:
    """The packages of a model whose answers were judged on the stored table `rows` (a digest).

    `blind`: checks that ask no model; a validation of these alone is no look. The same version again is none either: nothing
    new can be chosen by it.
    """
    query = sa.select(validations.c.body).where(
        validations.c.model == model, validations.c.body.contains(rows)
    )
    looks = [msgspec.json.decode(body, type=_Look) for body in tx.execute(query).scalars()]
    return {
        look.package
        for look in looks
        if judged_table(look.data) == rows
        and not (look.used and {ran.check for ran in look.used} <= set(blind))
    }


def judged_table(data: dict[str, str]) -> str | None:
    """The digest of the table that answers are judged on: test, else validation."""
    return next((data[split] for split in _JUDGED if split in data), None)
