"""A pipeline that is a command in any language: it reads files, writes files, and lockgate takes what it wrote.

The command finds `LOCKGATE_DATA_<NAME>` (a path for each data set), `LOCKGATE_PARAM_<NAME>`, `LOCKGATE_SEED`, and
`LOCKGATE_OUT`, the folder where it leaves `model...` (a file or a folder), `metrics.json` and tables (`train.csv`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.pipelines.inside.values import write_value

LAST_LINES = 6


def run_command(order: dict[str, Any], asked: dict[str, Any], into: Path) -> dict[str, Any]:
    """Run it in a copy of the code and keep its folder of results. Raises InvalidInput with its last words."""
    work = Path(order["write"][0])
    here, out = work / "code", work / "results"
    for folder in (here, out):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(order["code"], here)
    out.mkdir()
    variables = {**os.environ, "LOCKGATE_OUT": str(out), "LOCKGATE_SEED": str(order["seed"])}
    for name, given in asked["arguments"].items():
        if "data" in given:
            variables[f"LOCKGATE_DATA_{name.upper()}"] = given["data"]["path"]
        else:
            variables[f"LOCKGATE_PARAM_{name.upper()}"] = str(given["value"])
    done = subprocess.run(
        order["command"],
        cwd=here,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode("utf-8", "replace")
    sys.stdout.write(said)
    if done.returncode:
        raise InvalidInput(
            f"the command ended with {'signal' if done.returncode < 0 else 'status'} {abs(done.returncode)}",
            got=" | ".join(said.strip().splitlines()[-LAST_LINES:]) or "it said nothing",
        )
    return write_value("command", out, into)
