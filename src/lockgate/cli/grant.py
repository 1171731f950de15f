"""`lockgate grant`: roles, per model or for all."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.show import new_app
from lockgate.client.transport import connected

app = new_app("Give a person a role, or take it away.")


@app.command()
def grant(
    person: Annotated[str, typer.Argument(metavar="NAME", show_default=False)],
    role: Annotated[str, typer.Argument(
        metavar="ROLE", show_default=False,
        help="viewer, caller, builder, validator, approver, auditor, host or admin.")],
    model: Annotated[str, typer.Option(help="One model only.", show_default="all")] = "*",
    revoke: Annotated[bool, typer.Option("--revoke", help="Take the role away.")] = False,
) -> None:  # fmt: skip
    """Give a person a role, or take it away."""
    with connected() as lockgate:
        path = "/grants/revoke" if revoke else "/grants"
        lockgate.post(path, {"person": person, "role": role, "model": model})
    where = "all models" if model == "*" else f"model {model}"
    print(f"{person} is {'no longer ' if revoke else ''}{role} on {where}")
