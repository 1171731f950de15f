"""Who was made from what, both ways: from data to versions of models, from a version to its data and code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL
from lockgate.datasets.diff import rows_in
from lockgate.datasets.large import LARGE_CELLS
from lockgate.datasets.pieces import Table
from lockgate.datasets.split import Split, split_file, split_table
from lockgate.datasets.versions import (
    DataVersion,
    Origin,
    Source,
    children_of,
    get_data,
    parents_of,
    parse_data,
    sets_beside,
)
from lockgate.errors import InvalidInput, LockgateError
from lockgate.governance.people import Person, models_with
from lockgate.governance.permissions import Permission
from lockgate.pipelines.run import DataUsed, Run
from lockgate.pipelines.store import run_of_version, runs_on
from lockgate.registry.store import Version
from lockgate.wiring.data_rows import table_at, working_folder
from lockgate.wiring.datasets import Added, Tell, add_table
from lockgate.wiring.house import House


class ReadBy(msgspec.Struct, frozen=True, kw_only=True):
    """A run that read a data version, and the model's version that it made. `rows`: of those asked about, how many it read."""

    data: str
    run: int
    model: str
    version: int | None
    role: str
    rows: int | None = None


class DataLineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a data version came from, and who was trained on it, or on what was made of it.

    `hidden`: runs of models that the asker may not see; `unread`: versions that runs read and whose rows cannot be looked at any
    more, with the reason: whether they held the rows is not known.
    """

    data: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    read_by: tuple[ReadBy, ...]
    asked_rows: int | None = None
    hidden: int = 0
    unread: dict[str, str] = {}


class MadeOf(msgspec.Struct, frozen=True, kw_only=True):
    """A data version that a model's version was made of, directly or through splits and labels: its rows, and how many of what
    was made of it the training read."""

    data: str
    through: tuple[str, ...]
    rows: int
    read: int


class VersionLineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's version was made from; `run` None: it was submitted by hand, and only sealed digests are known.

    `origins`: for each of `data`, the versions that it was split, labelled or grown from.
    """

    version: str
    run: Run | None
    data: dict[str, str]
    commit: str | None
    origins: dict[str, tuple[MadeOf, ...]] = {}


@dataclass(frozen=True)
class _Held:
    """Data versions that matter, by name, with how many of the asked rows each holds (None: all of it was asked about)."""

    rows: dict[str, int | None]
    unread: dict[str, str] = field(default_factory=dict)


def data_lineage(
    house: House, person: Person, data: DataVersion, rows: tuple[int, int] | None = None
) -> DataLineage:
    """Who read this version or what was made of it, of the models that a person may see; with `rows` (first and last, from 1):
    who read these rows, in whatever version of the data set, of what it was made from or into.
    """
    with house.db.read() as tx:
        parents = tuple(_full(one) for one in parents_of(tx, data.name, data.number))
        children = tuple(_full(one) for one in children_of(tx, data.name, data.number))
        names = _family(tx, data.name)
        found = {run.id: run for name in names for run in runs_on(tx, name)}
        made_of_it = _walk(tx, (data.name, data.number), children_of)
        seen = models_with(tx, person, Permission.MODEL_READ)
    used = {
        f"{one.name}@{one.number}"
        for run in found.values()
        for one in run.made.data.values()
        if one.name in names
    }
    held = _Held(dict.fromkeys(made_of_it)) if rows is None else _who_holds(house, data, rows, used)
    read = [
        ReadBy(data=full, run=run.id, model=run.model, version=run.version, role=role, rows=held.rows[full])
        for run in sorted(found.values(), key=lambda each: -each.id)
        for role, one in run.made.data.items()
        if (full := f"{one.name}@{one.number}") in held.rows
    ]
    shown = tuple(one for one in read if EVERY_MODEL in seen or one.model in seen)
    return DataLineage(
        data=data.full, parents=parents, children=children, read_by=shown, unread=held.unread,
        asked_rows=None if rows is None else rows[1] - rows[0] + 1, hidden=len(read) - len(shown),
    )  # fmt: skip


def version_lineage(house: House, version: Version) -> VersionLineage:
    """What a version was made from."""
    with house.db.read() as tx:
        run = run_of_version(tx, version.model, version.number)
        used = run.made.data if run else {}
        origins = {role: tuple(_made_of(tx, one)) for role, one in used.items()}
    data = {role: f"{one.name}@{one.number}" for role, one in used.items()} or dict(version.manifest.data)
    return VersionLineage(version=version.name, run=run, data=data, commit=version.manifest.code_commit,
                          origins={role: found for role, found in origins.items() if found})  # fmt: skip


def split_data(house: House, person: Person, data: DataVersion, how: Split, tell: Tell) -> dict[str, Added]:
    """The parts of a version as versions of data sets of their own: `loans-train`, `loans-test`."""
    said = ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(how).items() if value)
    made = {}
    with table_at(house, data) as table, working_folder(house) as work:
        parts: Mapping[str, pl.DataFrame | Path]
        if table.rows * len(table.schema) > LARGE_CELLS and isinstance(table.source, Path):
            tell("splitting", 0, 1)
            parts = split_file(table.source, how, work)
        else:
            parts = split_table(table.whole(), how)
        for name, rows in parts.items():
            source = Source(origin=Origin.SPLIT, said=f"{name} of {data.full} by {said}", parent=data.full)
            made[name] = add_table(house, person, f"{data.name}-{name}", rows, source=source, tell=tell)
    return made


def _who_holds(house: House, data: DataVersion, rows: tuple[int, int], among: Collection[str]) -> _Held:
    """Which of some versions hold rows of a version, and how many; compared by the columns that they share, where one of the two
    has no others."""
    held: dict[str, int | None] = {}
    unread = {}
    with table_at(house, data) as table:
        wanted = _wanted(table, rows)
    for full in sorted(among):
        with house.db.read() as tx:
            one = get_data(tx, *parse_data(full))
        shared = [name for name in wanted.columns if name in dict(one.columns)]
        if one.kind is not data.kind or len(shared) < min(wanted.width, len(one.columns)):
            continue  # other things: nothing says that a row of one is a row of the other
        try:
            with table_at(house, one) as other:
                count = rows_in(wanted, other, shared)
        except LockgateError as error:  # a reference that changed: what it held then cannot be looked at now
            unread[full] = str(error)
            continue
        if count:
            held[full] = count
    return _Held(held, unread)


def _family(tx: sa.Connection, name: str) -> set[str]:
    """A data set, with all that its versions were made from or into, in turn."""
    found, waiting = {name}, [name]
    while waiting:
        new = set(sets_beside(tx, waiting.pop())) - found
        found |= new
        waiting += new
    return found


def _walk(
    tx: sa.Connection,
    start: tuple[str, int],
    step: Callable[[sa.Connection, str, int], list[tuple[str, int]]],
) -> dict[str, tuple[str, ...]]:
    """A version and all that it leads to, each with the versions between."""
    found: dict[str, tuple[str, ...]] = {_full(start): ()}
    waiting = [start]
    while waiting:
        here = waiting.pop(0)
        for one in step(tx, *here):
            if _full(one) not in found:
                between = (*found[_full(here)], _full(here)) if here != start else ()
                found[_full(one)] = between
                waiting.append(one)
    return found


def _made_of(tx: sa.Connection, used: DataUsed) -> Iterator[MadeOf]:
    start = (used.name, used.number)
    for full, between in _walk(tx, start, parents_of).items():
        if full != _full(start):
            above = get_data(tx, *parse_data(full))
            yield MadeOf(data=full, through=between, rows=above.rows, read=min(used.rows, above.rows))


def _full(one: tuple[str, int]) -> str:
    return f"{one[0]}@{one[1]}"


def _wanted(table: Table, rows: tuple[int, int]) -> pl.DataFrame:
    first, last = rows
    if not 1 <= first <= last <= table.rows:
        raise InvalidInput("there are no such rows", got=f"{first} to {last}", allowed=f"1 to {table.rows}")
    return table.slice(first - 1, last - first + 1)
