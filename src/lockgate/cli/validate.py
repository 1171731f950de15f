"""`lockgate validate`: the checks, worst first, with what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table, progress
from lockgate.client import work
from lockgate.errors import InvalidInput

app = new_app("Run the checks on a version.")
MARKS = {"pass": "ok", "warn": "warn", "fail": "FAIL", "could_not_run": "not run"}


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
    if as_json:
        print_json(found)
    else:
        _print(found)
    if any(_blocks(finding, found) for finding in found["findings"]):
        raise typer.Exit(1)


def _print(found: dict[str, Any]) -> None:
    name = f"{found['model']}/{found['version']}"
    print(
        f"{name}: {len(found['findings'])} findings of the suite '{found['suite']}', policy {found['policy']}\n"
    )
    for finding in found["findings"]:
        blocks = "  blocks the release" if _blocks(finding, found) else ""
        subject = f" ({finding['subject']})" if finding.get("subject") else ""
        print(f"{MARKS[finding['status']]:<8} {finding['check']}{subject}{blocks}")
        print(f"         {finding['headline']}")
        if finding["status"] != "pass" and finding.get("advice"):
            print(f"         -> {finding['advice']}")
        table = finding.get("table")
        if finding["status"] in ("fail", "warn") and table and table.get("rows"):
            print_table(table["columns"], [[_cell(cell) for cell in row] for row in table["rows"][:8]])
    blocking = sorted({f["check"] for f in found["findings"] if _blocks(f, found)})
    print()
    if blocking:
        print(f"{name} may not be released: {', '.join(blocking)} must pass")
    else:
        print(f"nothing blocks {name}; next: lockgate release {name}")


def _blocks(finding: dict[str, Any], found: dict[str, Any]) -> bool:
    return finding["blocking"] and finding["check"] not in {waiver["check"] for waiver in found["waivers"]}


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value)


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written", got=error.strerror) from error
