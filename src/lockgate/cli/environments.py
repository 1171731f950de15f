"""`lockgate environments`: what this home keeps to run models in, and room made."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from lockgate.cli.show import AsJson, new_app, print_json
from lockgate.config import home_from
from lockgate.inference.environment_cache import DAY_S, SHOWN, Kept, kept, remove

MB = 1_000_000
app = new_app("The environments that models run in, built on this machine.")


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """Every built environment: size, last use, processes that run in it, packages."""
    found = kept(home_from())
    if as_json:
        print_json([_plain(one) for one in found])
        return
    for one in found:
        print(_line(one))
    if not found:
        print("no environment was built here: models run in lockgate's own, or in one that config.yaml names")


@app.command("remove")
def remove_(
    digests: Annotated[
        list[str] | None, typer.Argument(help="which; none: all that were not used lately")
    ] = None,
    unused_days: Annotated[
        float, typer.Option(help="without names: those not asked for in so many days")
    ] = 30.0,
    as_json: AsJson = False,
) -> None:
    """Remove environments. A version that needs one again builds it when it is loaded."""
    gone = remove(home_from(), digests or (), unused_days=None if digests else unused_days)
    if as_json:
        print_json([_plain(one) for one in gone])
        return
    freed = sum(one.own_bytes for one in gone) / MB
    print(f"removed {len(gone)}, {freed:.0f} MB freed" if gone else "nothing to remove")


def _line(one: Kept) -> str:
    used = (
        "in use"
        if one.pids
        else f"unused for {one.unused_s / DAY_S:.0f} d"
        if one.unused_s >= DAY_S
        else "used today"
    )
    shown = ", ".join(one.packages[:SHOWN]) + (
        f" and {len(one.packages) - SHOWN} more" if len(one.packages) > SHOWN else ""
    )
    return f"{one.digest}  {one.total_bytes / MB:6.0f} MB ({one.own_bytes / MB:.0f} its own)  {used:<18}  {shown}"


def _plain(one: Kept) -> dict[str, object]:
    return {
        "digest": one.digest, "packages": list(one.packages), "total_bytes": one.total_bytes, "own_bytes": one.own_bytes,
        "last_used": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - one.unused_s)), "pids": list(one.pids),
    }  # fmt: skip
