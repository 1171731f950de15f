"""What is said of a data version that was just added: continuous integration for data.

A table is held against its contract, the checks of the quick suite that need no model, and the newest version of the data set
that it is trained on or tested against (`loans-train` beside `loans-test`); a folder of images and a file against what can be
wrong with these.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import polars as pl
import sqlalchemy as sa

from lockgate.checks.evidence import Split
from lockgate.checks.finding import Finding, Status
from lockgate.datasets.dataset import load_dataset
from lockgate.datasets.images import FILES
from lockgate.datasets.versions import (
    DataKind,
    DataSettings,
    DataVersion,
    data_versions_of,
    get_data,
    get_data_set,
    parents_of,
)
from lockgate.errors import LockgateError, NotFound
from lockgate.reports.data_files import file_findings
from lockgate.reports.data_findings import CONTRACT, findings_beside, named
from lockgate.reports.data_pictures import picture_findings
from lockgate.reports.data_profile import COLUMN, data_findings
from lockgate.reports.data_repairs import Named
from lockgate.wiring.data_rows import table_at, unchanged
from lockgate.wiring.datasets import MOST_ROWS, Added, Tell
from lockgate.wiring.house import House

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Looked:
    """A data version, whether it is new, and what is worth a look in it. `sampled`: of how many rows.

    `beside`: the version that it was held against.
    """

    data: DataVersion
    new: bool
    findings: list[Finding] = field(default_factory=list)
    sampled: int | None = None
    beside: str | None = None


def looked_at(house: House, added: Added, *, tell: Tell, target: str = "") -> Looked:
    """The version with its findings. It is on record already, so a defect of a check is a finding and no error.

    `target`: the column that is predicted, where the data set does not say.
    """
    data, sampled, beside = added.data, None, None
    tell("looking for what is wrong", 3, 4)
    try:
        found = findings_of(house, data, added.rows, target)
        if data.kind is DataKind.TABLE:
            sampled = MOST_ROWS if data.rows > added.rows.height else None
            between, beside = _between(house, data, added.rows, target)
            found += between
    except Exception:
        log.exception("the checks of %s ended with a defect", data.full)
        found = [_could_not()]
    worth = [
        each for each in found if each.status is not Status.PASS and each.check not in (COLUMN, CONTRACT)
    ]
    return Looked(data, added.new, worth, sampled, beside)


def looked_at_parts(house: House, parts: dict[str, Added], *, tell: Tell) -> dict[str, Looked]:
    """The parts of a split, each with its findings; the last, once all are there, with what it shares with the others."""
    return {name: looked_at(house, added, tell=tell) for name, added in parts.items()}


def findings_of(house: House, data: DataVersion, rows: pl.DataFrame, target: str = "") -> list[Finding]:
    """What a version holds and what is wrong with it alone, its columns with their pictures. `rows`: all, or a sample.

    Raises InvalidInput for a target that is no column, and as `table_at` for a file that changed or is gone.
    """
    if data.kind is DataKind.IMAGES:
        return picture_findings(data, rows, _before(house, data))
    if data.kind is DataKind.FILE:
        if data.source.path is not None:
            return file_findings(unchanged(data), data.source.said)
        with house.blobs.file(f"{FILES}/{data.digest.partition(':')[2]}") as path:
            return file_findings(path, data.source.said)
    with house.db.read() as tx:
        about = _named(tx, data, rows, target)
    return data_findings(data, rows, about)


def _named(tx: sa.Connection, data: DataVersion, rows: pl.DataFrame, target: str) -> Named:
    """Target, time and group: as asked, as the data set says, or the one that it was made from."""
    said = _settings(tx, data)
    found = named(rows, target or said.target, said.time, said.group)
    return (
        found
        if not target or target in rows.columns
        else Named(found.inputs, target, found.time, found.group)
    )


def _settings(tx: sa.Connection, data: DataVersion) -> DataSettings:
    """Of the data set, or of the nearest that it was made from which says something."""
    waiting, seen = [(data.name, data.number)], set()
    while waiting:
        here = waiting.pop(0)
        said = get_data_set(tx, here[0]).settings
        if said.target or said.time or said.group:
            return said
        seen.add(here)
        waiting += [one for one in parents_of(tx, *here) if one not in seen]
    return get_data_set(tx, data.name).settings


def _between(
    house: House, data: DataVersion, rows: pl.DataFrame, target: str
) -> tuple[list[Finding], str | None]:
    """What a version shares with the newest version of the set that it is trained on, or tested against."""
    stem, _, word = data.name.rpartition("-")
    if word not in set(Split) or not stem:
        return [], None
    part = Split(word)
    with house.db.read() as tx:
        about = _named(tx, data, rows, target)
        other = None
        for name in (Split.TEST, Split.VALIDATION) if part is Split.TRAIN else (Split.TRAIN,):
            try:
                other = other or get_data(tx, f"{stem}-{name}")
            except NotFound:
                continue  # it is trained on alone, up to now
    if other is None or other.kind is not DataKind.TABLE:
        return [], None
    try:
        with table_at(house, other) as table:
            return findings_beside(rows, part, table.drawn(MOST_ROWS), about), other.full
    except LockgateError as error:
        said = f"{data.full} could not be held against {other.full}: {error}"
        missed = Finding(check="leakage", subject=other.full, status=Status.COULD_NOT_RUN, headline=said,
                         advice="Bring it back, or add it again.")  # fmt: skip
        return [missed], other.full


def _before(house: House, data: DataVersion) -> pl.DataFrame | None:
    """The table of the newest older version of a folder of images."""
    with house.db.read() as tx:
        older = [
            one
            for one in data_versions_of(tx, data.name)
            if one.number < data.number and one.kind is data.kind
        ]
    return load_dataset(house.blobs, older[0].digest) if older else None


def _could_not() -> Finding:
    return Finding(check="quality", subject="the whole check", status=Status.COULD_NOT_RUN,
                   headline="The checks ended with a defect; the version is recorded as it is.",
                   advice="lockgate data report shows it again; the log of the server has the details.")  # fmt: skip
