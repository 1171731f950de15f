"""Baselines that were written anew without values of personal columns, and what took the place of which.

A validation's digest, which approvals sign, covers its baseline's name, and that name its content. So what holds no value gets
a name of its own, beside the sealed body and with a row in the audit log, and the old blob goes.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.checks.tables import validations
from lockgate.governance.audit import append

ACTOR = "lockgate"
VEILED = "checks:baseline:veiled"  # names a validation, and is none


class Veiled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a validation's baseline. `columns`: that were known to be personal when it was looked at last; `baseline`:
    what took its place, None where it held nothing of them; `gone`: blobs that are to be deleted yet."""

    columns: tuple[str, ...] = ()
    baseline: str | None = None
    gone: tuple[str, ...] = ()


_NOT_YET = Veiled()


def read_veil(text: str | None) -> Veiled:
    """What a row of validations says of its baseline."""
    return _NOT_YET if text is None else msgspec.json.decode(text, type=Veiled)


def is_to_do(text: str | None, columns: Collection[str]) -> bool:
    """Whether a baseline was not looked at for these columns, or something of it is to be deleted, by its row's text."""
    veil = read_veil(text)
    return text is None or bool(veil.gone) or not {*columns} <= {*veil.columns}


def to_look_at(tx: sa.Connection, model: str, columns: Collection[str]) -> list[int]:
    """Validations of a model of which there is something to do."""
    c = validations.c
    rows = tx.execute(sa.select(c.id, c.veil).where(c.model == model).order_by(c.id)).all()
    return [row.id for row in rows if is_to_do(row.veil, columns)]


def veil_of(tx: sa.Connection, validation: int) -> str | None:
    """The row's text, by which `note_veil` knows whether somebody else was first."""
    c = validations.c
    text: str | None = tx.execute(sa.select(c.veil).where(c.id == validation)).scalar_one()
    return text


def note_veil(tx: sa.Connection, validation: int, veil: Veiled, *, was: str | None, at_us: int) -> str | None:
    """Put on record what became of a validation's baseline, with an audit row where another takes its place; returns the row's
    new text, None where it is not as it `was` any more: another process is at it, and its word counts."""
    c = validations.c
    row = tx.execute(sa.select(c.model, c.version, c.veil).where(c.id == validation).with_for_update()).one()
    if row.veil != was:
        return None
    text = msgspec.json.encode(veil).decode()
    tx.execute(sa.update(validations).where(c.id == validation).values(veil=text))
    if veil.baseline != read_veil(row.veil).baseline:
        append(
            tx, at_us=at_us, actor=ACTOR, action=VEILED, subject=f"{row.model}/{row.version}",
            details={"validation": validation, "columns": veil.columns, "baseline": veil.baseline, "instead_of": veil.gone},
        )  # fmt: skip
    return text


def in_use(tx: sa.Connection, package: str, baseline: str) -> bool:
    """Whether a validation's baseline is still this one. A baseline names its package: those of others have other names."""
    c = validations.c
    query = sa.select(c.veil).where(c.package == package)
    rows = tx.execute(query.where(c.body.contains(baseline, autoescape=True))).all()
    if any(read_veil(row.veil).baseline is None for row in rows):
        return True
    named = tx.execute(query.where(c.veil.contains(baseline, autoescape=True))).all()
    return any(read_veil(row.veil).baseline == baseline for row in named)
