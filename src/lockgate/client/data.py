"""Data sets from Python and the command line: what is added, asked, compared, split."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from lockgate.client.transport import Connection, Progress, connected
from lockgate.datasets.content import sha256_of
from lockgate.datasets.delta import delta_rows, is_delta
from lockgate.datasets.queried import query_rows, without_password
from lockgate.datasets.versions import Origin, parse_data
from lockgate.errors import InvalidInput, NotFound


def add(
    name: str,
    given: Any = None,
    *,
    sql: str | None = None,
    database: str | None = None,
    delta: int | None = None,
    refer: bool = False,
    copy: bool = False,
    target: str = "",
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """A new version of a data set: `{"data", "new", "findings"}`. The same content again is the version that is there.

    `given`: a polars or pandas frame, a file (parquet, csv, jsonl), a folder of images, or a Delta table's folder or address
    (`delta`: an older version of it). `sql` with `database` (a SQLAlchemy address): the rows of a query. `refer`: copy nothing,
    keep what tells whether a file, a Delta table's version or a query's result is still what it was. `copy`: keep copies of a
    folder's images too. `target`: the column that is predicted, for what leaks.

    Raises InvalidInput where there is nothing to refer to, or to copy.
    """
    parse_data(name)
    with connected(home, create=True) as lockgate, ExitStack() as stack:
        if refer:
            sent = {**_reference(given, sql, database, delta), "target": target}
            job = lockgate.post(f"/data/{name}/referred", sent)
        elif (file := _rows(given, sql, database, delta, stack)) is not None:
            job = _upload(lockgate, name, file.body, {"origin": file.origin, "said": file.said}, target)
        else:
            job = _path(lockgate, name, _there(given), copy=copy, stack=stack, target=target)
        found: dict[str, Any] = lockgate.wait(job, progress)
    return found


class _Rows(msgspec.Struct, frozen=True):
    """Rows as a Parquet file that is sent, and where they came from."""

    body: tuple[str, Any]
    origin: Origin
    said: str


def _rows(
    given: Any, sql: str | None, database: str | None, delta: int | None, stack: ExitStack
) -> _Rows | None:
    """The rows of a query, a frame or a Delta table; None for what is sent as it lies."""
    if sql is not None:
        return _Rows(
            ("rows.parquet", stack.enter_context(_queried(sql, database))), Origin.SQL, _said(sql, database)
        )
    if hasattr(given, "columns"):
        return _Rows(_table(given), Origin.FRAME, type(given).__module__.partition(".")[0])
    if isinstance(given, str | Path) and (delta is not None or is_delta(given)):
        file, number = stack.enter_context(_delta(str(given), delta))
        return _Rows(("rows.parquet", file), Origin.DELTA, f"{Path(str(given)).name}, version {number}")
    return None


def _reference(given: Any, sql: str | None, database: str | None, delta: int | None) -> dict[str, Any]:
    """What stays where it is, as it is sent."""
    if sql is not None:
        return {"sql": sql, "database": _named(database)}
    if hasattr(given, "columns"):
        raise InvalidInput("a frame lies nowhere that could be referred to", got=type(given).__name__,
                           fix="write it to a file, or leave out refer")  # fmt: skip
    if isinstance(given, str) and "://" in given:
        raise InvalidInput("only what lies on this machine can be referred to by its path", got=given,
                           allowed="a file, a folder of images, a Delta table in a folder, --sql with --database",
                           fix="leave out --refer: its rows are kept then")  # fmt: skip
    return {"path": str(_there(given).resolve()), "delta": delta}


def add_file(
    lockgate: Connection, name: str, path: Path, *, target: str = "", noticed: list[str] | None = None
) -> str:
    """A file or folder as a data version, sent only when lockgate does not hold these bytes yet: its name, `loans@3`.

    `noticed` takes what is worth a look in a new one, a sentence each.
    """
    if path.is_file():
        known = lockgate.get(f"/data/{name}/by-file/{sha256_of(path)}")
        if known:
            return f"{known['name']}@{known['number']}"
    with ExitStack() as stack:
        done = lockgate.wait(_path(lockgate, name, path, copy=False, stack=stack, target=target))
    full = f"{done['data']['name']}@{done['data']['number']}"
    if noticed is not None:
        noticed += [f"{full}: {one['headline']} {one['advice']}" for one in done["findings"]]
    return full


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
    lockgate: Connection, name: str, path: Path, *, copy: bool, stack: ExitStack, target: str = ""
) -> dict[str, Any]:
    if path.is_dir():
        body = {"path": str(path.resolve()), "copy_images": copy, "target": target}
        found: dict[str, Any] = lockgate.post(f"/data/{name}/referred", body)
        return found
    if copy:
        raise InvalidInput(
            "copies are kept of a folder of images",
            got=path.name,
            fix="leave out --copy: a file is kept anyway",
        )
    try:
        file = stack.enter_context(path.open("rb"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error
    return _upload(lockgate, name, (path.name, file), {"origin": Origin.FILE, "said": path.name}, target)


def _upload(
    lockgate: Connection, name: str, file: tuple[str, Any], source: Mapping[str, str], target: str
) -> dict[str, Any]:
    fields = {"source": msgspec.json.encode(dict(source)).decode(), "target": target}
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


@contextmanager
def _queried(sql: str, database: str | None) -> Iterator[BinaryIO]:
    """The rows of a query as an open Parquet file."""
    address = _named(database)
    with (
        tempfile.TemporaryDirectory() as folder,
        query_rows(sql, address, Path(folder) / "rows.parquet").open("rb") as file,
    ):
        yield file


@contextmanager
def _delta(place: str, number: int | None) -> Iterator[tuple[BinaryIO, int]]:
    """The rows of a Delta table as an open Parquet file, and which version of it they are."""
    with tempfile.TemporaryDirectory() as folder:
        version = delta_rows(place, number, Path(folder) / "rows.parquet")
        with (Path(folder) / "rows.parquet").open("rb") as file:
            yield file, version


def _named(database: str | None) -> str:
    if not database:
        raise InvalidInput(
            "which database?", fix="--database postgresql://user@host/name, or LOCKGATE_DATABASE"
        )
    return database


def _said(sql: str, database: str | None) -> str:
    """Query and address, never the password."""
    return f"{without_password(_named(database))}: {sql}"
