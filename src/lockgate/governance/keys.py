"""API keys: whoever holds a key is the person that it was made for. Only hashes are stored."""

from __future__ import annotations

import secrets

import msgspec
import sqlalchemy as sa

from lockgate.access import Access, Caller, key_hash
from lockgate.errors import NotFound, Unauthorized
from lockgate.governance.audit import append
from lockgate.governance.people import Person, PersonKind, get_person, list_people, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.governance.tables import keys

KEY_BYTES = 32  # 256 random bits: guessing is hopeless, so the hash needs no salt and no stretching
_PREFIX = "lg_"
_SHOWN = 9  # characters kept for people to tell their keys apart


class KeyRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key."""

    id: int
    prefix: str
    person: str
    label: str
    created_by: str
    created_us: int
    revoked_us: int | None = None


_SHOW = tuple(column for column in keys.c if column.name != "hash")


def create_key(tx: sa.Connection, owner: Person, *, label: str, by: Person, at_us: int) -> tuple[str, KeyRow]:
    """A new key for `owner`, and what is kept of it. The key itself is shown this once and stored nowhere.

    People make keys for themselves; a key for someone else, or one made by an application, needs person:write.
    """
    if by.id != owner.id or by.kind is PersonKind.APPLICATION:
        require(tx, by, Permission.PERSON_WRITE)
    if not get_person(tx, owner.id).active:
        raise NotFound(f"{owner.id} is not active", fix=f"lockgate person activate {owner.id}")
    key = _PREFIX + secrets.token_urlsafe(KEY_BYTES)
    shown = {
        "prefix": key[:_SHOWN],
        "person": owner.id,
        "label": label,
        "created_by": by.id,
        "created_us": at_us,
    }
    made = tx.execute(sa.insert(keys).values(hash=key_hash(key), **shown).returning(*_SHOW)).one()
    row = msgspec.convert(made, KeyRow, from_attributes=True)
    append(tx, at_us=at_us, actor=by.id, action="people:key:created", subject=owner.id,
           details={"key": row.id, "prefix": row.prefix, "label": label})  # fmt: skip
    return key, row


def revoke_key(tx: sa.Connection, key_id: int, *, by: Person, at_us: int) -> KeyRow:
    """Make a key worthless. Its owner may, and who has person:write. Revoking twice changes nothing."""
    found = tx.execute(sa.select(*_SHOW).where(keys.c.id == key_id)).one_or_none()
    if found is None:
        raise NotFound(f"there is no key {key_id}", fix="lockgate key list")
    row = msgspec.convert(found, KeyRow, from_attributes=True)
    if by.id != row.person:
        require(tx, by, Permission.PERSON_WRITE)
    changed = tx.execute(
        sa.update(keys).where(keys.c.id == key_id, keys.c.revoked_us.is_(None)).values(revoked_us=at_us)
    )
    if not changed.rowcount:
        return row
    append(tx, at_us=at_us, actor=by.id, action="people:key:revoked", subject=row.person,
           details={"key": row.id, "prefix": row.prefix})  # fmt: skip
    return msgspec.structs.replace(row, revoked_us=at_us)


def list_keys(tx: sa.Connection, owner: str | None = None) -> list[KeyRow]:
    """Keys of one person, or everyone's, the newest first."""
    query = sa.select(*_SHOW).order_by(keys.c.id.desc())
    if owner is not None:
        query = query.where(keys.c.person == owner)
    return [msgspec.convert(row, KeyRow, from_attributes=True) for row in tx.execute(query)]


def person_of_key(tx: sa.Connection, key: str) -> Person:
    """Who holds a key. Raises Unauthorized for one that is unknown, revoked, or whose owner may no longer act."""
    query = sa.select(keys.c.person).where(keys.c.hash == key_hash(key), keys.c.revoked_us.is_(None))
    owner = tx.execute(query).scalar_one_or_none()
    person = get_person(tx, owner) if owner is not None else None
    if person is None or not person.active:
        raise Unauthorized(
            "this key is not known or was revoked", fix="an admin makes one: lockgate key create NAME"
        )
    return person


def access_snapshot(tx: sa.Connection, open: bool = False) -> Access:
    """What the gateway must know: every valid key, its owner, and the models that the owner may call."""
    callable_by = {
        person.id: models_with(tx, person, Permission.PREDICTION_CALL) for person in list_people(tx)
    }
    valid = tx.execute(sa.select(keys.c.hash, keys.c.person).where(keys.c.revoked_us.is_(None)))
    callers = {
        row.hash: Caller(row.person, callable_by[row.person]) for row in valid if callable_by[row.person]
    }
    return Access(callers=callers, open=open)
