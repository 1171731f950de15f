"""API keys: whoever holds a key is the person that it was made for. Only hashes are stored."""

from __future__ import annotations

import secrets

import msgspec
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL, LARGEST_RATE, Access, Caller, key_hash
from lockgate.errors import InvalidInput, NotFound, Unauthorized
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
    rate_per_s: float | None = None
    burst: int | None = None


class Limit(msgspec.Struct, frozen=True):
    """How many requests a second a key may send to the gateway, and how many at once after a rest.

    None: the gateway's default (`key_rate`, `key_burst` in config.yaml). Without a burst it is one second's worth.
    """

    rate_per_s: float | None = None
    burst: int | None = None

    def checked(self) -> Limit:
        """Itself. Raises InvalidInput for numbers that limit nothing or everything."""
        if self.rate_per_s is not None and not 0 < self.rate_per_s < LARGEST_RATE:
            raise InvalidInput(
                "this is no rate", got=self.rate_per_s, allowed=f"above 0, under {LARGEST_RATE:g}"
            )
        if self.burst is not None and not 1 <= self.burst < LARGEST_RATE:
            raise InvalidInput("this is no burst", got=self.burst, allowed=f"1 to {LARGEST_RATE:g}")
        if self.burst is not None and self.rate_per_s is None:
            raise InvalidInput("a burst needs a rate", fix="give --rate too, as in --rate 100/s")
        return self


NO_LIMIT = Limit()
_SHOW = tuple(column for column in keys.c if column.name != "hash")


def create_key(
    tx: sa.Connection, owner: Person, *, label: str, by: Person, at_us: int, limit: Limit = NO_LIMIT
) -> tuple[str, KeyRow]:
    """A new key for `owner`, and what is kept of it. The key itself is shown this once and stored nowhere.

    People make keys for themselves; a key for someone else, one made by an application, and one with a limit of its own
    need person:write.
    """
    limit.checked()
    if limit.rate_per_s is not None:
        require(tx, by, Permission.PERSON_WRITE)
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
        "rate_per_s": limit.rate_per_s,
        "burst": limit.burst,
    }
    made = tx.execute(sa.insert(keys).values(hash=key_hash(key), **shown).returning(*_SHOW)).one()
    row = msgspec.convert(made, KeyRow, from_attributes=True)
    append(tx, at_us=at_us, actor=by.id, action="people:key:created", subject=owner.id,
           details={"key": row.id, "prefix": row.prefix, "label": label} | _words(limit))  # fmt: skip
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


def limit_key(tx: sa.Connection, key_id: int, limit: Limit, *, by: Person, at_us: int) -> KeyRow:
    """Give a key another limit; `Limit()` gives it the gateway's default again. Needs person:write."""
    require(tx, by, Permission.PERSON_WRITE)
    limit.checked()
    changed = tx.execute(
        sa.update(keys)
        .where(keys.c.id == key_id, keys.c.revoked_us.is_(None))
        .values(rate_per_s=limit.rate_per_s, burst=limit.burst)
        .returning(*_SHOW)
    ).one_or_none()
    if changed is None:
        raise NotFound(f"there is no valid key {key_id}", fix="lockgate key list")
    row = msgspec.convert(changed, KeyRow, from_attributes=True)
    append(tx, at_us=at_us, actor=by.id, action="people:key:limited", subject=row.person,
           details={"key": row.id, "prefix": row.prefix} | _words(limit))  # fmt: skip
    return row


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
    """What the gateway must know: every valid key that opens something there, its owner, and what it opens."""
    verbs = (Permission.PREDICTION_CALL, Permission.MODEL_READ, Permission.METRICS_READ)
    held = {person.id: tuple(models_with(tx, person, verb) for verb in verbs) for person in list_people(tx)}
    shown = (keys.c.hash, keys.c.person, keys.c.id, keys.c.rate_per_s, keys.c.burst)
    callers = {}
    for row in tx.execute(sa.select(*shown).where(keys.c.revoked_us.is_(None))):
        calls, reads, metrics = held[row.person]
        if calls or reads or metrics:
            callers[row.hash] = Caller(
                row.person,
                calls,
                reads=reads,
                metrics=EVERY_MODEL in metrics,  # the numbers name every model
                number=row.id,
                rate_per_s=row.rate_per_s,
                burst=row.burst,
            )
    return Access(callers=callers, open=open)


def _words(limit: Limit) -> dict[str, float | int]:
    """A limit as the audit log tells it; nothing when it is the gateway's default."""
    return {name: value for name, value in msgspec.structs.asdict(limit).items() if value is not None}
