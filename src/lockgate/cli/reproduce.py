"""`lockgate reproduce`: a version built again in a clean place, and what differs."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_app, print_json, progress
from lockgate.client.train import reproduce as again

app = new_app("Build a version again and compare.")
MEANS = {
    "bytes": "the same model, byte by byte",
    "predictions": "other bytes, the same answers",
    "metrics": "other answers, the same metrics",
    "nothing": "another model",
}


@app.command()
def reproduce(
    version: Annotated[
        str, typer.Argument(metavar="VERSION", help="churn/3, churn@live.", show_default=False)
    ],
    *,
    here: Annotated[
        bool, typer.Option("--here", help="In the environment there is, when it fits the lock.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Code, environment, data and model from what is on record. Exit status 1 when it is another model."""
    with progress() as show:
        found = again(version, here=here, progress=show)
    if as_json:
        print_json(found.json)
    else:
        print(
            f"{found['version']}: {MEANS[found.equal]}"
            + (f" ({found['rows']} rows asked)" if found["rows"] else "")
        )
        for line in found["differences"]:
            print(f"  {line}")
        if not found["clean"]:
            print("  the environment was not made anew from the lock")
    if found.equal == "nothing":
        raise typer.Exit(1)
