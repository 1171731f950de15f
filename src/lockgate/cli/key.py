"""`lockgate key`: whoever holds a key is the person that it was made for."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from lockgate.access import rate_words
from lockgate.cli.show import AsJson, new_group, print_json, print_table, when
from lockgate.client.transport import connected

app = new_group("Create, list, limit and revoke API keys.")
Rate = Annotated[
    str | None,
    typer.Option(help="Requests it may send to the gateway, as in 100/s.", show_default="the gateway's"),
]
Burst = Annotated[
    int | None, typer.Option(help="How many at once after a rest.", min=1, show_default="one second's worth")
]


@app.command("create")
def create(
    person: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Whose; else your own.", show_default=False)
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    rate: Rate = None,
    burst: Burst = None,
    as_json: AsJson = False,
) -> None:
    """Make a key. It is shown this once and stored nowhere."""
    with connected(create=True) as lockgate:
        made = lockgate.post("/keys", {"person": person, "label": label, "rate": rate, "burst": burst})
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
        ("KEY", "BEGINS", "PERSON", "CREATED", "REVOKED", "LIMIT", "LABEL"),
        [
            (
                k["id"],
                k["prefix"] + "...",
                k["person"],
                when(k["created_us"]),
                when(k["revoked_us"]),
                limit_words(k),
                k["label"],
            )
            for k in keys
        ],
        empty="no keys yet",
    )


@app.command("limit")
def limit(
    number: Annotated[int, typer.Argument(metavar="KEY", help="Its number.", show_default=False)],
    rate: Rate = None,
    burst: Burst = None,
) -> None:
    """Give a key another limit at the gateway, in force with its next request; none: the gateway's default."""
    with connected() as lockgate:
        row = lockgate.post(f"/keys/{number}/limit", {"rate": rate, "burst": burst})
    print(f"key {row['id']} ({row['prefix']}...) of {row['person']}: {limit_words(row)}")


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="KEY", help="Its number.", show_default=False)],
) -> None:
    """Make a key worthless, at once and everywhere."""
    with connected() as lockgate:
        row = lockgate.delete(f"/keys/{number}")
    print(f"key {row['id']} ({row['prefix']}...) of {row['person']} is revoked")


def limit_words(row: dict[str, Any]) -> str:
    """A key's limit as a table shows it.

    >>> limit_words({"rate_per_s": 100.0, "burst": 200}), limit_words({})
    ('100/s, burst 200', 'default')
    """
    if row.get("rate_per_s") is None:
        return "default"
    burst = f", burst {row['burst']}" if row.get("burst") else ""
    return rate_words(row["rate_per_s"]) + burst
