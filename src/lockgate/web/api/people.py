"""People, their roles and their keys."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.access import EVERY_MODEL, parse_rate
from lockgate.governance.keys import KeyRow, Limit, create_key, limit_key, list_keys, revoke_key
from lockgate.governance.people import (
    Grant,
    Person,
    PersonKind,
    add_person,
    get_person,
    grant,
    grants_of,
    list_people,
    require,
    revoke,
    set_active,
)
from lockgate.governance.permissions import Permission, RoleName
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says

router = APIRouter(tags=["people"])


class Standing(msgspec.Struct, frozen=True):
    """A person and their roles."""

    person: Person
    roles: list[Grant]


class KeyShown(msgspec.Struct, frozen=True):
    """A new key, and what is kept of it."""

    key: str
    row: KeyRow


class NewPerson(BaseModel):
    """Someone to enter."""

    model_config = ConfigDict(extra="forbid")
    id: str
    name: str = ""
    kind: PersonKind = PersonKind.PERSON


class Role(BaseModel):
    """A role to give or to take away."""

    model_config = ConfigDict(extra="forbid")
    person: str
    role: RoleName
    model: str = EVERY_MODEL


class NewKey(BaseModel):
    """A key to make; for oneself when nobody is named."""

    model_config = ConfigDict(extra="forbid")
    person: str | None = None
    label: str = Field("", max_length=200)
    rate: str | None = Field(None, description="what the key may send to the gateway, as in 100/s")
    burst: int | None = None


class NewLimit(BaseModel):
    """What a key may send to the gateway; nothing: the gateway's default."""

    model_config = ConfigDict(extra="forbid")
    rate: str | None = None
    burst: int | None = None


class Activity(BaseModel):
    """Whether someone may act."""

    model_config = ConfigDict(extra="forbid")
    active: bool


@router.get("/me", responses=says(Standing))
def who_am_i(house: InHouse, me: Asking) -> Response:
    """The person behind this request, with their roles."""
    with house.db.read() as tx:
        return answer(Standing(me, grants_of(tx, me.id)))


@router.get("/people", responses=says(Standing, many=True))
def people(house: InHouse, me: Asking) -> Response:
    """Everyone, with their roles."""
    with house.db.read() as tx:
        require(tx, me, Permission.PERSON_READ)
        roles = grants_of(tx)
        found = list_people(tx)
    return answer([Standing(each, [r for r in roles if r.person == each.id]) for each in found])


@router.post("/people", responses=says(Person))
def enter_person(new: NewPerson, house: InHouse, me: Asking) -> Response:
    """Enter a person, who has no role yet."""
    with house.db.write() as tx:
        person = add_person(tx, new.id, name=new.name, kind=new.kind, by=me, at_us=house.clock.now_us())
    return answer(person)


@router.post("/people/{person}/active", responses=says(Person))
def activate(person: str, wanted: Activity, house: InHouse, me: Asking) -> Response:
    """Let a person act, or no longer; their keys stop to work at once."""
    with house.db.write() as tx:
        changed = set_active(tx, person, wanted.active, by=me, at_us=house.clock.now_us())
    house.publish_access()
    return answer(changed)


@router.post("/grants", responses=says(Grant))
def give_role(role: Role, house: InHouse, me: Asking) -> Response:
    """Give a person a role on a model, or on all."""
    with house.db.write() as tx:
        given = grant(tx, role.person, role.role, role.model, by=me, at_us=house.clock.now_us())
    house.publish_access()
    return answer(given)


@router.post("/grants/revoke", responses=says())
def take_role(role: Role, house: InHouse, me: Asking) -> Response:
    """Take a role away."""
    with house.db.write() as tx:
        revoke(tx, role.person, role.role, role.model, by=me, at_us=house.clock.now_us())
    house.publish_access()
    return answer({"person": role.person, "role": role.role, "model": role.model})


@router.get("/keys", responses=says(KeyRow, many=True))
def keys(house: InHouse, me: Asking, person: Annotated[str | None, Query()] = None) -> Response:
    """One's own keys; everyone's for those who may see people."""
    with house.db.read() as tx:
        if person != me.id:
            require(tx, me, Permission.PERSON_READ)
        return answer(list_keys(tx, person))


@router.post("/keys", responses=says(KeyShown))
def make_key(new: NewKey, house: InHouse, me: Asking) -> Response:
    """A new key, shown this once."""
    with house.db.write() as tx:
        owner = get_person(tx, new.person) if new.person else me
        limit = _limit(new.rate, new.burst)
        key, row = create_key(tx, owner, label=new.label, by=me, at_us=house.clock.now_us(), limit=limit)
    house.publish_access()
    return answer(KeyShown(key, row))


@router.delete("/keys/{number}", responses=says(KeyRow))
def end_key(number: int, house: InHouse, me: Asking) -> Response:
    """Make a key worthless, at once and everywhere."""
    with house.db.write() as tx:
        row = revoke_key(tx, number, by=me, at_us=house.clock.now_us())
    house.publish_access()
    return answer(row)


@router.post("/keys/{number}/limit", responses=says(KeyRow))
def change_limit(number: int, new: NewLimit, house: InHouse, me: Asking) -> Response:
    """Give a key another limit, in force with its next request."""
    with house.db.write() as tx:
        limit = _limit(new.rate, new.burst)
        row = limit_key(tx, number, limit, by=me, at_us=house.clock.now_us())
    house.publish_access()
    return answer(row)


def _limit(rate: str | None, burst: int | None) -> Limit:
    return Limit(parse_rate(rate) if rate is not None else None, burst)
