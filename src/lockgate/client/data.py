"""Data sets from Python and the command line: what is added, asked, compared, split."""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from lockgate.client.transport import Connection, Progress, connected
from lockgate.datasets.content import sha256_of
from lockgate.datasets.versions import Origin, parse_data
from lockgate.errors import InvalidInput, MissingExtra, NotFound
from lockgate.late import late

pl, sa = late("polars"), late("sqlalchemy")


def add(
    name: str,
    given: Any = None,
    *,
    sql: str | None = None,
    database: str | None = None,
    delta: int | None = None,
    refer: bool = False,
    copy: bool = False,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A new version of a data set: `{"data", "new", "findings"}`. The same content again is the version that is there.

    `given`: a polars or pandas frame, a file (parquet, csv, jsonl), a folder of images, or a Delta table's folder or address
    (`delta`: an older version of it). `sql` with `database` (a SQLAlchemy address): the rows of a query. `refer`: copy nothing,
    keep the digest of what must stay where it is. `copy`: keep copies of a folder's images too.
    """
    parse_data(name)
    frame, source = _rows(given, sql, database, delta)
    with connected(home, create=True) as lockgate, ExitStack() as stack:
        if frame is not None:
            job = _upload(lockgate, name, _table(frame), source)
        else:
            job = _path(lockgate, name, _there(given), refer=refer, copy=copy, stack=stack)
        found: dict[str, Any] = lockgate.wait(job, progress)
    return found


def _rows(given: Any, sql: str | None, database: str | None, delta: int | None) -> tuple[Any, dict[str, str]]:
    """The rows of a query, a frame or a Delta table, and where they came from; None for what is sent as it lies."""
    if sql is not None:
        return _query(sql, database), {"origin": Origin.SQL, "said": _said(sql, database)}
    if hasattr(given, "columns"):
        return given, {"origin": Origin.FRAME, "said": type(given).__module__.partition(".")[0]}
    if isinstance(given, str | Path) and (delta is not None or _is_delta(str(given))):
        frame, number = _delta(str(given), delta)
        return frame, {"origin": Origin.DELTA, "said": f"{Path(str(given)).name}, version {number}"}
    return None, {}


def add_file(lockgate: Connection, name: str, path: Path) -> str:
    """A file or folder as a data version, sent only when lockgate does not hold these bytes yet: its name, `loans@3`."""
    if path.is_file():
        known = lockgate.get(f"/data/{name}/by-file/{sha256_of(path)}")
        if known:
            return f"{known['name']}@{known['number']}"
    with ExitStack() as stack:
        done = lockgate.wait(_path(lockgate, name, path, refer=False, copy=False, stack=stack))
    return f"{done['data']['name']}@{done['data']['number']}"


def describe(
    name: str, changes: Mapping[str, Any], *, like: str | None = None, home: str | Path | None = None
) -> dict[str, Any]:
    """Change what is said of a data set (`description`, `owner`, `access`, `expects`); `like`: a contract from a good version."""
    with connected(home) as lockgate:
        found: dict[str, Any] = lockgate.put(
            f"/data/{parse_data(name)[0]}", {"changes": dict(changes), "like": like}
        )
    return found


def split(name: str, asked: Mapping[str, Any], *, home: str | Path | None = None) -> dict[str, Any]:
    """Versions of the parts of a version: `{"train": ..., "test": ...}`; see `lockgate.datasets.split.Split`."""
    with connected(home) as lockgate:
        data, number = parse_data(name)
        found: dict[str, Any] = lockgate.wait(
            lockgate.post(f"/data/{data}/{number or 'latest'}/split", dict(asked))
        )
    return found


def _path(
    lockgate: Connection, name: str, path: Path, *, refer: bool, copy: bool, stack: ExitStack
) -> dict[str, Any]:
    if path.is_dir() or refer:
        body = {"path": str(path.resolve()), "copy_images": copy}
        found: dict[str, Any] = lockgate.post(f"/data/{name}/referred", body)
        return found
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error
    return _upload(lockgate, name, (path.name, file), {"origin": Origin.FILE, "said": path.name})


def _upload(
    lockgate: Connection, name: str, file: tuple[str, Any], source: Mapping[str, str]
) -> dict[str, Any]:
    fields = {"source": msgspec.json.encode(dict(source)).decode()}
    job: dict[str, Any] = lockgate.upload(f"/data/{name}/versions", fields, [("file", file)])
    return job


def _there(given: Any) -> Path:
    if not isinstance(given, str | Path):
        raise InvalidInput("this is no table", got=type(given).__name__,
                           allowed="a polars or pandas frame, a file, a folder of images, --sql with --database")  # fmt: skip
    path = Path(given)
    if not path.exists():
        raise NotFound(f"there is no file or folder {path}")
    return path


def _table(frame: Any) -> tuple[str, bytes]:
    body = io.BytesIO()
    if hasattr(frame, "write_parquet"):
        frame.write_parquet(body)
    else:
        frame.to_parquet(body, index=False)
    return "frame.parquet", body.getvalue()


def _query(sql: str, database: str | None) -> Any:
    if not database:
        raise InvalidInput(
            "which database?", fix="--database postgresql://user@host/name, or LOCKGATE_DATABASE"
        )
    try:
        engine = sa.create_engine(database)
        try:
            with engine.connect() as connection:
                return pl.read_database(sql, connection, infer_schema_length=None)
        finally:
            engine.dispose()
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f"the database needs the library {error.name}", fix=f"pip install {error.name}"
        ) from error
    except (sa.exc.SQLAlchemyError, sa.exc.ArgumentError) as error:
        said = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise InvalidInput(
            "the query cannot be run", got=said[:300], fix="try it in the database's own shell"
        ) from error


def _said(sql: str, database: str | None) -> str:
    """Query and address, never the password."""
    return f"{sa.make_url(database or '').render_as_string(hide_password=True)}: {sql}"


def _is_delta(place: str) -> bool:
    return (Path(place) / "_delta_log").is_dir()


def _delta(place: str, number: int | None) -> tuple[Any, int]:
    """The rows of a Delta table, and which version of it they are."""
    deltalake = late("deltalake")
    try:
        table = deltalake.DeltaTable(place, version=number)
        return pl.from_arrow(table.to_pyarrow_table()), int(table.version())
    except deltalake.exceptions.DeltaError as error:
        raise InvalidInput(
            f"{place} cannot be read as a Delta table", got=str(error).splitlines()[0]
        ) from error
