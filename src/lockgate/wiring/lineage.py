"""Who was made from what, both ways: from data to versions of models, from a version to its data and code."""

from __future__ import annotations

import msgspec
import polars as pl

from lockgate.access import EVERY_MODEL
from lockgate.datasets.diff import rows_in
from lockgate.datasets.split import Split, split_table
from lockgate.datasets.versions import DataVersion, Origin, Source, data_versions_of
from lockgate.errors import InvalidInput
from lockgate.governance.people import Person, models_with
from lockgate.governance.permissions import Permission
from lockgate.pipelines.run import Run
from lockgate.pipelines.store import run_of_version, runs_on
from lockgate.registry.store import Version
from lockgate.wiring.datasets import Added, Tell, add_table, frame_of
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
    """What a data version came from, and who was trained on it. `hidden`: runs of models that the asker may not see."""

    data: str
    parents: tuple[str, ...]
    children: tuple[str, ...]
    read_by: tuple[ReadBy, ...]
    asked_rows: int | None = None
    hidden: int = 0


class VersionLineage(msgspec.Struct, frozen=True, kw_only=True):
    """What a model's version was made from; `run` None: it was submitted by hand, and only sealed digests are known."""

    version: str
    run: Run | None
    data: dict[str, str]
    commit: str | None


def data_lineage(
    house: House, person: Person, data: DataVersion, rows: tuple[int, int] | None = None
) -> DataLineage:
    """Who read this version, of the models that a person may see; with `rows` (first and last, from 1): who read these rows,
    in whatever version of the data set."""
    with house.db.read() as tx:
        every = data_versions_of(tx, data.name)
        found = runs_on(tx, data.name)
        seen = models_with(tx, person, Permission.MODEL_READ)
    held: dict[int, int | None] = {one.number: None for one in every if one.number == data.number}
    if rows is not None:
        wanted = _wanted(frame_of(house, data), rows)
        counts = {
            one.number: rows_in(wanted, frame_of(house, one)) for one in every if one.columns == data.columns
        }
        held = {number: count for number, count in counts.items() if count}
    read = [
        ReadBy(
            data=f"{used.name}@{used.number}",
            run=run.id,
            model=run.model,
            version=run.version,
            role=role,
            rows=held[used.number],
        )
        for run in found
        for role, used in run.made.data.items()
        if used.name == data.name and used.number in held
    ]
    shown = tuple(one for one in read if EVERY_MODEL in seen or one.model in seen)
    parents = (data.source.parent,) if data.source.parent else ()
    return DataLineage(
        data=data.full, parents=parents, children=tuple(_children(house, data)), read_by=shown,
        asked_rows=None if rows is None else rows[1] - rows[0] + 1, hidden=len(read) - len(shown),
    )  # fmt: skip


def version_lineage(house: House, version: Version) -> VersionLineage:
    """What a version was made from."""
    with house.db.read() as tx:
        run = run_of_version(tx, version.model, version.number)
    data = (
        {role: f"{used.name}@{used.number}" for role, used in run.made.data.items()}
        if run
        else dict(version.manifest.data)
    )
    return VersionLineage(version=version.name, run=run, data=data, commit=version.manifest.code_commit)


def split_data(house: House, person: Person, data: DataVersion, how: Split, tell: Tell) -> dict[str, Added]:
    """The parts of a version as versions of data sets of their own: `loans-train`, `loans-test`."""
    parts = split_table(frame_of(house, data), how)
    said = ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(how).items() if value)
    made = {}
    for name, frame in parts.items():
        source = Source(origin=Origin.SPLIT, said=f"{name} of {data.full} by {said}", parent=data.full)
        made[name] = add_table(house, person, f"{data.name}-{name}", frame, source=source, tell=tell)
    return made


def _wanted(frame: pl.DataFrame, rows: tuple[int, int]) -> pl.DataFrame:
    first, last = rows
    if not 1 <= first <= last <= frame.height:
        raise InvalidInput("there are no such rows", got=f"{first} to {last}", allowed=f"1 to {frame.height}")
    return frame.slice(first - 1, last - first + 1)


def _children(house: House, data: DataVersion) -> list[str]:
    found = []
    with house.db.read() as tx:
        for part in ("train", "validation", "test"):
            try:
                versions = data_versions_of(tx, f"{data.name}-{part}")
            except LookupError:
                continue  # it was never split
            found += [one.full for one in versions if one.source.parent == data.full]
    return found
