"""`lockgate doctor`: what this machine can do and what it cannot."""

from __future__ import annotations

import typer

from lockgate.cli.show import AsJson, new_app, print_json
from lockgate.config import home_from
from lockgate.wiring.machine import examine

app = new_app("Say what this machine can do and what it cannot.")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Try Python, home folder, disk, database, ports, confinement of model code and uv. Exit status 1 if one fails."""
    tests = examine(home_from())
    if as_json:
        print_json([{"name": test.name, "good": test.good, "detail": test.detail} for test in tests])
    else:
        width = max(len(test.name) for test in tests)
        for test in tests:
            print(f"{'ok ' if test.good else 'NOT'}  {test.name:<{width}}  {test.detail}")
    if not all(test.good for test in tests):
        raise typer.Exit(1)
