"""`lockgate validate`: the checks, worst first, with what to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from lockgate.checks.store import Validation
from lockgate.cli.show import AsJson, new_app, print_json, progress
from lockgate.client import work
from lockgate.errors import InvalidInput
from lockgate.reports.terminal import findings_text

WIDTH = 110  # of lines where there is no terminal to measure
app = new_app("Run the checks on a version.")


@app.command()
def validate(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="churn/3; churn: the newest.", show_default=False)
    ],
    *,
    suite: Annotated[
        str | None, typer.Option(help="quick, low, medium or high.", show_default="the model's tier")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write the report with plots there.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the checks and record what they find. Exit status 1 when a finding blocks the release."""
    with progress() as show:
        found = work.validate(version, suite, progress=show)
    if html is not None:
        _write(html, work.report(f"{found['model']}/{found['version']}"))
    validation = msgspec.convert(found.json, Validation)
    if as_json:
        print_json(found.json)
    else:
        _print(validation)
    if validation.blocking:
        raise typer.Exit(1)


def _print(found: Validation) -> None:
    name = f"{found.model}/{found.version}"
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(findings_text(name, found.findings, [waiver.check for waiver in found.waivers]))
    if not found.blocking:
        print(f"\nnext: lockgate release {name}")


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written", got=error.strerror) from error
