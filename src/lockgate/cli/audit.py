"""`lockgate audit`: who did what, and whether the log still says so."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, counted, new_group, print_json, print_table, when
from lockgate.client.transport import connected

app = new_group("Show and verify the audit log.")
MOST_LETTERS = 120  # of a row's details on the screen; --json shows all


@app.command("show")
def show(
    subject: Annotated[str | None, typer.Argument(metavar="[SUBJECT]", help="A model, a version, a person.",
                       show_default=False)] = None,
    actor: Annotated[str | None, typer.Option(help="Who acted.", show_default=False)] = None,
    action: Annotated[str | None, typer.Option(help="A tag or its beginning, as in release:.", show_default=False)] = None,
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1, max=1000)] = 50,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Rows of the audit log, the newest first."""
    with connected() as lockgate:
        rows = lockgate.get("/audit", subject=subject, actor=actor, action=action, limit=limit)
    if as_json:
        print_json([{**row, "details": json.loads(row["details"])} for row in rows])
        return
    print_table(
        ("ROW", "TIME", "WHO", "WHAT", "SUBJECT", "DETAILS"),
        [
            (row["seq"], when(row["at_us"]), row["actor"], row["action"], row["subject"],
             _short(row["details"]))
            for row in rows
        ],
    )  # fmt: skip


def _short(details: str) -> str:
    text = "" if details == "{}" else details
    return text if len(text) <= MOST_LETTERS else f"{text[:MOST_LETTERS]}..."


@app.command("verify")
def verify(as_json: AsJson = False) -> None:
    """Read the whole chain, every signed checkpoint and every recorded validation; exit status 6 when one is not as it was
    written."""
    with connected() as lockgate:
        found = lockgate.get("/audit/verify")
    if as_json:
        print_json(found)
    elif found["whole"]:
        print(f"whole: {counted(found['rows'], 'row')}, signed up to row {found['signed_to']}"
              f" by {counted(found['checkpoints'], 'checkpoint')}")  # fmt: skip
    else:
        faults = len(found["faults"]) + len(found["validations"])
        print(f"NOT whole: {counted(faults, 'fault')} in {counted(found['rows'], 'row')}")
        for fault in found["faults"]:
            print(f"  row {fault['seq']}: {fault['what']} ({fault['kind']})")
        for said in found["validations"]:
            print(f"  {said}")
    if not found["whole"]:
        raise typer.Exit(6)
