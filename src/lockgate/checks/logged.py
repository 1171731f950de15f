"""Validations held against the audit log, which names each with its digest when it is recorded.

A row that was edited is refused when it is read; what only the log can tell is that text and digest were exchanged
together, that a row is gone, or that the newest one is.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.checks.store import Validation
from lockgate.checks.tables import validations
from lockgate.checks.veils import VEILED
from lockgate.governance.audit import AuditRow, chain
from lockgate.governance.tables import audit

_ACTIONS = "checks:"


class _Named(msgspec.Struct, frozen=True):
    """What is used of a row's details."""

    validation: int
    digest: str


def changed_validations(tx: sa.Connection) -> list[str]:
    """Sentences about validations that are not what the audit log says was recorded, or are gone; empty when all is well.

    The audit log itself is verified by `governance.audit`; together they find a row whose body and digest were both
    exchanged.
    """
    said = [
        (entry, _named(entry))
        for entry in chain(tx)
        if entry.action.startswith(_ACTIONS) and entry.action != VEILED
    ]
    logged = dict(named for _, named in said if named is not None)
    query = sa.select(validations.c.id, validations.c.model, validations.c.version, validations.c.digest)
    kept = {row.id: row for row in tx.execute(query)}
    faults = [_unreadable(entry) for entry, named in said if named is None]
    faults += [
        f"validation {number} is in the audit log and gone from the table"
        for number in logged
        if number not in kept
    ]
    for number, row in kept.items():
        if logged.get(number) != row.digest:
            faults.append(
                f"validation {number} of {row.model}/{row.version} is not the one that the audit log names"
            )
    return faults


def unlike_the_log(tx: sa.Connection, model: str, number: int, newest: Validation | None) -> str | None:
    """Why what is found as the newest validation of a version is not what was recorded last, in words; None when it is.

    Reads one row of the log, so that it can be asked before every move.
    """
    mine = sa.and_(
        audit.c.subject == f"{model}/{number}",
        audit.c.action.startswith(_ACTIONS, autoescape=True),
        audit.c.action != VEILED,
    )
    last = (
        tx.execute(sa.select(audit).where(mine).order_by(audit.c.seq.desc()).limit(1))
        .mappings()
        .one_or_none()
    )
    entry = None if last is None else AuditRow(**last)
    named = None if entry is None else _named(entry)
    if entry is not None and named is None:
        return _unreadable(entry)
    found = None if newest is None else (newest.id, newest.digest)
    if named == found:
        return None
    if named is None:
        return f"validation {newest.id if newest else 0} of {model}/{number} is not in the audit log"
    if newest is None or newest.id < named[0]:
        return f"validation {named[0]} of {model}/{number} is in the audit log and gone from the table"
    return f"validation {newest.id} of {model}/{number} is not the one that the audit log names"


def _named(entry: AuditRow) -> tuple[int, str] | None:
    """The validation that a row names; None for a row that was edited so that it names none."""
    try:
        said = msgspec.json.decode(entry.details, type=_Named)
    except msgspec.MsgspecError:
        return None
    return said.validation, said.digest


def _unreadable(entry: AuditRow) -> str:
    return f"row {entry.seq} of the audit log, about {entry.subject}, does not name its validation any more"
