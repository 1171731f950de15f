"""The registry's records: models, and their immutable versions. Every write is audited in the same transaction.

Callers have asked `governance.people.require` before they write; the functions here keep the records right, whoever
calls. `record_version` locks the model's row, so two submissions at once get two numbers on both databases.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from lockgate.config import ModelConfig, Tier
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.governance import audit
from lockgate.registry.manifest import Manifest, canonical, digest_of
from lockgate.registry.naming import VersionName, check_model_name, parse_version
from lockgate.registry.tables import models, tags, version_notes, versions


@dataclass(frozen=True)
class ModelRow:
    """One model: what it is for, whose it is, how much its mistakes cost. `versions` counts its versions."""

    name: str
    tier: Tier
    owner: str
    description: str
    settings: ModelConfig
    tags: dict[str, str]
    versions: int
    created_by: str
    created_us: int


@dataclass(frozen=True)
class Version:
    """One sealed version of a model. `digest` names its package; only notes and tags can change."""

    model: str
    number: int
    digest: str
    author: str
    created_us: int
    manifest: Manifest
    notes: str
    tags: dict[str, str]

    @property
    def name(self) -> str:
        """`churn/3`."""
        return str(VersionName(self.model, self.number))


def create_model(tx: sa.Connection, name: str, settings: ModelConfig, *, actor: str, at_us: int) -> ModelRow:
    """Enter a model. Raises InvalidInput for a name that is not allowed, Conflict when it is there already."""
    check_model_name(name)
    if tx.execute(sa.select(models.c.name).where(models.c.name == name)).first():
        raise Conflict(
            f"there is a model '{name}' already", fix=f"lockgate submit --name {name} adds a version to it"
        )
    row = _settings_columns(settings, actor)
    tx.execute(sa.insert(models).values(name=name, last_number=0, created_by=actor, created_us=at_us, **row))
    audit.append(
        tx,
        at_us=at_us,
        actor=actor,
        action="registry:model:created",
        subject=name,
        details={"settings": settings},
    )
    return get_model(tx, name)


def change_settings(
    tx: sa.Connection, name: str, settings: ModelConfig, *, actor: str, at_us: int
) -> ModelRow:
    """Replace a model's settings; the audit row holds the old and the new. Does nothing when they are equal."""
    old = get_model(tx, name)
    if old.settings == settings:
        return old
    tx.execute(
        sa.update(models).where(models.c.name == name).values(**_settings_columns(settings, old.owner))
    )
    details = {"old": old.settings, "new": settings}
    audit.append(tx, at_us=at_us, actor=actor, action="registry:model:changed", subject=name, details=details)
    return get_model(tx, name)


def get_model(tx: sa.Connection, name: str) -> ModelRow:
    """The model of that name. Raises NotFound that lists what there is."""
    found = tx.execute(sa.select(models).where(models.c.name == name)).one_or_none()
    if found is None:
        known = tx.scalars(sa.select(models.c.name).order_by(models.c.name).limit(20)).all()
        raise NotFound(
            f"there is no model '{name}'", allowed=", ".join(known) or None, fix="lockgate model list"
        )
    return _model(found, _tags_of(tx, name).get(0, {}))


def list_models(tx: sa.Connection) -> list[ModelRow]:
    """Every model, by name."""
    kept: dict[str, dict[str, str]] = {}
    for tag in tx.execute(sa.select(tags).where(tags.c.number == 0)):
        kept.setdefault(tag.model, {})[tag.name] = tag.value
    return [
        _model(row, kept.get(row.name, {})) for row in tx.execute(sa.select(models).order_by(models.c.name))
    ]


def record_version(
    tx: sa.Connection, *, model: str, digest: str, manifest: Manifest, author: str, at_us: int
) -> tuple[Version, bool]:
    """Enter a sealed package as the model's next version, and whether it is new.

    The same digest again gives the version that is there already. Raises NotFound for an unknown model, InvalidInput
    when the digest is not the manifest's.
    """
    if digest_of(manifest) != digest:
        raise InvalidInput(
            "the digest does not belong to this manifest", got=digest, allowed=digest_of(manifest)
        )
    # the update locks the model's row: another submission waits here until this transaction ends
    step = sa.update(models).where(models.c.name == model).values(last_number=models.c.last_number + 1)
    number = tx.scalar(step.returning(models.c.last_number))
    if number is None:
        get_model(tx, model)
        raise Conflict(f"the model '{model}' changed at this moment", fix="submit again")
    there = tx.scalar(
        sa.select(versions.c.number).where(versions.c.model == model, versions.c.digest == digest)
    )
    if there is not None:
        tx.execute(sa.update(models).where(models.c.name == model).values(last_number=number - 1))
        return get_version(tx, VersionName(model, there)), False
    body = canonical(manifest).decode()
    row = {
        "model": model,
        "number": number,
        "digest": digest,
        "author": author,
        "created_us": at_us,
        "manifest": body,
    }
    tx.execute(sa.insert(versions).values(**row))
    subject = str(VersionName(model, number))
    audit.append(
        tx,
        at_us=at_us,
        actor=author,
        action="registry:version:submitted",
        subject=subject,
        details={"digest": digest},
    )
    return get_version(tx, VersionName(model, number)), True


def get_version(tx: sa.Connection, name: str | VersionName) -> Version:
    """The version `churn/3`. Raises InvalidInput for another form, NotFound that says which numbers there are."""
    wanted = parse_version(name) if isinstance(name, str) else name
    here = (versions.c.model == wanted.model) & (versions.c.number == wanted.number)
    found = tx.execute(sa.select(versions).where(here)).one_or_none()
    if found is None:
        newest = get_model(tx, wanted.model).versions
        allowed = f"{wanted.model}/1 to {wanted.model}/{newest}" if newest else "none yet"
        raise NotFound(
            f"there is no version {wanted}", allowed=allowed, fix=f"lockgate model show {wanted.model}"
        )
    note = tx.scalar(
        sa.select(version_notes.c.text).where(
            version_notes.c.model == wanted.model, version_notes.c.number == wanted.number
        )
    )
    return _version(found, note or "", _tags_of(tx, wanted.model).get(wanted.number, {}))


def find_by_digest(tx: sa.Connection, model: str, digest: str) -> Version | None:
    """The version of a model that has this package, if there is one."""
    here = (versions.c.model == model) & (versions.c.digest == digest)
    number = tx.scalar(sa.select(versions.c.number).where(here))
    return None if number is None else get_version(tx, VersionName(model, number))


def versions_of(tx: sa.Connection, model: str) -> list[Version]:
    """Every version of a model, the newest first. Raises NotFound for an unknown model."""
    get_model(tx, model)
    found = tx.execute(
        sa.select(versions).where(versions.c.model == model).order_by(versions.c.number.desc())
    ).all()
    written = tx.execute(sa.select(version_notes).where(version_notes.c.model == model))
    notes = {row.number: row.text for row in written}
    kept = _tags_of(tx, model)
    return [_version(row, notes.get(row.number, ""), kept.get(row.number, {})) for row in found]


def _settings_columns(settings: ModelConfig, owner: str) -> dict[str, str]:
    return {
        "tier": settings.tier.value,
        "owner": settings.owner or owner,
        "description": settings.description or "",
        "settings": msgspec.json.encode(settings, order="deterministic").decode(),
    }


def _tags_of(tx: sa.Connection, model: str) -> dict[int, dict[str, str]]:
    """Tags by version number; 0 holds the model's own."""
    kept: dict[int, dict[str, str]] = {}
    for row in tx.execute(sa.select(tags).where(tags.c.model == model).order_by(tags.c.name)):
        kept.setdefault(row.number, {})[row.name] = row.value
    return kept


def _model(row: sa.Row[tuple[object, ...]], kept: dict[str, str]) -> ModelRow:
    return ModelRow(
        name=row.name,
        tier=Tier(row.tier),
        owner=row.owner,
        description=row.description,
        settings=msgspec.json.decode(row.settings, type=ModelConfig),
        tags=kept,
        versions=row.last_number,
        created_by=row.created_by,
        created_us=row.created_us,
    )


def _version(row: sa.Row[tuple[object, ...]], notes: str, kept: dict[str, str]) -> Version:
    return Version(
        model=row.model,
        number=row.number,
        digest=row.digest,
        author=row.author,
        created_us=row.created_us,
        manifest=msgspec.json.decode(row.manifest, type=Manifest),
        notes=notes,
        tags=kept,
    )
