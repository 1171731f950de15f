"""People and applications, their roles per model, and the one question that every room asks: `require`."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.audit import append, is_on_record
from lockgate.governance.permissions import ROLES, SENTENCES, Permission, RoleName, roles_with
from lockgate.governance.tables import grants, people

# Names under which parts of lockgate act: no person may be called so.
PARTS = frozenset(
    {"anonymous", "archiver", "controller", "gateway", "lockgate", "pipeline", "shadow", "system"}
)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")


class PersonKind(StrEnum):
    """Who acts: a human being, or an application with keys of its own."""

    PERSON = "person"
    APPLICATION = "application"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who may act. `id` is what the audit log names, and never changes."""

    id: str
    name: str
    kind: PersonKind = PersonKind.PERSON
    active: bool = True
    created_us: int = 0


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """One role of one person on one model (`*`: every model)."""

    person: str
    role: RoleName
    model: str
    granted_by: str
    granted_us: int


def bootstrap(tx: sa.Connection, account: str, *, at_us: int) -> Person:
    """The first person of a new home: the account that owns it, admin of everything. Later calls only find people.

    Raises NotFound when the home has people, and the account is none of them.
    """
    if tx.execute(sa.select(people.c.id).limit(1)).first() is not None:
        return get_person(tx, account)
    person = Person(id=_checked_id(account), name=account, created_us=at_us)
    tx.execute(sa.insert(people).values(**msgspec.structs.asdict(person)))
    _record_grant(tx, person.id, RoleName.ADMIN, EVERY_MODEL, by=person.id, at_us=at_us)
    append(tx, at_us=at_us, actor=person.id, action="people:person:bootstrapped", subject=person.id,
           details={"role": RoleName.ADMIN, "model": EVERY_MODEL})  # fmt: skip
    return person


def add_person(
    tx: sa.Connection,
    identifier: str,
    *,
    name: str = "",
    kind: PersonKind = PersonKind.PERSON,
    by: Person,
    at_us: int,
) -> Person:
    """Enter a person, who has no role yet. Raises Conflict when the name is taken."""
    require(tx, by, Permission.PERSON_WRITE, EVERY_MODEL)
    if find_person(tx, _checked_id(identifier)) is not None:
        raise Conflict(f"there is a person '{identifier}' already", fix="choose another name")
    person = Person(id=identifier, name=name or identifier, kind=kind, created_us=at_us)
    tx.execute(sa.insert(people).values(**msgspec.structs.asdict(person)))
    append(tx, at_us=at_us, actor=by.id, action="people:person:added", subject=identifier,
           details={"name": person.name, "kind": kind})  # fmt: skip
    return person


def find_person(tx: sa.Connection, identifier: str) -> Person | None:
    """A person by id, if there is one."""
    found = tx.execute(sa.select(people).where(people.c.id == identifier)).one_or_none()
    return msgspec.convert(found, Person, from_attributes=True) if found else None


def get_person(tx: sa.Connection, identifier: str) -> Person:
    """A person by id. Raises NotFound."""
    person = find_person(tx, identifier)
    if person is None:
        raise NotFound(
            f"there is no person '{identifier}'", fix=f"an admin adds them: lockgate person add {identifier}"
        )
    return person


def list_people(tx: sa.Connection) -> list[Person]:
    """Everyone, by id."""
    found = tx.execute(sa.select(people).order_by(people.c.id))
    return [msgspec.convert(row, Person, from_attributes=True) for row in found]


def enter_part(tx: sa.Connection, name: str, role: RoleName, model: str, *, at_us: int) -> Person:
    """A part of lockgate that acts by itself (`pipeline`), with its role on a model: entered and granted where it is new.

    An admin who deactivates it, or takes the role away, stops what it does: neither is given back here. Raises InvalidInput for
    a name that is no part's.
    """
    if name not in PARTS:
        raise InvalidInput("this is no part of lockgate", got=name, allowed=", ".join(sorted(PARTS)))
    part = find_person(tx, name)
    if part is None:
        part = Person(id=name, name=name, kind=PersonKind.APPLICATION, created_us=at_us)
        tx.execute(sa.insert(people).values(**msgspec.structs.asdict(part)))
        append(tx, at_us=at_us, actor="lockgate", action="people:person:added", subject=name,
               details={"name": name, "kind": part.kind})  # fmt: skip
    held = any((held.role, held.model) == (role, model) for held in grants_of(tx, name))
    if not held and not was_revoked(tx, name, role, model):
        _record_grant(tx, name, role, model, by="lockgate", at_us=at_us)
        append(tx, at_us=at_us, actor="lockgate", action="people:role:granted", subject=name,
               details={"role": role, "model": model})  # fmt: skip
    return part


def set_active(tx: sa.Connection, identifier: str, active: bool, *, by: Person, at_us: int) -> Person:
    """Let a person act, or no longer: their keys stop to work too. Raises Conflict for the last admin."""
    require(tx, by, Permission.PERSON_WRITE, EVERY_MODEL)
    person = get_person(tx, identifier)
    if person.active == active:
        return person
    if not active:
        _keep_an_admin(tx, without=identifier)
    tx.execute(sa.update(people).where(people.c.id == identifier).values(active=active))
    action = "people:person:activated" if active else "people:person:deactivated"
    append(tx, at_us=at_us, actor=by.id, action=action, subject=identifier)
    return msgspec.structs.replace(person, active=active)


def grant(
    tx: sa.Connection, identifier: str, role: RoleName, model: str = EVERY_MODEL, *, by: Person, at_us: int
) -> Grant:
    """Give a person a role on a model. Granting what is held already changes nothing."""
    require(tx, by, Permission.PERSON_WRITE, model)
    get_person(tx, identifier)
    held = [found for found in grants_of(tx, identifier) if (found.role, found.model) == (role, model)]
    if held:
        return held[0]
    given = _record_grant(tx, identifier, role, model, by=by.id, at_us=at_us)
    append(tx, at_us=at_us, actor=by.id, action="people:role:granted", subject=identifier,
           details={"role": role, "model": model})  # fmt: skip
    return given


def revoke(
    tx: sa.Connection, identifier: str, role: RoleName, model: str = EVERY_MODEL, *, by: Person, at_us: int
) -> None:
    """Take a role away. Raises NotFound when it is not held, Conflict when nobody would be left as admin."""
    require(tx, by, Permission.PERSON_WRITE, model)
    if role is RoleName.ADMIN and model == EVERY_MODEL:
        _keep_an_admin(tx, without=identifier)
    chosen = (grants.c.person == identifier, grants.c.role == role, grants.c.model == model)
    if not tx.execute(sa.delete(grants).where(*chosen)).rowcount:
        raise NotFound(f"{identifier} does not have the role {role} on {_named(model)}")
    append(tx, at_us=at_us, actor=by.id, action="people:role:revoked", subject=identifier,
           details={"role": role, "model": model})  # fmt: skip


def was_revoked(tx: sa.Connection, identifier: str, role: RoleName, model: str = EVERY_MODEL) -> bool:
    """Whether somebody took this role on this model away, by what is on record, and nobody gave it back."""
    if any((held.role, held.model) == (role, model) for held in grants_of(tx, identifier)):
        return False
    taken = {"role": role, "model": model}
    return is_on_record(tx, subject=identifier, action="people:role:revoked", details=taken)


def grants_of(tx: sa.Connection, identifier: str | None = None) -> list[Grant]:
    """The roles of one person, or of everyone."""
    query = sa.select(grants).order_by(grants.c.person, grants.c.model, grants.c.role)
    if identifier is not None:
        query = query.where(grants.c.person == identifier)
    return [msgspec.convert(row, Grant, from_attributes=True) for row in tx.execute(query)]


def models_with(tx: sa.Connection, person: Person, permission: Permission) -> tuple[str, ...]:
    """The models on which a person may do something, sorted; `("*",)` for all, empty for none."""
    if not person.active:
        return ()
    found = {held.model for held in grants_of(tx, person.id) if permission in ROLES[held.role]}
    return (EVERY_MODEL,) if EVERY_MODEL in found else tuple(sorted(found))


def may(tx: sa.Connection, person: Person, permission: Permission, model: str = EVERY_MODEL) -> bool:
    """Whether a person may do something on a model (`*`: on all of them). The state on record counts, not `person`'s."""
    current = find_person(tx, person.id)
    if current is None:
        return False
    found = models_with(tx, current, permission)
    return EVERY_MODEL in found or model in found


def require(tx: sa.Connection, person: Person, permission: Permission, model: str = EVERY_MODEL) -> None:
    """Go on only if a person may do something on a model.

    Raises Forbidden that says who lacks what on which model, which roles have it, and who can grant one.
    """
    if may(tx, person, permission, model):
        return
    current = find_person(tx, person.id)
    if current is None or not current.active:
        raise Forbidden(f"{person.id} is not an active person here", fix=f"ask {_granters(tx, EVERY_MODEL)}")
    held = [f"{found.role} on {_named(found.model)}" for found in grants_of(tx, person.id)]
    roles = roles_with(permission)
    target = "" if model == EVERY_MODEL else f" --model {model}"
    raise Forbidden(
        f"{person.id} may not {SENTENCES[permission]} ({permission}) on {_named(model)}",
        got=f"{person.id} is {', '.join(held)}" if held else f"{person.id} has no role",
        allowed=", ".join(roles),
        fix=f"ask {_granters(tx, model)}: lockgate grant {person.id} {roles[0]}{target}",
    )


def _record_grant(
    tx: sa.Connection, identifier: str, role: RoleName, model: str, *, by: str, at_us: int
) -> Grant:
    given = Grant(person=identifier, role=role, model=model, granted_by=by, granted_us=at_us)
    tx.execute(sa.insert(grants).values(**msgspec.structs.asdict(given)))
    return given


def _admins(tx: sa.Connection, model: str) -> list[str]:
    query = (
        sa.select(grants.c.person)
        .join(people, people.c.id == grants.c.person)
        .where(grants.c.role == RoleName.ADMIN, grants.c.model.in_({EVERY_MODEL, model}), people.c.active)
        .order_by(grants.c.person)
        .distinct()
    )
    return list(tx.execute(query).scalars())


def _keep_an_admin(tx: sa.Connection, *, without: str) -> None:
    # the rows are locked: two admins who remove each other at once take turns, and the second is refused
    lock = sa.select(grants.c.person).where(grants.c.role == RoleName.ADMIN, grants.c.model == EVERY_MODEL)
    tx.execute(lock.with_for_update()).all()
    admins = _admins(tx, EVERY_MODEL)
    if without in admins and len(admins) == 1:
        raise Conflict(
            f"{without} is the last admin", fix="first make someone else one: lockgate grant NAME admin"
        )


def _granters(tx: sa.Connection, model: str) -> str:
    return " or ".join([*_admins(tx, model)[:3]]) or "the account that owns the home folder"


def _named(model: str) -> str:
    return "every model" if model == EVERY_MODEL else f"model '{model}'"


def _checked_id(identifier: str) -> str:
    if identifier in PARTS or not _ID.fullmatch(identifier):
        raise InvalidInput(
            "a person cannot be called so",
            got=repr(identifier),
            allowed="1 to 64 letters, digits and . _ @ + -, beginning with a letter or digit; not the name of a part of "
            "lockgate",
        )
    return identifier
