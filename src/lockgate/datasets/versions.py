"""Data sets and their versions: named, numbered, immutable, by content. `loans@3` is the third version of `loans`.

A version says where its rows are: in the store under their digest, or outside (a file, a folder of images) with the digest
that they must still have. Every write is audited in the same transaction.
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.datasets.expectations import Broken, Expectations
from lockgate.datasets.profile import Profile
from lockgate.datasets.tables import data_parents, data_sets, data_versions
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.governance import audit

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_WHOLE = re.compile(r"([^@]+?)(?:@(\d{1,9}|latest))?")


class DataKind(StrEnum):
    """What the rows are."""

    TABLE = "table"
    IMAGES = "images"  # a row for each file: path, label, digest, size
    FILE = "file"  # a file of another kind, as it is: a pipeline reads it


class Origin(StrEnum):
    """Where a version came from."""

    FILE = "file"
    FRAME = "frame"
    SQL = "sql"
    DELTA = "delta"
    FOLDER = "folder"
    SPLIT = "split"
    LABELS = "labels"  # the same rows, with what people labelled
    LOG = "log"  # predictions whose label came


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version came from. `path`: where it still is and is read, when nothing was copied; with its `sha256`.

    `said`: the file's name, the query, the table's address without passwords. `parent`: the version that it was made from.
    Of a Delta table that is referred to, `version` is its own number and `sha256` that of the list of its files; of a query,
    `path` is the database's address without its password and `query` the text.
    """

    origin: Origin
    said: str = ""
    path: str | None = None
    sha256: str | None = None
    parent: str | None = None
    version: int | None = None
    query: str | None = None


class DataSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What people say of a data set: what it is, whose, how to get at it; what every version must keep.

    `target`, `time`, `group`: columns that are predicted, say when, and name the subject: what leaks is looked for with them.
    """

    description: str = ""
    owner: str = ""
    access: str = ""
    target: str = ""
    time: str = ""
    group: str = ""
    expects: Expectations = Expectations()


class DataVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `digest`: of its content (for images: of the table of their digests)."""

    name: str
    number: int
    digest: str
    kind: DataKind
    source: Source
    rows: int
    bytes: int
    columns: tuple[tuple[str, str], ...]
    profile: Profile
    broken: tuple[Broken, ...]
    author: str
    created_us: int

    @property
    def full(self) -> str:
        """`loans@3`."""
        return f"{self.name}@{self.number}"


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """One data set. `versions` counts them."""

    name: str
    settings: DataSettings
    versions: int
    created_by: str
    created_us: int


def parse_data(name: str) -> tuple[str, int | None]:
    """Name and number; None: the newest. Raises InvalidInput.

    >>> parse_data("loans@3"), parse_data("loans"), parse_data("loans@latest")
    (('loans', 3), ('loans', None), ('loans', None))
    """
    found = _WHOLE.fullmatch(name.strip())
    if found is None or not _NAME.fullmatch(found[1]):
        raise InvalidInput(
            "this names no data set", got=name[:80], allowed="loans, loans@3: small letters, digits, . _ -"
        )
    return found[1], int(found[2]) if found[2] and found[2] != "latest" else None


def record_data(tx: sa.Connection, made: DataVersion) -> tuple[DataVersion, bool]:
    """Enter a version under the next number, and whether it is new: the same content again is the version that is there."""
    name, at_us = parse_data(made.name)[0], made.created_us
    _data_set_is_there(tx, name, made.author, at_us)
    step = (
        sa.update(data_sets).where(data_sets.c.name == name).values(last_number=data_sets.c.last_number + 1)
    )
    number = tx.scalar(step.returning(data_sets.c.last_number))
    there = tx.scalar(sa.select(data_versions.c.number).where(
        data_versions.c.name == name, data_versions.c.digest == made.digest))  # fmt: skip
    if there is not None:
        tx.execute(sa.update(data_sets).where(data_sets.c.name == name).values(last_number=number - 1))
        _note_parent(tx, name, there, made.source.parent)
        return get_data(tx, name, there), False
    row = {
        "name": name, "number": number, "digest": made.digest, "kind": made.kind.value, "source": _text(made.source),
        "rows": made.rows, "bytes": made.bytes, "columns": _text(made.columns), "profile": _text(made.profile),
        "broken": _text(made.broken), "author": made.author, "created_us": at_us,
    }  # fmt: skip
    tx.execute(sa.insert(data_versions).values(**row))
    _note_parent(tx, name, number, made.source.parent)
    details = {"digest": made.digest, "rows": made.rows, "broken": len(made.broken)}
    audit.append(
        tx,
        at_us=at_us,
        actor=made.author,
        action="datasets:version:added",
        subject=f"{name}@{number}",
        details=details,
    )
    return get_data(tx, name, number), True


def change_data_set(
    tx: sa.Connection, name: str, settings: DataSettings, *, actor: str, at_us: int
) -> DataSet:
    """Replace what is said of a data set, which is made when it is new; the audit row holds the old and the new."""
    _data_set_is_there(tx, name, actor, at_us)
    old = get_data_set(tx, name)
    if old.settings != settings:
        tx.execute(sa.update(data_sets).where(data_sets.c.name == name).values(settings=_text(settings)))
        details = {"old": old.settings, "new": settings}
        audit.append(
            tx, at_us=at_us, actor=actor, action="datasets:set:changed", subject=name, details=details
        )
    return get_data_set(tx, name)


def get_data_set(tx: sa.Connection, name: str) -> DataSet:
    """The data set of that name. Raises NotFound that lists what there is."""
    found = tx.execute(sa.select(data_sets).where(data_sets.c.name == name)).one_or_none()
    if found is None:
        known = tx.scalars(sa.select(data_sets.c.name).order_by(data_sets.c.name).limit(20)).all()
        raise NotFound(
            f"there is no data set '{name}'",
            allowed=", ".join(known) or None,
            fix=f"lockgate data add {name} FILE",
        )
    return _set(found)


def list_data_sets(tx: sa.Connection) -> list[DataSet]:
    """Every data set, by name."""
    return [_set(row) for row in tx.execute(sa.select(data_sets).order_by(data_sets.c.name))]


def get_data(tx: sa.Connection, name: str, number: int | None = None) -> DataVersion:
    """A version; the newest when no number is given. Raises NotFound that says which there are."""
    newest = get_data_set(tx, name).versions
    wanted = (data_versions.c.name == name) & (data_versions.c.number == (number or newest))
    found = tx.execute(sa.select(data_versions).where(wanted)).one_or_none()
    if found is None:
        allowed = f"{name}@1 to {name}@{newest}" if newest else "none yet"
        raise NotFound(f"there is no {name}@{number or 1}", allowed=allowed, fix=f"lockgate data show {name}")
    return _version(found)


def data_versions_of(tx: sa.Connection, name: str) -> list[DataVersion]:
    """Every version of a data set, the newest first."""
    get_data_set(tx, name)
    wanted = (
        sa.select(data_versions).where(data_versions.c.name == name).order_by(data_versions.c.number.desc())
    )
    return [_version(row) for row in tx.execute(wanted)]


def data_of_digest(tx: sa.Connection, digest: str) -> list[DataVersion]:
    """Every version that holds this content, under whatever name."""
    wanted = sa.select(data_versions).where(data_versions.c.digest == digest).order_by(data_versions.c.name)
    return [_version(row) for row in tx.execute(wanted)]


def parents_of(tx: sa.Connection, name: str, number: int) -> list[tuple[str, int]]:
    """The versions that a version was made from: the same content may come from several."""
    edge = data_parents.c
    wanted = sa.select(edge.parent, edge.parent_number).where(edge.name == name, edge.number == number)
    return [(row.parent, row.parent_number) for row in tx.execute(wanted.order_by(*wanted.selected_columns))]


def children_of(tx: sa.Connection, name: str, number: int) -> list[tuple[str, int]]:
    """The versions that were made from a version."""
    edge = data_parents.c
    wanted = sa.select(edge.name, edge.number).where(edge.parent == name, edge.parent_number == number)
    return [(row.name, row.number) for row in tx.execute(wanted.order_by(*wanted.selected_columns))]


def sets_beside(tx: sa.Connection, name: str) -> list[str]:
    """The data sets that versions of a data set were made from or made into, directly; not itself."""
    edge = data_parents.c
    up = sa.select(edge.parent).where(edge.name == name, edge.parent != name)
    down = sa.select(edge.name).where(edge.parent == name, edge.name != name)
    return sorted(set(tx.scalars(up)) | set(tx.scalars(down)))


def _note_parent(tx: sa.Connection, name: str, number: int, parent: str | None) -> None:
    """Enter which version one was made from. In the transaction that holds the data set's row, so nobody else enters it."""
    if parent is None or parent == f"{name}@{number}":
        return
    above, above_number = parse_data(parent)
    if above_number is not None and (above, above_number) not in parents_of(tx, name, number):
        row = {"name": name, "number": number, "parent": above, "parent_number": above_number}
        tx.execute(sa.insert(data_parents).values(**row))


def _data_set_is_there(tx: sa.Connection, name: str, actor: str, at_us: int) -> None:
    """Make one that is new. Two at once: the database lets one make it, both go on."""
    name = parse_data(name)[0]
    if tx.execute(sa.select(data_sets.c.name).where(data_sets.c.name == name)).first():
        return
    row = {
        "name": name,
        "settings": _text(DataSettings()),
        "last_number": 0,
        "created_by": actor,
        "created_us": at_us,
    }
    try:
        with tx.begin_nested():
            tx.execute(sa.insert(data_sets).values(**row))
    except (sa.exc.IntegrityError, Conflict):
        get_data_set(tx, name)


def _set(row: sa.Row[tuple[object, ...]]) -> DataSet:
    return DataSet(name=row.name, settings=msgspec.json.decode(row.settings, type=DataSettings), versions=row.last_number,
                   created_by=row.created_by, created_us=row.created_us)  # fmt: skip


def _version(row: sa.Row[tuple[object, ...]]) -> DataVersion:
    return DataVersion(
        name=row.name, number=row.number, digest=row.digest, kind=DataKind(row.kind),
        source=msgspec.json.decode(row.source, type=Source), rows=row.rows, bytes=row.bytes,
        columns=msgspec.json.decode(row.columns, type=tuple[tuple[str, str], ...]),
        profile=msgspec.json.decode(row.profile, type=Profile),
        broken=msgspec.json.decode(row.broken, type=tuple[Broken, ...]), author=row.author, created_us=row.created_us,
    )  # fmt: skip


def _text(value: object) -> str:
    return msgspec.json.encode(value, order="deterministic").decode()
