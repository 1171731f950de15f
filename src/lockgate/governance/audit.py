"""The audit log: one chain of rows, each holding the hash of the row before it.

`append` writes in the caller's transaction, so an act and its audit row are committed together or not at all. Writers
take turns on the one row of `audit_head`; make the audit row the last write of a transaction, so that nobody waits for
locks while holding it. `find_faults` is pure: it sees any row that was changed, removed, reordered or cut off.
Tags are `source:subject:action`, as in `release:canary:advanced`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

import msgspec
import sqlalchemy as sa

from lockgate.errors import InvalidInput, SealBroken
from lockgate.governance.tables import audit, audit_head

GENESIS = "0" * 64
_FORMAT = "lockgate-audit-1"  # part of every hash: another layout of rows gets another name
_TAG = re.compile(r"[a-z_]+(:[a-z_]+){1,2}")
_PAGE = 1000


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `details` is JSON text as it was hashed; `values` reads it."""

    seq: int
    at_us: int
    actor: str
    action: str
    subject: str
    details: str
    prev_hash: str
    hash: str

    @property
    def values(self) -> dict[str, object]:
        """The details as values."""
        return msgspec.json.decode(self.details, type=dict[str, object])


@dataclass(frozen=True)
class Head:
    """Where the chain ends: the newest row's number and hash."""

    seq: int
    hash: str


class FaultKind(StrEnum):
    """What is wrong with a row or a checkpoint."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT_OFF = "cut_off"
    REWRITTEN = "rewritten"  # the chain is whole, but a signed checkpoint says otherwise
    FORGED_CHECKPOINT = "forged_checkpoint"
    MISSING_CHECKPOINT = "missing_checkpoint"


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, at which row, in words."""

    seq: int
    kind: FaultKind
    what: str


def append(
    tx: sa.Connection,
    *,
    at_us: int,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, object] | None = None,
) -> int:
    """Add one row in the caller's transaction and return its number. Correct with any number of writers.

    `actor` is a person's id or a part of lockgate (`controller`, `policy:low/1`), `action` a tag `source:subject:action`,
    `details` anything that msgspec writes as JSON. Raises InvalidInput for a tag of another form.
    """
    if not _TAG.fullmatch(action):
        raise InvalidInput("an audit tag is written source:subject:action in small letters", got=action)
    text = _text(details or {})
    # the update locks the head row: the next writer waits here until this transaction ends
    step = sa.update(audit_head).where(audit_head.c.id == 1).values(seq=audit_head.c.seq + 1)
    found = tx.execute(step.returning(audit_head.c.seq, audit_head.c.hash)).one_or_none()
    if found is None:
        raise SealBroken("the head of the audit log is gone", fix="restore the database from a backup")
    row = AuditRow(
        seq=found.seq,
        at_us=at_us,
        actor=actor,
        action=action,
        subject=subject,
        details=text,
        prev_hash=found.hash,
        hash="",
    )
    sealed = msgspec.structs.replace(row, hash=hash_of(row))
    tx.execute(sa.insert(audit).values(**msgspec.structs.asdict(sealed)))
    tx.execute(sa.update(audit_head).where(audit_head.c.id == 1).values(hash=sealed.hash))
    return sealed.seq


def _text(details: Mapping[str, object]) -> str:
    """Details as they are kept: the same details are the same text."""
    return msgspec.json.encode(dict(details), order="deterministic").decode()


def hash_of(row: AuditRow) -> str:
    """The hash that a row must carry: SHA-256 over format, every field and the hash before it."""
    fields = [
        _FORMAT,
        row.seq,
        row.at_us,
        row.actor,
        row.action,
        row.subject,
        row.details,
        row.prev_hash,
    ]
    return sha256(msgspec.json.encode(fields)).hexdigest()


def head(tx: sa.Connection) -> Head:
    """Where the chain says that it ends."""
    found = tx.execute(
        sa.select(audit_head.c.seq, audit_head.c.hash).where(audit_head.c.id == 1)
    ).one_or_none()
    return Head(found.seq, found.hash) if found else Head(0, GENESIS)


def rows(
    tx: sa.Connection,
    *,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[AuditRow]:
    """Rows, newest first. `subject` also finds what lies below it (`churn` finds `churn/3`), `action` is a prefix."""
    query = sa.select(audit).order_by(audit.c.seq.desc()).limit(limit)
    if subject:
        below = audit.c.subject.startswith(f"{subject}/", autoescape=True)
        query = query.where(sa.or_(audit.c.subject == subject, below))
    if actor:
        query = query.where(audit.c.actor == actor)
    if action:
        query = query.where(audit.c.action.startswith(action, autoescape=True))
    if before is not None:
        query = query.where(audit.c.seq < before)
    return [AuditRow(**found) for found in tx.execute(query).mappings()]


def newest_times(tx: sa.Connection, subject: str, action: str, limit: int) -> list[int]:
    """When an act (its whole tag) was last done on exactly this subject, newest first (microseconds)."""
    query = sa.select(audit.c.at_us).where(audit.c.subject == subject, audit.c.action == action)
    return list(tx.execute(query.order_by(audit.c.seq.desc()).limit(limit)).scalars())


def is_on_record(tx: sa.Connection, *, subject: str, action: str, details: Mapping[str, object]) -> bool:
    """Whether an act (its whole tag) was ever done on exactly this subject with exactly these details."""
    same = (audit.c.subject == subject) & (audit.c.action == action) & (audit.c.details == _text(details))
    return tx.execute(sa.select(audit.c.seq).where(same).limit(1)).first() is not None


def chain(tx: sa.Connection, *, after: int = 0) -> Iterator[AuditRow]:
    """Every row in order, read in pages; also rows that stand where none should (numbers below 1)."""
    last: int | None = after or None
    while True:
        query = sa.select(audit).order_by(audit.c.seq).limit(_PAGE)
        page = tx.execute(query if last is None else query.where(audit.c.seq > last)).mappings().all()
        for found in page:
            yield AuditRow(**found)
        if len(page) < _PAGE:
            return
        last = page[-1]["seq"]


def find_faults(found: Iterable[AuditRow], end: Head, start: Head | None = None) -> list[Fault]:
    """Everything that is wrong with rows that should follow `start` (default: the very beginning) and end at `end`."""
    faults: list[Fault] = []
    seq, links = (start.seq, {start.hash}) if start else (0, {GENESIS})
    for row in found:
        computed = hash_of(row)
        if row.seq != seq + 1:
            faults.append(_gap(seq, row.seq))
        if row.hash != computed:
            faults.append(
                Fault(row.seq, FaultKind.CHANGED, f"row {row.seq} was changed after it was written")
            )
        elif row.prev_hash not in links and row.seq == seq + 1:
            faults.append(_broken_link(row))
        # a changed row is reported once: the next may follow from what it says or from what it should say
        seq, links = row.seq, {row.hash, computed}
    if seq < end.seq:
        what = f"row {end.seq}" if end.seq == seq + 1 else f"rows {seq + 1} to {end.seq}"
        faults.append(Fault(seq + 1, FaultKind.CUT_OFF, f"{what} cut off the end"))
    elif seq > end.seq or end.hash not in links:
        what = f"the chain ends at row {seq}, but its head names row {end.seq} with another hash"
        faults.append(Fault(end.seq, FaultKind.CHANGED, what))
    return faults


def _gap(seq: int, found: int) -> Fault:
    if found <= seq:
        return Fault(found, FaultKind.REORDERED, f"row {found} stands after row {seq}")
    missing = f"row {seq + 1}" if found == seq + 2 else f"rows {seq + 1} to {found - 1}"
    return Fault(seq + 1, FaultKind.REMOVED, f"{missing} removed")


def _broken_link(row: AuditRow) -> Fault:
    what = f"row {row.seq} does not follow from row {row.seq - 1}: rows were swapped, or one was written anew"
    return Fault(row.seq, FaultKind.REORDERED, what)
