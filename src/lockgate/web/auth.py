"""Who is asking: a key in the request, a session cookie, or the owner of the home in the same process."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa
from fastapi import Depends, Request

from lockgate.errors import Unauthorized
from lockgate.governance.keys import person_of_key
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.web.sessions import CSRF_FIELD, CSRF_HEADER, Session, Signer, cookie_of, new_session
from lockgate.wiring.house import House
from lockgate.wiring.identity import holder_of, still_holder

OWNER = "lockgate.owner"  # a word in the ASGI scope: only code in this process can put it there
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORMS = (
    "application/x-www-form-urlencoded",
)  # of the console's pages; files are sent by programs with a key


def house_of(request: Request) -> House:
    """The house that this application serves."""
    house: House = request.app.state.house
    return house


def signer_of(request: Request) -> Signer:
    """Signs and reads session cookies."""
    signer: Signer = request.app.state.signer
    return signer


async def current_person(request: Request) -> Person:
    """The person behind a request. Raises Unauthorized; Forbidden for a cookie's write without its token."""
    return (await identify(request))[0]


async def identify(request: Request) -> tuple[Person, Session | None]:
    """The person behind a request, and the session when it came with a cookie."""
    house = house_of(request)
    if request.scope.get(OWNER):
        return house.owner, None
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        with house.db.read() as tx:
            return person_of_key(tx, key.strip()), None
    cookie = cookie_of(request)
    if cookie is None:
        raise Unauthorized(
            "no key was sent",
            fix="send 'Authorization: Bearer KEY'; an admin makes one: lockgate key create NAME",
        )
    session = signer_of(request).open(cookie, house.clock.now_us())
    with house.db.read() as tx:
        person = still_holder(tx, session.person, session.key)
    if request.method not in SAFE_METHODS:
        signer_of(request).check_token(session, await _sent_token(request))
    return person, session


def sign_in(request: Request, key: str) -> tuple[Person, Session]:
    """A new session for whoever holds the key. Raises Unauthorized."""
    house = house_of(request)
    with house.db.read() as tx:
        person, number = holder_of(tx, key.strip())
    return person, new_session(person.id, number, house.clock.now_us())


def require_anywhere(tx: sa.Connection, person: Person, permission: Permission) -> None:
    """Go on only if a person may do something on at least one model. Raises Forbidden."""
    if not models_with(tx, person, permission):
        require(tx, person, permission)


async def _sent_token(request: Request) -> str | None:
    sent = request.headers.get(CSRF_HEADER)
    if sent is None and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get(CSRF_FIELD)
        sent = field if isinstance(field, str) else None
    return sent


Asking = Annotated[Person, Depends(current_person)]
InHouse = Annotated[House, Depends(house_of)]
