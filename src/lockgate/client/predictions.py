"""The prediction log as a polars frame, and labels handed in."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lockgate.client.frames import as_parquet
from lockgate.client.naming import model_only
from lockgate.client.transport import Progress, connected
from lockgate.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl


def predictions(
    model: str,
    *,
    since: str | None = None,
    until: str | None = None,
    where: str | None = None,
    version: int | None = None,
    limit: int | None = None,
    home: str | Path | None = None,
) -> pl.DataFrame:
    """One row per predicted row of a model, oldest first, hot and archived as one, with labels where they are known.

    `since` and `until`: `1h`, `7d` (ago), `2026-03-01`. `where`: an SQL expression such as `status >= 400`.
    """
    import polars as pl  # noqa: PLC0415 - half a second that no other verb should pay

    with connected(home) as lockgate:
        body = lockgate.read(
            f"/models/{model_only(model)}/log",
            since=since, until=until, where=where, version=version, limit=limit, format="arrow",
        )  # fmt: skip
    return pl.read_ipc(io.BytesIO(body), use_pyarrow=False)


def import_labels(
    model: str,
    table: str | Path | pl.DataFrame,
    *,
    label: str,
    on: str = "key",
    key: str | None = None,
    at: str | None = None,
    row: str | None = None,
    metric: str | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Hand in what really happened: a table file or a frame (polars, pandas) with the value to match and the label.

    `metric`: the column holds numbers of that business metric (what a customer spent) in place of labels.
    Returns counts of rows. Raises InvalidInput for a table that cannot be read; then nothing was recorded.
    """
    fields = {"label": label, "on": on, "key": key, "at": at, "row": row, "metric": metric}
    given = {name: value for name, value in fields.items() if value is not None}
    with connected(home) as lockgate, _opened(table) as (name, file):
        job = lockgate.upload(f"/models/{model_only(model)}/labels/import", given, [("file", (name, file))])
        done: dict[str, Any] = lockgate.wait(job, progress)
    return done


@contextmanager
def _opened(table: str | Path | pl.DataFrame) -> Iterator[tuple[str, IO[bytes]]]:
    """A table's name and its bytes. Raises InvalidInput for a file that cannot be read and for what is no table."""
    if isinstance(table, str | Path):
        try:
            with Path(table).open("rb") as file:
                yield Path(table).name, file
        except OSError as error:
            raise InvalidInput(f"{table} cannot be read", got=error.strerror) from error
        return
    body = as_parquet(table)
    if body is None:
        raise InvalidInput(
            "labels come as a table",
            got=type(table).__name__,
            allowed="a file's path, a polars or pandas frame",
        )
    yield "frame.parquet", body


def export(
    model: str,
    target: str | Path,
    asked: dict[str, Any],
    *,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Write any number of rows of the log into a file. `asked`: since, until, where, version, format. Returns counts."""
    with connected(home) as lockgate:
        given = {name: value for name, value in asked.items() if value is not None}
        job = lockgate.post(f"/models/{model_only(model)}/log/export", given)
        done: dict[str, Any] = lockgate.wait(job, progress)
        lockgate.download(f"/jobs/{job['id']}/file", Path(target))
    return done


def erase(
    model: str,
    key: str,
    *,
    reason: str,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Erase a person from the log for ever; returns what was erased and where the person still is."""
    with connected(home) as lockgate:
        job = lockgate.post(f"/models/{model_only(model)}/log/erase", {"key": key, "reason": reason})
        done: dict[str, Any] = lockgate.wait(job, progress)
    return done


def check_log(*, home: str | Path | None = None, progress: Progress | None = None) -> dict[str, Any]:
    """Read every file of the archive; returns how many there are and which are damaged."""
    with connected(home) as lockgate:
        done: dict[str, Any] = lockgate.wait(lockgate.post("/log/check"), progress)
    return done
