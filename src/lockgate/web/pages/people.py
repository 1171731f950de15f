"""People, their roles and keys: for admins to write, for auditors to read."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, TypeVar

import sqlalchemy as sa
from fastapi import APIRouter, Form
from starlette.responses import Response

from lockgate.access import EVERY_MODEL, rate_words
from lockgate.errors import InvalidInput, LockgateError, http_status
from lockgate.governance.keys import create_key, list_keys, revoke_key
from lockgate.governance.people import (
    PersonKind,
    add_person,
    get_person,
    grant,
    grants_of,
    list_people,
    may,
    require,
    revoke,
    set_active,
)
from lockgate.governance.permissions import Permission, RoleName
from lockgate.registry.store import list_models
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, go, page

Named = TypeVar("Named", bound=StrEnum)
router = APIRouter(route_class=PageRoute)


@router.get("/people")
def people(looking: Looking) -> Response:
    """Everyone with roles and keys, and the forms."""
    return _show(looking)


@router.post("/people")
def enter(
    looking: Looking,
    id: Annotated[str, Form()] = "",
    name: Annotated[str, Form()] = "",
    kind: Annotated[str, Form()] = "person",
) -> Response:
    """Enter a person or an application."""
    return _act(
        looking,
        lambda tx: add_person(
            tx,
            id.strip(),
            name=name.strip(),
            kind=_one_of(PersonKind, kind),
            by=looking.person,
            at_us=looking.now_us,
        ),
    )


@router.post("/people/{person}/grant")
def give(
    person: str, looking: Looking, role: Annotated[str, Form()], model: Annotated[str, Form()] = EVERY_MODEL
) -> Response:
    """Give a role."""
    return _act(
        looking,
        lambda tx: grant(tx, person, _one_of(RoleName, role), model, by=looking.person, at_us=looking.now_us),
    )


@router.post("/people/{person}/revoke")
def take(
    person: str, looking: Looking, role: Annotated[str, Form()], model: Annotated[str, Form()] = EVERY_MODEL
) -> Response:
    """Take a role away."""
    return _act(
        looking,
        lambda tx: revoke(
            tx, person, _one_of(RoleName, role), model, by=looking.person, at_us=looking.now_us
        ),
    )


@router.post("/people/{person}/active")
def activate(person: str, looking: Looking, active: Annotated[bool, Form()]) -> Response:
    """Let a person act, or no longer."""
    return _act(looking, lambda tx: set_active(tx, person, active, by=looking.person, at_us=looking.now_us))


@router.post("/keys")
def make_key(
    looking: Looking, person: Annotated[str, Form()], label: Annotated[str, Form()] = ""
) -> Response:
    """A new key, shown on the answer's page and never again."""
    try:
        with looking.house.db.write() as tx:
            owner = get_person(tx, person)
            key, _ = create_key(
                tx, owner, label=label.strip() or "console", by=looking.person, at_us=looking.now_us
            )
    except LockgateError as error:
        return _show(looking, problem=error)
    looking.house.publish_access()
    return _show(looking, key=key, owner=person)


@router.post("/keys/{number}/revoke")
def end_key(number: int, looking: Looking) -> Response:
    """Make a key worthless."""
    return _act(looking, lambda tx: revoke_key(tx, number, by=looking.person, at_us=looking.now_us))


def _act(looking: Viewer, change: Callable[[sa.Connection], object]) -> Response:
    try:
        with looking.house.db.write() as tx:
            change(tx)
    except LockgateError as error:
        return _show(looking, problem=error)
    looking.house.publish_access()
    return go("/people")


def _show(
    looking: Viewer, *, problem: LockgateError | None = None, key: str = "", owner: str = ""
) -> Response:
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.PERSON_READ)
        roles = grants_of(tx)
        everyone = [
            (person, [role for role in roles if role.person == person.id]) for person in list_people(tx)
        ]
        return page(
            looking,
            "people.html",
            status=http_status(problem) if problem else 200,
            everyone=everyone,
            keys=list_keys(tx),
            rate_words=rate_words,
            roles=[role.value for role in RoleName],
            models=[model.name for model in list_models(tx)],
            may_write=may(tx, looking.person, Permission.PERSON_WRITE),
            problem=problem,
            key=key,
            owner=owner,
        )


def _one_of(kind: type[Named], value: str) -> Named:
    try:
        return kind(value)
    except ValueError as error:
        allowed = ", ".join(str(each) for each in kind)
        raise InvalidInput(f"there is no such {kind.__name__}", got=value, allowed=allowed) from error
