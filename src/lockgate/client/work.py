"""Validating a version and scoring a table, from Python."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lockgate.client.frames import as_parquet
from lockgate.client.naming import version_path
from lockgate.client.results import BackTested, Validated
from lockgate.client.transport import Progress, connected
from lockgate.errors import Conflict, InvalidInput


def validate(
    version: str,
    suite: str | None = None,
    *,
    compute: str | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> Validated:
    """Run the checks on a version (`churn/3`; `churn`: the newest) and return the recorded validation.

    `compute`: `local`, or a Ray cluster (`ray://HOST:10001`); else what config.yaml says.
    """
    with connected(home) as lockgate:
        job = lockgate.post(f"{version_path(version)}/validate", {"suite": suite, "compute": compute})
        found = Validated(lockgate.wait(job, progress))
    return found


def plan(version: str, suite: str | None = None, *, home: str | Path | None = None) -> list[dict[str, Any]]:
    """What validating would run, what it could not, and which file, column or setting would make it possible."""
    with connected(home) as lockgate:
        plans: list[dict[str, Any]] = lockgate.get(f"{version_path(version)}/checks", suite=suite)
    return plans


def backtest(
    version: str,
    *,
    since: str | None = None,
    until: str | None = None,
    table: Any = None,
    compute: str | None = None,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> BackTested:
    """Hold a version against the recorded predictions whose labels came, or against a table (a path or a data frame).

    `since`, `until`: `30d` (ago) or a date. Nothing is recorded.
    """
    fields = {
        name: value for name, value in (("since", since), ("until", until), ("compute", compute)) if value
    }
    with ExitStack() as stack, connected(home) as lockgate:
        upload = [] if table is None else [("file", _table(table, stack))]
        job = lockgate.upload(f"{version_path(version)}/backtest", fields, upload)
        return BackTested(lockgate.wait(job, progress))


def own_check(
    version: str, file: str | Path, *, home: str | Path | None = None, progress: Progress | None = None
) -> Validated:
    """Run a check of your own, a Python file with `check(evidence)`, confined; its findings are added to the version's."""
    path = Path(file)
    with ExitStack() as stack, connected(home) as lockgate:
        job = lockgate.upload(f"{version_path(version)}/checks", {}, [("file", _table(path, stack))])
        return Validated(lockgate.wait(job, progress))


def against(
    version: str,
    url: str,
    key: str | None = None,
    *,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> Validated:
    """Compare with an outside service (`.../v2/models/NAME/infer`, `.../invocations`), cell by cell; what differs is added to
    the version's findings. `key`: sent to it as a bearer token, kept nowhere."""
    with connected(home) as lockgate:
        job = lockgate.post(f"{version_path(version)}/against", {"url": url, "key": key})
        return Validated(lockgate.wait(job, progress))


def report(version: str, form: str = "html", *, home: str | Path | None = None) -> bytes:
    """The findings of a version as one HTML page that needs nothing else; or `markdown`, `junit`, `sarif`, `json`."""
    with connected(home) as lockgate:
        return lockgate.read(f"{version_path(version)}/report", form=form)


def score(
    version: str,
    table: Any,
    output: str | Path,
    *,
    key: str | None = None,
    overwrite: bool = False,
    home: str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Score a table (a path or a data frame) with a version (`churn@live`; `churn`: the live one) into a Parquet file.

    `key`: the table's column of business keys, which go on record with the rows; if not named, the model's own `key`.
    Returns counts of rows. Raises Conflict when the file is there and `overwrite` is not set.
    """
    target = Path(output)
    if target.exists() and not overwrite:
        raise Conflict(f"there is a file {target} already", fix="choose another name, or allow overwriting")
    with ExitStack() as stack, connected(home) as lockgate:
        upload = [("file", _table(table, stack))]
        named = {} if key is None else {"key": key}
        job = lockgate.upload(f"{version_path(version, default='live')}/score", named, upload)
        done: dict[str, Any] = lockgate.wait(job, progress)
        lockgate.download(f"/jobs/{job['id']}/file", target)
    return done


def _table(table: Any, stack: ExitStack) -> tuple[str, Any]:
    if not isinstance(table, str | Path):
        body = as_parquet(table)
        if body is None:
            raise InvalidInput("rows come as a table", got=type(table).__name__,
                               allowed="a polars or pandas frame, or the path of a file")  # fmt: skip
        return "rows.parquet", body
    path = Path(table)
    try:
        return path.name, stack.enter_context(path.open("rb"))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", got=error.strerror) from error
