"""`lockgate key`: whoever holds a key is the person that it was made for."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_table, when
from lockgate.client.transport import connected

app = new_group("Create, list and revoke API keys.")


@app.command("create")
def create(
    person: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Whose; else your own.", show_default=False)
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once and stored nowhere."""
    with connected(create=True) as lockgate:
        made = lockgate.post("/keys", {"person": person, "label": label})
    if as_json:
        print_json(made)
        return
    print(made["key"])
    print(f"key {made['row']['id']} of {made['row']['person']}; it is shown this once", file=sys.stderr)


@app.command("list")
def show(
    person: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Whose; else everyone's.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Keys, the newest first; never the keys themselves."""
    with connected() as lockgate:
        keys = lockgate.get("/keys", person=person)
    if as_json:
        print_json(keys)
        return
    print_table(
        ("KEY", "BEGINS", "PERSON", "CREATED", "REVOKED", "LABEL"),
        [
            (
                k["id"],
                k["prefix"] + "...",
                k["person"],
                when(k["created_us"]),
                when(k["revoked_us"]),
                k["label"],
            )
            for k in keys
        ],
        empty="no keys yet",
    )


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="KEY", help="Its number.", show_default=False)],
) -> None:
    """Make a key worthless, at once and everywhere."""
    with connected() as lockgate:
        row = lockgate.delete(f"/keys/{number}")
    print(f"key {row['id']} ({row['prefix']}...) of {row['person']} is revoked")
