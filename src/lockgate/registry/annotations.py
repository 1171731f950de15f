"""What people may change about a version or a model later: notes and tags, and names that an admin allowed.

Nothing here is part of the sealed package. Each change writes an audit row in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.config import ModelConfig
from lockgate.errors import InvalidInput
from lockgate.governance import audit
from lockgate.registry.allowed import only_harms
from lockgate.registry.naming import VersionName, check_tag, parse_version
from lockgate.registry.store import create_model, get_model, get_version, list_models
from lockgate.registry.tables import allowed_names, tags, version_notes

MAX_NOTE = 100_000


@dataclass(frozen=True)
class AllowedName:
    """A global name that the scanner accepts for one model because an admin said so."""

    model: str
    name: str
    reason: str
    allowed_by: str
    allowed_us: int


def annotate(tx: sa.Connection, version: str, text: str, *, actor: str, at_us: int) -> None:
    """Replace the notes of a version (`churn/3`); the audit row keeps the old text. Raises NotFound, InvalidInput."""
    old = get_version(tx, version)
    if len(text) > MAX_NOTE:
        raise InvalidInput(
            "the note is too long", got=f"{len(text)} characters", allowed=f"at most {MAX_NOTE}"
        )
    here = {"model": old.model, "number": old.number}
    mine = (version_notes.c.model == old.model) & (version_notes.c.number == old.number)
    tx.execute(sa.delete(version_notes).where(mine))
    tx.execute(sa.insert(version_notes).values(**here, text=text, edited_by=actor, edited_us=at_us))
    details = {"old": old.notes, "new": text}
    audit.append(
        tx, at_us=at_us, actor=actor, action="registry:version:annotated", subject=old.name, details=details
    )


def tag(
    tx: sa.Connection, subject: str, changes: Mapping[str, str | None], *, actor: str, at_us: int
) -> dict[str, str]:
    """Set tags of a model (`churn`) or a version (`churn/3`); None removes one. Returns all its tags afterwards."""
    for name, value in changes.items():
        check_tag(name, value or "")
    target = parse_version(subject) if "/" in subject else VersionName(subject, 0)
    before = get_version(tx, target).tags if target.number else get_model(tx, target.model).tags
    after = {name: value for name, value in {**before, **changes}.items() if value is not None}
    if after == before:
        return after
    tx.execute(sa.delete(tags).where(tags.c.model == target.model, tags.c.number == target.number))
    rows = [
        {"model": target.model, "number": target.number, "name": name, "value": after[name]}
        for name in sorted(after)
    ]
    if rows:
        tx.execute(sa.insert(tags), rows)
    action = "registry:version:tagged" if target.number else "registry:model:tagged"
    details = {"old": before, "new": after}
    audit.append(tx, at_us=at_us, actor=actor, action=action, subject=subject, details=details)
    return after


def allow_name(tx: sa.Connection, model: str, name: str, reason: str, *, actor: str, at_us: int) -> None:
    """Let the scanner accept one exact global name for one model. Callers have asked for `model:trust` before.

    The first version of a model may need a name before there is a model: then it is entered, with default settings.
    Doing it twice changes nothing. Raises InvalidInput for anything but `package.module.Name`, for a name that can
    only do harm, and without a reason.
    """
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts) or len(name) > 300:
        raise InvalidInput(
            "not a global name", got=name[:80], allowed="package.module.Name, as the scanner shows it"
        )
    if only_harms(name):
        raise InvalidInput(
            f"'{name}' is never allowed: a file that uses it can run commands or code while it is loaded",
            fix="put what needs it into a module of your own and submit that with --code: model code runs confined",
        )
    if not reason.strip():
        raise InvalidInput("allowing a name needs a reason", fix="say why this name is safe: --reason '...'")
    if model not in {found.name for found in list_models(tx)}:
        create_model(tx, model, ModelConfig(), actor=actor, at_us=at_us)
    if name in {found.name for found in allowed_names_of(tx, model)}:
        return
    row = {"model": model, "name": name, "reason": reason, "allowed_by": actor, "allowed_us": at_us}
    tx.execute(sa.insert(allowed_names).values(**row))
    details = {"name": name, "reason": reason}
    audit.append(tx, at_us=at_us, actor=actor, action="registry:name:allowed", subject=model, details=details)


def forbid_name(tx: sa.Connection, model: str, name: str, *, actor: str, at_us: int) -> None:
    """Take an allowed name back; sealed versions that hold it stay as they are. Raises InvalidInput if it was not allowed."""
    here = (allowed_names.c.model == model) & (allowed_names.c.name == name)
    if tx.execute(sa.delete(allowed_names).where(here)).rowcount == 0:
        known = ", ".join(found.name for found in allowed_names_of(tx, model)) or "none"
        raise InvalidInput(f"this name was not allowed for '{model}'", got=name[:80], allowed=known)
    audit.append(
        tx, at_us=at_us, actor=actor, action="registry:name:forbidden", subject=model, details={"name": name}
    )


def allowed_names_of(tx: sa.Connection, model: str) -> list[AllowedName]:
    """The names allowed for a model beyond the built-in list, by name."""
    query = sa.select(allowed_names).where(allowed_names.c.model == model).order_by(allowed_names.c.name)
    return [AllowedName(**row) for row in tx.execute(query).mappings()]
