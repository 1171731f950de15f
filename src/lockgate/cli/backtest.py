"""`lockgate backtest`: a version on any stretch of the recorded history, or on a table."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from lockgate.checks.finding import Finding, Status
from lockgate.cli.show import AsJson, new_app, print_json, print_table, progress
from lockgate.client import work
from lockgate.client.results import BackTested
from lockgate.reports.terminal import findings_text
from lockgate.reports.words import cell

WIDTH = 110  # of lines where there is no terminal to measure
app = new_app("Hold a version against the recorded past.")


@app.command()
def backtest(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="churn/3; churn: the newest.", show_default=False)],
    *,
    since: Annotated[str | None, typer.Option(help="30d (ago), 2026-03-01: rows from then on.", show_default="all")] = None,
    until: Annotated[str | None, typer.Option(help="7d (ago), 2026-04-01: rows before then.", show_default="all")] = None,
    table: Annotated[Path | None, typer.Option(metavar="FILE", help="A table with times and labels, instead of the log.",
                     show_default=False)] = None,
    compute: Annotated[str | None, typer.Option(help="local, ray://HOST:10001.", show_default="config.yaml")] = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Windows of the past, answered by the version, the live one and one that is retrained before each. Exit status 1 when
    it failed there."""
    with progress() as show:
        found = work.backtest(version, since=since, until=until, table=table, compute=compute, progress=show)
    findings = msgspec.convert(found.json["findings"], list[Finding])
    if as_json:
        print_json(found.json)
    else:
        _print(found, findings)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(1)


def _print(found: BackTested, findings: list[Finding]) -> None:
    name = f"{found['model']}/{found['version']}"
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(findings_text(name, findings))
    for finding in findings:
        if finding.table is not None:
            rows: list[list[Any]] = [[cell(value) for value in row] for row in finding.table.rows]
            print()
            print_table([column.upper() for column in finding.table.columns], rows)
    print(f"\n{found['rows']:,} labelled rows of {found['source']}; nothing was recorded")
