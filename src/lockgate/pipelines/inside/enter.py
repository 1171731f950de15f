"""The first moments of a pipeline's process: it hears its order, gives up its rights, and becomes the one that does the work.

An interpreter runs lines of code that packages of its environment left in .pth files, before anybody can ask it. So the
first one starts without its `site` module and confines itself; walls stay when a process becomes another program.
"""

from __future__ import annotations

import json
import os
import sys

from lockgate.errors import LockgateError
from lockgate.pipelines.inside import walls
from lockgate.runner.start import die_with

WORK = (
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[5]]; "
    "from lockgate.pipelines.inside.main import main; main(*map(int, sys.argv[1:5]))"
)


def enter(reading: int, writing: int, life: int, library: str) -> None:
    """Read the order from `reading`, confine this process, go on as `inside.main`.

    The kernel kills this process once the other end of the pipe `life` is closed, however its owner ended.
    """
    die_with(life)
    with os.fdopen(reading, closefd=False) as asked:
        order = json.loads(asked.readline())
    try:
        held = walls.confine(order, keep={reading, writing, life})
    except LockgateError as error:
        said = {"say": "refused", "step": "load", "error": error.as_json()}
        os.write(writing, json.dumps(said).encode() + b"\n")
        return
    told = os.memfd_create("order", 0)
    with os.fdopen(told, "w", closefd=False) as file:
        json.dump({"order": order, "confined": held.done, "unconfined": held.missing}, file)
    os.lseek(told, 0, os.SEEK_SET)
    command = [sys.executable, "-s", "-B", "-c", WORK, *map(str, (reading, writing, life, told)), library]
    os.execv(sys.executable, command)  # noqa: S606  no shell is wanted
