"""`lockgate status`: the whole box, or one model's release."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lockgate.cli.release import print_release
from lockgate.cli.show import AsJson, new_app, print_json, print_pairs, print_table
from lockgate.client import releases
from lockgate.client.naming import parts_of
from lockgate.client.transport import connected

_HEALTH = {
    "well": "well",
    "look": "look at it",
    "trouble": "not well",
    "unknown": "not known",
}  # as the console says it
app = new_app("What runs, what is live, what waits for whom.")


@app.command()
def status(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="Only its release.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Processes, gateway workers, models, readers of the log, and what to worry about."""
    if model is not None:
        found = releases.status(parts_of(model)[0])
    else:
        with connected() as lockgate:
            found = lockgate.get("/status")
    if as_json:
        print_json(found)
    elif model is not None:
        print_release(found)
    else:
        _print(found)


def _print(found: dict[str, Any]) -> None:
    addresses = found["addresses"] or {}
    print_pairs(
        {
            "console": addresses.get("console"),
            "gateway": addresses.get("gateway"),
            **({"gRPC": addresses["grpc"]} if addresses.get("grpc") else {}),
            "processes": ", ".join(f"{p['name']} ({p['pid']})" for p in found["processes"]) or "none",
            "plan": f"epoch {found['epoch']}",
            "disk": f"{found['disk_free_bytes'] / 1e9:.1f} GB free",
        }
    )
    if found["gateways"]:
        print()
        print_table(
            ("WORKER", "PLAN", "READY", "PACKAGES"),
            [
                (g["worker"], g["epoch"], "yes" if g["ready"] else "no",
                 ", ".join(f"{digest[7:19]} {loaded['state']}" for digest, loaded in g["packages"].items()))
                for g in found["gateways"]
            ],
        )  # fmt: skip
    print()
    print_table(
        ("MODEL", "WELL?", "LIVE", "RELEASE", "WAITS FOR"),
        [
            (m["name"], _HEALTH[found["told"][m["name"]]["health"]], f"{m['name']}/{m['live']}" if m["live"] else "", _release(m),
             found["told"][m["name"]]["waits_for"])
            for m in found["models"]
        ],
        empty="no models yet",
    )  # fmt: skip
    for name, told in found["told"].items():
        if told["health"] in ("look", "trouble"):
            print(
                f"\n{name}: {told['well']}\n  how we know: {told['known_by']}\n  what happens next: {told['next']}"
            )
    if found["worries"]:
        print()
        for worry in found["worries"]:
            print(f"! {worry}")


def _release(model: dict[str, Any]) -> str:
    running = model["release"]
    return (
        f"{model['name']}/{running['version']} {running['phase']} {running['weight']:.0%}" if running else ""
    )
