"""The prediction log as a polars frame, and labels handed in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    table: str | Path,
    *,
    label: str,
    on: str = "key",
    key: str | None = None,
    at: str | None = None,
    row: str | None = None,
    home: str | Path | None = None,
) -> dict[str, Any]:
    """Hand in what really happened: a table file with the value to match and the label. Returns counts of rows."""
    path = Path(table)
    fields = {"label": label, "on": on, "key": key, "at": at, "row": row}
    with connected(home) as lockgate:
        try:
            with path.open("rb") as file:
                done: dict[str, Any] = lockgate.upload(
                    f"/models/{model_only(model)}/labels",
                    {name: value for name, value in fields.items() if value is not None},
                    [("file", (path.name, file))],
                )
        except OSError as error:
            raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error
    return done


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
