"""`lockgate policy`: what each tier asks before a version may take traffic."""

from __future__ import annotations

from typing import Annotated, Any

import typer
import yaml

from lockgate.cli.show import AsJson, new_group, print_json, print_pairs, when
from lockgate.client.transport import connected
from lockgate.errors import InvalidInput
from lockgate.yamlfile import load_yaml

app = new_group("Show and set what each tier asks.")
TIERS = "low, medium or high"


@app.command("show")
def show(
    tier: Annotated[str | None, typer.Argument(metavar="[TIER]", help=TIERS, show_default=False)] = None,
    as_json: AsJson = False,
) -> None:
    """What is in force; with a tier, every version of its policy."""
    with connected() as lockgate:
        found = lockgate.get(f"/policies/{tier}" if tier else "/policies")
    if as_json:
        print_json(found)
        return
    for each in found:
        print(
            f"{each['tier']}/{each['number']}  by {each['author']}  {when(each['written_us'])}  {each['reason']}"
        )
        print_pairs({f"  {name}": _text(value) for name, value in each["policy"].items()})


@app.command("set")
def write(
    tier: Annotated[str, typer.Argument(metavar="TIER", help=TIERS, show_default=False)],
    settings: Annotated[list[str], typer.Argument(metavar="NAME=VALUE...", show_default=False,
                        help="As in approvals=2 or must_pass=[leakage,quality].")],
    reason: Annotated[str, typer.Option(help="Why; it goes on record.", show_default=False)],
) -> None:  # fmt: skip
    """Write the next version of a tier's policy. What is not named stays as it is."""
    with connected(create=True) as lockgate:
        made = lockgate.put(f"/policies/{tier}", {"policy": dict(map(_setting, settings)), "reason": reason})
    print(f"policy {made['tier']}/{made['number']} is in force")


def _setting(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign:
        raise InvalidInput(
            "a setting is written NAME=VALUE", got=text, fix="lockgate policy set high approvals=2 ..."
        )
    try:
        return name.strip(), load_yaml(value)
    except yaml.YAMLError as error:
        raise InvalidInput(f"the value of {name} cannot be read", got=value) from error


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
