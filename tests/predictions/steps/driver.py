"""Archives a home again and again, each time in a fresh copy of this process, killed before a given step. Started by the test.

    LD_PRELOAD=steps.so python driver.py HOME

Each line of standard input is a number of a step (0: none). For each, a record is written into an ended segment, and one
process archives and dies before that step; what it changed until then is told, a line a step, then `died` or `done`. Another
one archives once more and tells what is in the table and in the hot log.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import open_database
from lockgate.predictions.archive import archive
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.record import Record
from lockgate.predictions.table import Archive


def in_another(work: Callable[[], None]) -> bool:
    """Do something in a copy of this process, which starts no thread; whether it came to its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
            os._exit(1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert status in (0, 9), f"the archiver ended with {status}"
    return status == 0


def main(home: Home) -> None:
    """One pass for each line."""
    arm = ctypes.CDLL(None).steps_arm

    def one_pass() -> None:
        archive(home.log, Blobs(str(home.blobs)), open_database(f"sqlite:///{home.database}"))

    def look() -> None:
        rows = Archive(home.log, Blobs(str(home.blobs))).look().rows()
        found = [] if rows is None else rows.collect()["id"].to_list()
        print(json.dumps({"archived": found, "hot": LogReader(home.log).segments()}), flush=True)

    for number, line in enumerate(sys.stdin):
        with SegmentWriter(home.log, "w") as log:
            log.append([Record(id=f"r{number}", at_us=number, model="m")])
        with tempfile.TemporaryFile() as told:
            handle = told.fileno()

            def armed(handle: int = handle, fatal: int = int(line)) -> None:
                arm(str(home.root).encode(), ctypes.c_long(fatal), handle)
                one_pass()

            ended = in_another(armed)
            told.seek(0)
            steps = told.read().decode().splitlines()
        print(json.dumps({"steps": steps, "ended": ended}), flush=True)
        assert in_another(one_pass)
        assert in_another(look)


if __name__ == "__main__":
    main(Home(Path(sys.argv[1])))
