"""Data sets: rows come in, get a name, a number, a profile, and are held against the contract of their set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lockgate.datasets.content import digest_of_table, sha256_of
from lockgate.datasets.dataset import (
    READERS,
    Dataset,
    blob_of,
    load_dataset,
    read_table,
    store_dataset,
    store_parquet,
)
from lockgate.datasets.expectations import Expectations, broken_by
from lockgate.datasets.images import FILES, describes_boxes, read_pictures, unreadable
from lockgate.datasets.large import is_large, rewritten
from lockgate.datasets.pieces import Table, table_of
from lockgate.datasets.profile import profile
from lockgate.datasets.versions import (
    DataKind,
    DataSettings,
    DataVersion,
    Origin,
    Source,
    change_data_set,
    get_data,
    get_data_set,
    parse_data,
    record_data,
)
from lockgate.errors import Forbidden, InvalidInput, NotFound, TooLarge
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.wiring.data_rows import changed, referred_rows, table_at, unchanged, working_folder
from lockgate.wiring.house import House

MOST_ROWS = 200_000  # that are looked at; of larger tables so many by chance
MOST_WHOLE_BYTES = 512 << 20  # of JSON, which is read whole
Tell = Callable[..., None]
KINDS = {
    DataKind.TABLE: "table",
    DataKind.IMAGES: "folder",
    DataKind.FILE: "file",
}  # as a pipeline's process knows them


@dataclass(frozen=True)
class Added:
    """A data version, whether it is new, and rows of it: all, or `MOST_ROWS` by chance."""

    data: DataVersion
    new: bool
    rows: pl.DataFrame = field(default_factory=pl.DataFrame)


def may_write(tx: sa.Connection, person: Person) -> None:
    """Go on only for who may submit a model somewhere. Raises Forbidden."""
    if not models_with(tx, person, Permission.MODEL_SUBMIT):
        require(tx, person, Permission.MODEL_CREATE)


def may_read(tx: sa.Connection, person: Person) -> None:
    """Rows and values of data sets are for who may read a log somewhere. Raises Forbidden."""
    if not models_with(tx, person, Permission.LOG_READ):
        require(tx, person, Permission.LOG_READ)


def may_refer(tx: sa.Connection, person: Person) -> None:
    """A path is one of this machine's, whoever asks: only who runs the machine names one."""
    try:
        require(tx, person, Permission.PERSON_WRITE)
    except Forbidden as error:
        raise Forbidden(
            "only an admin may refer to files of the machine that lockgate runs on",
            fix="send the rows instead, without --refer",
        ) from error


def add_table(
    house: House, person: Person, name: str, given: Path | pl.DataFrame, *, source: Source, tell: Tell
) -> Added:
    """A table as the next version of a data set. `source.path`: leave the rows there and keep their digest alone.

    A large file is never whole in memory. Raises InvalidInput for what is no table, Forbidden. The same content again is the
    version that is there.
    """
    parse_data(name)
    with house.db.read() as tx:
        may_write(tx, person)
        if source.path is not None:
            may_refer(tx, person)
    tell("reading", 0, 3)
    with working_folder(house) as work:
        table = table_of(_read(given, source, work))
        if not table.rows or not table.schema:
            raise InvalidInput(
                f"{name}: a version needs rows and columns", got=f"{table.rows} x {len(table.schema)}"
            )
        tell("keeping", 1, 3)
        kept = _described(table, source) if source.path is not None else _stored(house, table)
        return _record(house, person, name, kept, table, kind=DataKind.TABLE, source=source, tell=tell)


def add_any(house: House, person: Person, name: str, path: Path, *, source: Source, tell: Tell) -> Added:
    """A file: a table of a kind that lockgate reads, else bytes as they are, for a pipeline that reads them itself."""
    if path.suffix.lower() in READERS and not describes_boxes(path):
        return add_table(house, person, name, path, source=source, tell=tell)
    parse_data(name)
    with house.db.read() as tx:
        may_write(tx, person)
    size = path.stat().st_size
    if size == 0:
        raise InvalidInput(f"{source.said or path.name}: the file is empty", got="0 bytes")
    hexes = source.sha256 or sha256_of(path)
    if source.path is None:
        house.blobs.put_file(f"{FILES}/{hexes}", path)
    kept = Dataset(f"sha256:{hexes}", f"{FILES}/{hexes}", 0, (), size)
    nothing = table_of(pl.DataFrame())
    return _record(house, person, name, kept, nothing, kind=DataKind.FILE, source=source, tell=tell)


def add_folder(house: House, person: Person, name: str, folder: Path, *, copy: bool, tell: Tell) -> Added:
    """A folder of images: a row for each file with its label (the folder it lies in), digest and size.

    The files stay where they are unless `copy`. Raises InvalidInput for a folder without images.
    """
    parse_data(name)
    with house.db.read() as tx:
        may_write(tx, person)
        may_refer(tx, person)
    found = read_pictures(folder, lambda done, of: tell("reading images", done, of))
    frame = found.frame
    if copy:
        for place, (path, digest) in enumerate(zip(frame["path"], frame["sha256"], strict=True)):
            tell("keeping images", place, frame.height)
            house.blobs.put(f"{FILES}/{digest}", (folder / path).read_bytes())
    source = Source(origin=Origin.FOLDER, said=folder.name, path=None if copy else str(folder.resolve()))
    kept = store_dataset(house.blobs, frame)
    return _record(
        house, person, name, kept, table_of(frame), kind=DataKind.IMAGES, source=source, tell=tell, torn=found.torn
    )  # fmt: skip


def describe_data(house: House, person: Person, name: str, settings: DataSettings) -> DataSettings:
    """Write what is said of a data set, its contract included."""
    with house.db.write() as tx:
        may_write(tx, person)
        get_data_set(tx, parse_data(name)[0])
        return change_data_set(tx, name, settings, actor=person.id, at_us=house.clock.now_us()).settings


def resolve_data(tx: sa.Connection, name: str) -> DataVersion:
    """`loans@3`, or the newest of `loans`. Raises NotFound."""
    return get_data(tx, *parse_data(name))


def frame_of(house: House, data: DataVersion) -> pl.DataFrame:
    """A version's rows, whole in memory; `data_rows.table_at` has them in pieces.

    Raises Conflict when what it refers to has changed, NotFound when it is gone, InvalidInput for a file that is no table.
    """
    if data.source.path is None and data.kind is not DataKind.FILE:
        return load_dataset(house.blobs, data.digest)
    with table_at(house, data) as table:
        return table.whole()


@contextmanager
def file_of(house: House, data: DataVersion, work: Path) -> Iterator[Path]:
    """A version on this machine for the length of a block: a Parquet file, or a folder of images.

    What lies elsewhere is held against its digest first. Raises Conflict, NotFound. `work`: where to put what must be made.
    """
    if data.kind is DataKind.IMAGES:
        yield _image_folder(house, data, work)
    elif data.source.path is None:
        hexes = data.digest.partition(":")[2]
        with house.blobs.file(
            f"{FILES}/{hexes}" if data.kind is DataKind.FILE else blob_of(data.digest)
        ) as path:
            yield path
    elif data.kind is DataKind.FILE:
        yield unchanged(data)
    else:
        yield referred_rows(house, data, work / f"{data.name}-{data.number}.parquet")


def file_source(path: Path, *, refer: bool) -> Source:
    """Where a file's rows come from; `refer`: and where they stay."""
    if not path.is_file():
        raise NotFound(f"there is no file {path}")
    return Source(
        origin=Origin.FILE,
        said=path.name,
        path=str(path.resolve()) if refer else None,
        sha256=sha256_of(path),
    )


def _read(given: Path | pl.DataFrame, source: Source, work: Path) -> Path | pl.DataFrame:
    """A frame, or a Parquet file where it would be large."""
    if isinstance(given, pl.DataFrame):
        return given
    name = source.said if source.origin is Origin.FILE else given.name
    if is_large(given, name):
        return rewritten(given, name, work / "large.parquet")
    if given.stat().st_size > MOST_WHOLE_BYTES:
        raise TooLarge(
            f"{name}: a file of this kind is read whole", got=f"{given.stat().st_size >> 20:,} MB",
            allowed=f"{MOST_WHOLE_BYTES >> 20:,} MB; Parquet, CSV and TSV of any size", fix="write it as Parquet",
        )  # fmt: skip
    return read_table(given, name)


def _stored(house: House, table: Table) -> Dataset:
    if isinstance(table.source, Path):
        return store_parquet(house.blobs, table.source)
    return store_dataset(house.blobs, table.source)


def _record(
    house: House,
    person: Person,
    name: str,
    kept: Dataset,
    table: Table,
    *,
    kind: DataKind,
    source: Source,
    tell: Tell,
    torn: Mapping[str, str] | None = None,
) -> Added:
    tell("profiling", 2, 3)
    with house.db.read() as tx:
        expects = _expected(tx, name)
    broken = () if kind is DataKind.FILE else broken_by(table, expects)
    made = DataVersion(
        name=name,
        number=0,
        digest=kept.digest,
        kind=kind,
        source=source,
        rows=kept.rows,
        bytes=kept.bytes,
        columns=kept.columns,
        profile=profile(table),
        broken=(*broken, *unreadable(torn or {})),
        author=person.id,
        created_us=house.clock.now_us(),
    )
    with house.db.write() as tx:
        may_write(tx, person)
        data, new = record_data(tx, made)
    return Added(data, new, table.drawn(MOST_ROWS))


def _expected(tx: sa.Connection, name: str) -> Expectations:
    try:
        return get_data_set(tx, name).settings.expects
    except NotFound:
        return DataSettings().expects


def _described(table: Table, source: Source) -> Dataset:
    """Rows that stay where they are. `bytes`: of the file; of what is no file, as Parquet would hold them."""
    columns = tuple((name, str(kind)) for name, kind in table.schema.items())
    digest = digest_of_table(table)
    place = Path(source.path or "") if source.origin is Origin.FILE else table.source
    size = place.stat().st_size if isinstance(place, Path) else int(place.estimated_size())
    return Dataset(digest, blob_of(digest), table.rows, columns, size)


def _image_folder(house: House, data: DataVersion, work: Path) -> Path:
    table = load_dataset(house.blobs, data.digest)
    if data.source.path is not None:
        folder = Path(data.source.path)
        if not folder.is_dir():
            raise NotFound(
                f"the folder of {data.full} is gone",
                got=folder,
                fix="put it back, or add a version that is there",
            )
        if not read_pictures(folder).frame.equals(table):
            raise changed(data)
        return folder
    target = work / f"{data.name}-{data.number}"
    for path, digest in zip(table["path"], table["sha256"], strict=True):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(house.blobs.get(f"{FILES}/{digest}"))
    return target
