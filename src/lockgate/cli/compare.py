"""`lockgate compare`: versions side by side, what got worse first."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.show import AsJson, new_app, print_json, print_table
from lockgate.client.transport import connected
from lockgate.reports.words import LABELS, check_title, number

app = new_app("Versions side by side, what got worse first.")


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="CHURN/2 CHURN/3...", show_default=False)],
    everything: Annotated[bool, typer.Option("--all", help="What is equal, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """What the checks found of each version, what got worse first; then metrics, parameters, signature, data."""
    with connected() as lockgate:
        found = lockgate.get("/compare", version=names)
    if as_json:
        print_json(found)
        return
    for name in found["unvalidated"]:
        print(f"{name} was not validated; next: lockgate validate {name}")
    lines = [
        (
            line["verdict"] + (", blocks" if line["blocks"] else ""),
            _title(line),
            *(_cell(line, cell) for cell in line["cells"]),
        )
        for line in found["findings"]
        if everything or line["verdict"] != "alike"
    ]
    print_table(("", "WHAT THE CHECKS FOUND", *found["versions"]), lines, empty="the checks found the same")
    rows = [
        (row["section"], row["name"], *map(_value, row["values"]))
        for row in found["rows"]
        if row["differs"] or everything
    ]
    print()
    print_table(("", "WHAT THEY ARE MADE OF", *found["versions"]), rows, empty="no difference")


def _title(line: dict[str, Any]) -> str:
    measure = line["measure"]
    about = line["subject"] if measure in (None, line["subject"]) else f"{line['subject']} ({measure})"
    return f"{check_title(line['check'])}: {about}"


def _cell(line: dict[str, Any], cell: dict[str, Any] | None) -> str:
    """How it stands, and the figure with its bounds."""
    if cell is None:
        return "-"
    said = {status.value: label for status, label in LABELS.items()}[cell["status"]]
    if cell["value"] is None:
        return said
    unit = line["unit"]
    known = cell["low"] is not None and cell["high"] is not None
    bounds = f" [{number(cell['low'], unit)}, {number(cell['high'], unit)}]" if known else ""
    return f"{said} {number(cell['value'], unit)}{bounds}"


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else "" if value is None else str(value)
