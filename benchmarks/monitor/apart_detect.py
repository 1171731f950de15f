"""Runs in an environment with river (`apart.py`): what its detectors, as they come, say of the series."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from river import drift


def alarms(numbers: list[float]) -> dict[str, list[int]]:
    """When each detector says that something changed; values come one by one, as they are."""
    made = {"ADWIN": drift.ADWIN, "KSWIN": lambda: drift.KSWIN(seed=0), "PageHinkley": drift.PageHinkley}
    said: dict[str, list[int]] = {}
    for name, make in made.items():
        detector, said[name] = make(), []
        for place, value in enumerate(numbers):
            detector.update(value)
            if detector.drift_detected:
                said[name].append(place)
    return said


def main(folder: Path) -> None:
    """Every series."""
    known = json.loads((folder / "series.json").read_text())
    found = {name: alarms(one["values"]) for name, one in known.items()}
    (folder / "alarms.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
