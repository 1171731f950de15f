"""`lockgate score`: a table scored with the same package and the same log as online."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_app, print_json, progress
from lockgate.client import work

app = new_app("Score a table with a version.")


@app.command()
def score(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="churn@live, churn/3; churn: the live one.",
                       show_default=False)],
    table: Annotated[Path, typer.Argument(metavar="FILE", help="parquet, csv or jsonl.", show_default=False)],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The Parquet file to write.",
                      show_default="FILE.scored.parquet")] = None,
    key: Annotated[str | None, typer.Option(help="The table's column of business keys, which go on record.",
                   metavar="COLUMN", show_default="the model's own 'key'")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Score every row; a row that makes the model fail costs no other its answer, and every answer is in the log."""
    target = output or table.with_name(f"{table.stem}.scored.parquet")
    with progress() as show:
        done = work.score(version, table, target, key=key, overwrite=overwrite, progress=show)
    if as_json:
        print_json({**done, "output": str(target)})
        return
    failed = f", {done['failed']} without an answer (column 'error' says why)" if done["failed"] else ""
    keys = f" under the keys in '{done['key']}'" if done["key"] else ""
    print(f"{done['rows']} rows scored by {done['model']}/{done['version']}{keys}{failed}: {target}")
