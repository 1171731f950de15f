"""Data sets: rows come in, get a name, a number, a profile, and are held against the contract of their set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import sqlalchemy as sa

from lockgate.datasets.content import digest_of_frame, sha256_of
from lockgate.datasets.dataset import READERS, Dataset, blob_of, load_dataset, read_table, store_dataset
from lockgate.datasets.expectations import Expectations, broken_by
from lockgate.datasets.images import FILES, describes_boxes, files_of_folder
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
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.wiring.house import House

Tell = Callable[..., None]
KINDS = {
    DataKind.TABLE: "table",
    DataKind.IMAGES: "folder",
    DataKind.FILE: "file",
}  # as a pipeline's process knows them


@dataclass(frozen=True)
class Added:
    """A data version, and whether it is new."""

    data: DataVersion
    new: bool


def may_write(tx: sa.Connection, person: Person) -> None:
    """Go on only for who may submit a model somewhere. Raises Forbidden."""
    if not models_with(tx, person, Permission.MODEL_SUBMIT):
        require(tx, person, Permission.MODEL_CREATE)


def may_read(tx: sa.Connection, person: Person) -> None:
    """Rows and values of data sets are for who may read a log somewhere. Raises Forbidden."""
    if not models_with(tx, person, Permission.LOG_READ):
        require(tx, person, Permission.LOG_READ)


def add_table(
    house: House, person: Person, name: str, given: Path | pl.DataFrame, *, source: Source, tell: Tell
) -> Added:
    """A table as the next version of a data set. `source.path`: leave the rows there and keep their digest alone.

    Raises InvalidInput for what is no table, Forbidden. The same content again is the version that is there.
    """
    parse_data(name)
    with house.db.read() as tx:
        may_write(tx, person)
        if source.path is not None:
            _may_refer(tx, person)
    tell("reading", 0, 3)
    frame = (
        given
        if isinstance(given, pl.DataFrame)
        else read_table(given, source.said if source.origin is Origin.FILE else None)
    )
    if frame.height == 0 or frame.width == 0:
        raise InvalidInput(f"{name}: a version needs rows and columns", got=f"{frame.height} x {frame.width}")
    tell("keeping", 1, 3)
    kept = _described(frame, source) if source.path is not None else store_dataset(house.blobs, frame)
    return _record(house, person, name, kept, frame, kind=DataKind.TABLE, source=source, tell=tell)


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
        house.blobs.put(f"{FILES}/{hexes}", path.read_bytes())
    kept = Dataset(f"sha256:{hexes}", f"{FILES}/{hexes}", 0, (), size)
    return _record(house, person, name, kept, pl.DataFrame(), kind=DataKind.FILE, source=source, tell=tell)


def refer_table(house: House, person: Person, name: str, path: Path, *, tell: Tell) -> Added:
    """A table that stays where it is, on this machine: only its digests are kept. Raises as `add_table`, NotFound."""
    with house.db.read() as tx:
        may_write(tx, person)
        _may_refer(tx, person)
    return add_any(house, person, name, path, source=file_source(path, refer=True), tell=tell)


def add_folder(house: House, person: Person, name: str, folder: Path, *, copy: bool, tell: Tell) -> Added:
    """A folder of images: a row for each file with its label (the folder it lies in), digest and size.

    The files stay where they are unless `copy`. Raises InvalidInput for a folder without images.
    """
    parse_data(name)
    with house.db.read() as tx:
        may_write(tx, person)
        _may_refer(tx, person)
    frame = files_of_folder(folder, lambda done, of: tell("reading images", done, of))
    if copy:
        for place, (path, digest) in enumerate(zip(frame["path"], frame["sha256"], strict=True)):
            tell("keeping images", place, frame.height)
            house.blobs.put(f"{FILES}/{digest}", (folder / path).read_bytes())
    source = Source(origin=Origin.FOLDER, said=folder.name, path=None if copy else str(folder.resolve()))
    return _record(
        house,
        person,
        name,
        store_dataset(house.blobs, frame),
        frame,
        kind=DataKind.IMAGES,
        source=source,
        tell=tell,
    )


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
    """A version's rows. Raises Conflict when what it refers to has changed, NotFound when it is gone."""
    if data.kind is DataKind.FILE:
        raise InvalidInput(
            f"{data.full} is a file that lockgate does not read as a table", got=data.source.said
        )
    if data.source.path is None or data.kind is DataKind.IMAGES:
        return load_dataset(house.blobs, data.digest)
    frame = read_table(unchanged(data))
    if digest_of_frame(frame) != data.digest:
        raise _changed(data)
    return frame


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
    elif data.kind is DataKind.FILE or Path(data.source.path).suffix in (".parquet", ".pq"):
        yield unchanged(data)
    else:
        target = work / f"{data.name}-{data.number}.parquet"
        frame_of(house, data).write_parquet(target)
        yield target


def unchanged(data: DataVersion) -> Path:
    """The file that a version refers to, its bytes held against their digest. Raises NotFound, Conflict."""
    path = Path(data.source.path or "")
    if not path.is_file():
        raise NotFound(f"the file of {data.full} is gone", got=path, fix="put it back, or add a version that is there: "
                       f"lockgate data add {data.name} FILE")  # fmt: skip
    if sha256_of(path) != data.source.sha256:
        raise _changed(data)
    return path


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


def _record(
    house: House,
    person: Person,
    name: str,
    kept: Dataset,
    frame: pl.DataFrame,
    *,
    kind: DataKind,
    source: Source,
    tell: Tell,
) -> Added:
    tell("profiling", 2, 3)
    with house.db.read() as tx:
        expects = _expected(tx, name)
    made = DataVersion(
        name=name,
        number=0,
        digest=kept.digest,
        kind=kind,
        source=source,
        rows=kept.rows,
        bytes=kept.bytes,
        columns=kept.columns,
        profile=profile(frame),
        broken=() if kind is DataKind.FILE else broken_by(frame, expects),
        author=person.id,
        created_us=house.clock.now_us(),
    )
    with house.db.write() as tx:
        may_write(tx, person)
        return Added(*record_data(tx, made))


def _expected(tx: sa.Connection, name: str) -> Expectations:
    try:
        return get_data_set(tx, name).settings.expects
    except NotFound:
        return DataSettings().expects


def _may_refer(tx: sa.Connection, person: Person) -> None:
    """A path is one of this machine's, whoever asks: only who runs the machine names one."""
    try:
        require(tx, person, Permission.PERSON_WRITE)
    except Forbidden as error:
        raise Forbidden(
            "only an admin may refer to files of the machine that lockgate runs on",
            fix="send the rows instead, without --refer",
        ) from error


def _described(frame: pl.DataFrame, source: Source) -> Dataset:
    columns = tuple((name, str(kind)) for name, kind in frame.schema.items())
    digest = digest_of_frame(frame)
    return Dataset(digest, blob_of(digest), frame.height, columns, Path(source.path or "").stat().st_size)


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
        if not files_of_folder(folder).equals(table):
            raise _changed(data)
        return folder
    target = work / f"{data.name}-{data.number}"
    for path, digest in zip(table["path"], table["sha256"], strict=True):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        (target / path).write_bytes(house.blobs.get(f"{FILES}/{digest}"))
    return target


def _changed(data: DataVersion) -> Conflict:
    return Conflict(
        f"what {data.full} refers to has changed since it was added", got=data.source.path, allowed=data.source.sha256,
        fix=f"bring the old file back, or take it as a new version: lockgate data add {data.name} {data.source.path} --refer",
    )  # fmt: skip
