"""From what was handed in to a sealed, recorded version, as one flow. A process killed anywhere leaves nothing half-made:
files are made in a staging folder, stored under their digest in one rename, and recorded in one transaction, last.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.clock import Clock
from lockgate.config import EnvironmentConfig, Home, ModelConfig
from lockgate.db import Database
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.registry.annotations import allowed_names_of, annotate, tag
from lockgate.registry.manifest import Manifest
from lockgate.registry.mlflow_uri import Fetched, fetch
from lockgate.registry.naming import check_model_name
from lockgate.registry.package import seal, store_package
from lockgate.registry.store import Version, create_model, get_model, get_version, record_version
from lockgate.submission.draft import Job, make
from lockgate.submission.intake import Table, taken
from lockgate.submission.lock import pins_from
from lockgate.submission.parts import Parts, Progress, Stage, Submission, Submitted
from lockgate.submission.receive import open_to_readers, receive_code, receive_model
from lockgate.submission.source import CODE_FOLDER, Exceptions, place
from lockgate.submission.staging import staging

MOST_NAMED = 30  # columns in an error


@dataclass(frozen=True)
class Rooms:
    """What a submission works with."""

    home: Home
    db: Database
    blobs: Blobs
    clock: Clock
    environment: EnvironmentConfig


def submit(parts: Parts, asked: Submission, person: Person, rooms: Rooms, progress: Progress) -> Submitted:
    """Turn what was handed in into a version of `asked.model`.

    Raises Forbidden (no right to submit, or to create the model), Unsafe (names that are not loaded), InvalidInput,
    NotFound and TooLarge (what was handed in), Unavailable (no environment), PredictionFailed (it does not answer).
    Whatever is raised, nothing was stored but data sets, which are named by their content.
    """
    settings, trusted = _settled(asked, person, rooms)
    explicit = pins_from(parts.requirements) if parts.requirements is not None else ()
    with staging(rooms.home) as folder:
        tables = taken(parts.data, folder)
        frames = {name: table.frame for name, table in tables.items()}
        _require_target(settings.target, frames)
        package = folder / "package"
        package.mkdir()
        progress(Stage.RECEIVE, "copying what was handed in")
        fetched = _fetched(parts, asked, folder)
        given = fetched.folder if parts.uri else _received(parts, asked, folder)
        shipped = receive_code(parts.code, package / CODE_FOLDER)
        progress(Stage.SCAN, "comparing every name in it with the list of known ones")
        source = place(given, package, asked.entry, Exceptions(asked.model, trusted, shipped))
        open_to_readers(package)
        job = Job(package, source, frames, asked, settings, explicit)
        made = make(job, rooms.home, rooms.environment, progress)
        progress(Stage.SEAL, "storing the data and sealing the package")
        digest, manifest = seal(package, _finished(made.manifest, tables, asked, fetched, rooms.blobs))
        mended = store_package(rooms.blobs, digest, package, rooms.home.cache)
    progress(Stage.RECORD, "entering the version")
    version, new = _recorded(digest, manifest, asked, person, rooms)
    remarks = (*source.remarks, *made.remarks)
    if not new:
        remarks = (*remarks, f"the same package is {version.name} already")
    if mended:
        remarks = (
            *remarks,
            "its stored files were broken: they were repaired, gateways load it again by themselves",
        )
    return Submitted(version, new, remarks)


def _settled(asked: Submission, person: Person, rooms: Rooms) -> tuple[ModelConfig, frozenset[str]]:
    """The model's settings and the names allowed for it, after asking whether this person may submit."""
    check_model_name(asked.model)
    with rooms.db.read() as tx:
        try:
            settings = get_model(tx, asked.model).settings
        except NotFound:
            require(tx, person, Permission.MODEL_CREATE, asked.model)
            return asked.settings or ModelConfig(), frozenset()
        require(tx, person, Permission.MODEL_SUBMIT, asked.model)
        return settings, frozenset(found.name for found in allowed_names_of(tx, asked.model))


def _require_target(target: str | None, frames: dict[str, pl.DataFrame]) -> None:
    """A target that no table has is a slip of the pen, or rows without labels: nearly every check would be blind."""
    columns = sorted({name for frame in frames.values() for name in frame.columns})
    if target is None or not frames or target in columns:
        return
    near = difflib.get_close_matches(target, columns, n=1)
    shown = ", ".join(columns[:MOST_NAMED]) + (", ..." if len(columns) > MOST_NAMED else "")
    raise InvalidInput(
        "no table has the target", got=target, allowed=shown,
        fix=f"{f'did you mean {near[0]!r}? ' if near else ''}name the column: --target COLUMN",
    )  # fmt: skip


def _fetched(parts: Parts, asked: Submission, folder: Path) -> Fetched:
    if parts.uri is None:
        return Fetched(folder)
    into = folder / "fetched"
    into.mkdir()
    return fetch(parts.uri, into, asked.tracking_uri)


def _received(parts: Parts, asked: Submission, folder: Path) -> Path | None:
    if parts.model is None:
        return None
    return receive_model(parts.model, folder / "given", any_folder=asked.entry is not None)


def _finished(
    manifest: Manifest, tables: dict[str, Table], asked: Submission, fetched: Fetched, blobs: Blobs
) -> Manifest:
    """The manifest with what is known beside the model: data, commit, parameters, metrics."""
    return msgspec.structs.replace(
        manifest,
        data={name: table.store(blobs).digest for name, table in sorted(tables.items())},
        code_commit=asked.commit or fetched.commit,
        parameters={**manifest.parameters, **fetched.parameters, **asked.parameters},
        metrics={**fetched.metrics, **asked.metrics},
    )


def _recorded(
    digest: str, manifest: Manifest, asked: Submission, person: Person, rooms: Rooms
) -> tuple[Version, bool]:
    """Enter the version (and the model, when it is new) in one transaction."""
    at_us = rooms.clock.now_us()
    with rooms.db.write() as tx:
        _model_is_there(tx, asked, person, at_us)
        version, new = record_version(
            tx, model=asked.model, digest=digest, manifest=manifest, author=person.id, at_us=at_us
        )
        if new and asked.notes:
            annotate(tx, version.name, asked.notes, actor=person.id, at_us=at_us)
        if new and asked.tags:
            tag(tx, version.name, asked.tags, actor=person.id, at_us=at_us)
        return get_version(tx, version.name), new


def _model_is_there(tx: sa.Connection, asked: Submission, person: Person, at_us: int) -> None:
    """Create a model that is new. Two first submissions at once: the database lets one create it, both go on."""
    try:
        get_model(tx, asked.model)
    except NotFound:
        require(tx, person, Permission.MODEL_CREATE, asked.model)
        try:
            with tx.begin_nested():
                create_model(tx, asked.model, asked.settings or ModelConfig(), actor=person.id, at_us=at_us)
        except (sa.exc.IntegrityError, Conflict):
            get_model(tx, asked.model)
    require(tx, person, Permission.MODEL_SUBMIT, asked.model)
