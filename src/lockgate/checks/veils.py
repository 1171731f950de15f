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


def to_look_at(tx: sa.Connection, model: str, columns: Collection[str]) -> dict[int, Veiled]:
    """Validations of a model whose baselines were not looked at for these columns, or of whose something is to be deleted."""
    c = validations.c
    rows = tx.execute(sa.select(c.id, c.veil).where(c.model == model).order_by(c.id)).all()
    return {
        row.id: read_veil(row.veil) for row in rows
        if row.veil is None or read_veil(row.veil).gone or not {*columns} <= {*read_veil(row.veil).columns}
    }  # fmt: skip


def note_veil(tx: sa.Connection, validation: int, veil: Veiled, *, at_us: int) -> None:
    """Put on record what became of a validation's baseline; with an audit row where another takes its place."""
    c = validations.c
    row = tx.execute(sa.select(c.model, c.version, c.veil).where(c.id == validation).with_for_update()).one()
    tx.execute(
        sa.update(validations).where(c.id == validation).values(veil=msgspec.json.encode(veil).decode())
    )
    if veil.baseline != read_veil(row.veil).baseline:
        append(
            tx, at_us=at_us, actor=ACTOR, action="checks:baseline:veiled", subject=f"{row.model}/{row.version}",
            details={"validation": validation, "columns": veil.columns, "baseline": veil.baseline, "instead_of": veil.gone},
        )  # fmt: skip


def in_use(tx: sa.Connection, baseline: str) -> bool:
    """Whether a validation's baseline is still this one."""
    c = validations.c
    rows = tx.execute(sa.select(c.veil).where(c.body.contains(baseline, autoescape=True))).all()
    if any(read_veil(row.veil).baseline is None for row in rows):
        return True
    named = tx.execute(sa.select(c.veil).where(c.veil.contains(baseline, autoescape=True))).all()
    return any(read_veil(row.veil).baseline == baseline for row in named)
