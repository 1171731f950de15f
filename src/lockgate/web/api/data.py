"""Data sets: versions in, what they hold, what changed, who was trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import polars as pl
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from lockgate.datasets.delta import is_delta
from lockgate.datasets.diff import TableDiff, diff_tables
from lockgate.datasets.expectations import expectations_like
from lockgate.datasets.split import Split
from lockgate.datasets.versions import (
    DataKind,
    DataSet,
    DataSettings,
    DataVersion,
    Source,
    data_versions_of,
    get_data_set,
    list_data_sets,
    parse_data,
)
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance.people import Person
from lockgate.reports.data_profile import data_page
from lockgate.web.answers import answer
from lockgate.web.api.findings import REPORT_POLICY
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.web.uploads import keep, start_job
from lockgate.wiring.data_quality import findings_of, looked_at, looked_at_parts
from lockgate.wiring.data_referring import refer_delta, refer_query, refer_table
from lockgate.wiring.data_rows import table_at
from lockgate.wiring.datasets import (
    MOST_ROWS,
    Added,
    add_any,
    add_folder,
    describe_data,
    file_source,
    may_read,
    may_write,
    resolve_data,
)
from lockgate.wiring.house import House
from lockgate.wiring.lineage import DataLineage, data_lineage, split_data

router = APIRouter(tags=["data"])


class DataShown(msgspec.Struct, frozen=True):
    """A data set with its versions, the newest first."""

    data_set: DataSet
    versions: list[DataVersion]


class Referred(BaseModel):
    """A file, a Delta table (`delta`: an older version) or a folder of images on the machine that lockgate runs on; or the rows
    of a query, with the address of its database, whose password is not kept."""

    model_config = ConfigDict(extra="forbid")
    path: str | None = None
    copy_images: bool = False
    delta: int | None = None
    sql: str | None = None
    database: str | None = None
    target: str = ""


class Said(BaseModel):
    """Changes of what is said of a data set; `like`: take the contract from this version."""

    model_config = ConfigDict(extra="forbid")
    changes: dict[str, Any] = {}
    like: str | None = None


@router.get("/data", responses=says(DataSet, many=True))
def every_data_set(house: InHouse, me: Asking) -> Response:
    """All data sets."""
    with house.db.read() as tx:
        may_read(tx, me)
        return answer(list_data_sets(tx))


@router.get("/data-diff", responses=says(TableDiff))
def difference(
    house: InHouse,
    me: Asking,
    before: Annotated[str, Query(description="loans@1")],
    after: Annotated[str, Query(description="loans@2")],
    key: Annotated[str | None, Query(description="the column that names a row")] = None,
) -> Response:
    """What changed from one version to another."""
    with house.db.read() as tx:
        may_read(tx, me)
        first, second = resolve_data(tx, before), resolve_data(tx, after)
    with table_at(house, first) as old, table_at(house, second) as new:
        return answer(diff_tables(old, new, (first.full, second.full), key))


@router.get("/data/{name}", responses=says(DataShown))
def one_data_set(name: str, house: InHouse, me: Asking) -> Response:
    """A data set with every version."""
    with house.db.read() as tx:
        may_read(tx, me)
        return answer(DataShown(get_data_set(tx, parse_data(name)[0]), data_versions_of(tx, name)))


@router.put("/data/{name}", responses=says(DataSettings))
def describe(name: str, sent: Said, house: InHouse, me: Asking) -> Response:
    """Change what is said of a data set: description, owner, access, and the contract of every new version."""
    with house.db.read() as tx:
        may_write(tx, me)
        known = get_data_set(tx, name).settings
        like = resolve_data(tx, sent.like) if sent.like else None
    plain = {**msgspec.to_builtins(known), **sent.changes}
    if like is not None:
        plain["expects"] = msgspec.to_builtins(expectations_like(like.profile))
    try:
        wanted = msgspec.convert(plain, DataSettings)
    except msgspec.ValidationError as error:
        raise InvalidInput("this cannot be said of a data set", got=error,
                           allowed=", ".join(DataSettings.__struct_fields__)) from error  # fmt: skip
    return answer(describe_data(house, me, name, wanted))


@router.get("/data/{name}/by-file/{sha256}", responses=says())
def by_file(name: str, sha256: str, house: InHouse, me: Asking) -> Response:
    """The version that was made from a file of this SHA-256; null when there is none."""
    with house.db.read() as tx:
        may_write(tx, me)
        try:
            versions = data_versions_of(tx, name)
        except NotFound:
            versions = []
    return answer(next((each for each in versions if each.source.sha256 == sha256), None))


@router.post("/data/{name}/versions", responses=says(Job))
def new_version(
    name: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    source: Annotated[str, Form(description='JSON: {"origin": "file", "said": "loans.csv"}')],
    file: Annotated[UploadFile, File(description="parquet, csv, tsv, jsonl or json")],
    target: Annotated[
        str, Form(description="the column that is predicted, where the data set does not say")
    ] = "",
) -> Response:
    """A table, or any file that a pipeline reads itself. The job's result is `{"data", "new", "findings"}`."""
    name = _set_only(name)
    with house.db.read() as tx:
        may_write(tx, me)
    said = _source(source)
    folder, kept = keep(jobs, {"file": [file]})
    path = kept["file"][0]
    whole = msgspec.structs.replace(said, sha256=file_source(path, refer=False).sha256)

    def work(tell: Any) -> object:
        return looked_at(
            house, add_any(house, me, name, path, source=whole, tell=tell), tell=tell, target=target
        )

    return answer(start_job(jobs, folder, work, kind="data", subject=name, person=me.id))


@router.post("/data/{name}/referred", responses=says(Job))
def new_reference(name: str, sent: Referred, house: InHouse, me: Asking, *, jobs: AllJobs) -> Response:
    """Rows, a file or a folder of images where they lie, for admins: only what tells them apart is kept."""
    name = _set_only(name)
    if bool(sent.sql) == bool(sent.path):
        raise InvalidInput(
            "one place on this machine, or one query, is referred to", allowed="path, or sql with database"
        )

    def work(tell: Any) -> object:
        return looked_at(house, _referred(house, me, name, sent, tell), tell=tell, target=sent.target)

    return answer(jobs.start("data", name, me.id, work))


@router.get("/data/{name}/{number}", responses=says(DataVersion))
def one_version(name: str, number: str, house: InHouse, me: Asking) -> Response:
    """A version by number or `latest`: where its rows are, columns, profile, what it breaks."""
    with house.db.read() as tx:
        may_read(tx, me)
        return answer(resolve_data(tx, f"{name}@{number}"))


@router.get("/data/{name}/{number}/report", responses=says(media="text/html"))
def report(
    name: str,
    number: str,
    house: InHouse,
    me: Asking,
    *,
    target: Annotated[str | None, Query(description="the column that is predicted")] = None,
    form: Annotated[str, Query(pattern="^(html|json)$")] = "html",
) -> Response:
    """A version as one page: broken contract, what the quality check finds, each column's picture, and what repairs it."""
    with house.db.read() as tx:
        may_read(tx, me)
        found = resolve_data(tx, f"{name}@{number}")
    if found.kind is DataKind.FILE:
        findings = findings_of(house, found, pl.DataFrame(), target or "")
    else:
        with table_at(house, found) as table:
            findings = findings_of(house, found, table.drawn(MOST_ROWS), target or "")
    if form == "json":
        return answer(findings)
    page = data_page(found, findings)
    return Response(page, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


@router.post("/data/{name}/{number}/split", responses=says(Job))
def split(
    name: str, number: str, sent: dict[str, Any], house: InHouse, me: Asking, *, jobs: AllJobs
) -> Response:
    """Parts of a version that respect time and groups, as versions of `NAME-train`, `NAME-validation`, `NAME-test`."""
    with house.db.read() as tx:
        may_write(tx, me)
        found = resolve_data(tx, f"{name}@{number}")
    try:
        how = msgspec.convert(sent, Split)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "this is no way to split", got=error, allowed=", ".join(Split.__struct_fields__)
        ) from error

    def work(tell: Any) -> object:
        return looked_at_parts(house, split_data(house, me, found, how, tell), tell=tell)

    return answer(jobs.start("split", found.full, me.id, work))


@router.get("/data/{name}/{number}/lineage", responses=says(DataLineage))
def lineage(
    name: str,
    number: str,
    house: InHouse,
    me: Asking,
    *,
    first: Annotated[int | None, Query(ge=1)] = None,
    last: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """Who was trained on a version, or on its rows from `first` to `last` in whatever version of the data set."""
    with house.db.read() as tx:
        may_read(tx, me)
        found = resolve_data(tx, f"{name}@{number}")
    rows = None if first is None else (first, last or first)
    return answer(data_lineage(house, me, found, rows))


def _referred(house: House, me: Person, name: str, sent: Referred, tell: Any) -> Added:
    if sent.sql:
        if not sent.database:
            raise InvalidInput(
                "which database?", fix="--database postgresql://user@host/name, or LOCKGATE_DATABASE"
            )
        return refer_query(house, me, name, sent.sql, sent.database, tell=tell)
    path = Path(sent.path or "")
    if is_delta(path) or sent.delta is not None:
        return refer_delta(house, me, name, path, sent.delta, tell=tell)
    if path.is_dir():
        return add_folder(house, me, name, path, copy=sent.copy_images, tell=tell)
    return refer_table(house, me, name, path, tell=tell)


def _set_only(name: str) -> str:
    """The data set that is named: a number would not be the new version's, and the set's contract is looked up by its name."""
    found, number = parse_data(name)
    if number is not None:
        raise InvalidInput(
            "a data set is wanted here, not one of its versions", got=name, fix=f"name it '{found}'"
        )
    return found


def _source(text: str) -> Source:
    try:
        said = msgspec.json.decode(text, type=Source)
    except msgspec.DecodeError as error:
        raise InvalidInput("the source of the version cannot be read", got=error) from error
    return Source(origin=said.origin, said=said.said)  # paths and parents are lockgate's to say
