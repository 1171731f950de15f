"""`lockgate person`: who may act."""

from __future__ import annotations

from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_group, print_json, print_table, when
from lockgate.client.transport import connected

app = new_group("Add people and applications, list them, and let them act or no longer.")
Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False)]


@app.command("add")
def add(
    name: Name,
    full_name: Annotated[str, typer.Option("--full-name", help="For reports.")] = "",
    application: Annotated[bool, typer.Option("--application", help="A program that calls models.")] = False,
    as_json: AsJson = False,
) -> None:
    """Enter a person or an application; give roles with `lockgate grant`, a key with `lockgate key create`."""
    kind = "application" if application else "person"
    with connected(create=True) as lockgate:
        person = lockgate.post("/people", {"id": name, "name": full_name, "kind": kind})
    if as_json:
        print_json(person)
    else:
        print(f"{person['id']} is entered, without a role yet")
        role = "caller" if application else "builder"
        print(f"  next: lockgate grant {person['id']} {role}; lockgate key create {person['id']}")


@app.command("list")
def show(as_json: AsJson = False) -> None:
    """Everyone, with their roles."""
    with connected() as lockgate:
        people = lockgate.get("/people")
    if as_json:
        print_json(people)
        return
    print_table(
        ("NAME", "KIND", "ACTIVE", "SINCE", "ROLES"),
        [
            (
                each["person"]["id"],
                each["person"]["kind"],
                "yes" if each["person"]["active"] else "no",
                when(each["person"]["created_us"]),
                ", ".join(_role(role) for role in each["roles"]) or "none",
            )
            for each in people
        ],
    )


@app.command("activate")
def activate(name: Name) -> None:
    """Let a person act again."""
    _set_active(name, True)


@app.command("deactivate")
def deactivate(name: Name) -> None:
    """Let a person act no longer: their keys and sessions stop to work at once."""
    _set_active(name, False)


def _set_active(name: str, active: bool) -> None:
    with connected() as lockgate:
        lockgate.post(f"/people/{name}/active", {"active": active})
    print(f"{name} {'may act' if active else 'may no longer act'}")


def _role(role: dict[str, str]) -> str:
    return role["role"] if role["model"] == "*" else f"{role['role']} of {role['model']}"
