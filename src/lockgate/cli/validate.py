"""`lockgate validate`: the checks, worst first, with what to do; before that, what would run; after it, reports."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from lockgate.checks.store import Validation
from lockgate.cli.show import AsJson, new_app, print_json, print_table, progress
from lockgate.client import work
from lockgate.errors import InvalidInput
from lockgate.reports.schema import validation_schema
from lockgate.reports.terminal import findings_text

AGAINST_KEY = "LOCKGATE_AGAINST_KEY"
WIDTH = 110  # of lines where there is no terminal to measure
app = new_app("Run the checks on a version.")


def _file(text: str) -> Any:
    return typer.Option(metavar="FILE", help=text, show_default=False)


@app.command()
def validate(
    version: Annotated[
        str | None, typer.Argument(metavar="VERSION", help="churn/3; churn: the newest.", show_default=False)
    ] = None,
    *,
    suite: Annotated[
        str | None, typer.Option(help="quick, full, low, medium or high.", show_default="the model's tier")
    ] = None,
    compute: Annotated[
        str | None,
        typer.Option(help="Where checks run: local, ray://HOST:10001.", show_default="config.yaml"),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what would run, and what cannot.")] = False,
    check: Annotated[
        Path | None,
        _file("Run this check of your own (a Python file with check(evidence)) instead of a suite."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Compare with an outside service instead: .../v2/models/NAME/infer or .../invocations; its key in "
            "LOCKGATE_AGAINST_KEY.",
            show_default=False,
        ),
    ] = None,
    report: Annotated[Path | None, _file("Write the report with plots there, as one HTML page.")] = None,
    markdown: Annotated[Path | None, _file("Write it as Markdown.")] = None,
    junit: Annotated[Path | None, _file("Write it as JUnit XML.")] = None,
    sarif: Annotated[Path | None, _file("Write it as SARIF 2.1.0.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON Schema of what --json prints.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the checks and record what they find. Exit status 1 when a finding blocks the release."""
    if schema:
        print_json(validation_schema())
        return
    if version is None:
        raise InvalidInput(
            "which version?", allowed="churn/3, churn@live, churn", fix="lockgate validate churn/3"
        )
    if plan:
        _print_plan(work.plan(version, suite), as_json)
        return
    with progress() as show:
        if check:
            found = work.own_check(version, check, progress=show)
        elif against:
            found = work.against(version, against, os.environ.get(AGAINST_KEY), progress=show)
        else:
            found = work.validate(version, suite, compute=compute, progress=show)
    name = f"{found['model']}/{found['version']}"
    for path, form in ((report, "html"), (markdown, "markdown"), (junit, "junit"), (sarif, "sarif")):
        if path is not None:
            _write(path, work.report(name, form))
    validation = msgspec.convert(found.json, Validation)
    if as_json:
        print_json(found.json)
    else:
        _print(name, validation)
    if validation.blocking:
        raise typer.Exit(1)


def _print(name: str, found: Validation) -> None:
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    console.print(findings_text(name, found.findings, [waiver.check for waiver in found.waivers]))
    if not found.blocking:
        print(f"\nnext: lockgate release {name}")


def _print_plan(plans: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(plans)
        return
    rows: list[tuple[str, str, str]] = []
    for each in plans:
        if each["lacks"]:
            rows.append((each["check"], "cannot run", f"needs {'; '.join(each['lacks'])}"))
            rows.append(("", "", f"-> {each['advice']}"))
            continue
        rows.append((each["check"], "runs", each["question"]))
        for part in each["without"]:
            rows.append(("", "  without", f"{part['part']}: needs {'; '.join(part['lacks'])}"))
            rows.append(("", "", f"-> {part['advice']}"))
    print_table(("CHECK", "", "WHY"), rows, empty="this suite has no checks")


def _write(path: Path, body: bytes) -> None:
    try:
        path.write_bytes(body)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written", got=error.strerror) from error
