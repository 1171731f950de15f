"""Which key a session was made with, and whether that key and its owner may still act."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.access import key_hash
from lockgate.errors import Unauthorized
from lockgate.governance.keys import person_of_key
from lockgate.governance.people import Person, get_person
from lockgate.governance.tables import keys

_AGAIN = "sign in again with a key that is valid"


def holder_of(tx: sa.Connection, key: str) -> tuple[Person, int]:
    """The person who holds a key, and the key's number. Raises Unauthorized."""
    person = person_of_key(tx, key)
    number: int = tx.execute(sa.select(keys.c.id).where(keys.c.hash == key_hash(key))).scalar_one()
    return person, number


def still_holder(tx: sa.Connection, person: str, key: int) -> Person:
    """The person of a session, as on record now. Raises Unauthorized when the key was revoked or the person left."""
    row = tx.execute(sa.select(keys.c.person, keys.c.revoked_us).where(keys.c.id == key)).one_or_none()
    if row is None or row.person != person or row.revoked_us is not None:
        raise Unauthorized("the key of this session was revoked", fix=_AGAIN)
    found = get_person(tx, person)
    if not found.active:
        raise Unauthorized(f"{person} may no longer act here", fix=_AGAIN)
    return found
