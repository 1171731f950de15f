"""T9: change points as people marked them, found by the monitor's own judge and by river's detectors as they come.

The monitor needs a reference: the first values after the last change. Values come in chunks; when a chunk has moved, that is
an alarm, and the reference is made anew from what follows. An alarm is right if somebody marked a change in the values
before it; a mark is found if an alarm follows it within that stretch. Recall is the mean over people.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lockgate.monitor.drift import judge
from lockgate.monitor.profile import merged_profiles, profiles_of
from lockgate.monitor.reference import Reference
from lockgate.stats.sketch import sketch_numbers

REFERENCE, CHUNK = 40, 20
EARLY, LATE = 5, 60  # values before a mark, and after it, in which an alarm belongs to it


@dataclass(frozen=True)
class Score:
    """Of one detector on one series."""

    alarms: int
    right: int
    precision: float
    recall: float


def alarms_of(values: np.ndarray) -> list[int]:
    """Where the monitor says that something changed: the last value of the chunk; what follows is the new reference."""
    found, start, look = [], 0, 0
    while start + REFERENCE + CHUNK <= values.size:
        columns = {"value": sketch_numbers(values[start : start + REFERENCE])}
        reference = Reference(name="series", said="before", rows=REFERENCE, columns=columns, answers={})
        at = start + REFERENCE
        while at + CHUNK <= values.size:
            look += 1
            chunk = {"value": values[at : at + CHUNK]}
            counted = profiles_of(reference, np.zeros(CHUNK, dtype=np.int64), chunk, {})
            said = judge(reference, {1: merged_profiles(counted.values())}, look)
            if said.moved or said.broken:
                break
            at += CHUNK
        if at + CHUNK > values.size:
            break
        found.append(at + CHUNK - 1)
        start = at
    return found


def score(alarms: list[int], marks: dict[str, list[int]]) -> Score:
    """Precision against everybody's marks, recall as the mean over those who marked any."""
    everybody = sorted({mark for each in marks.values() for mark in each})
    right = [alarm for alarm in alarms if any(-EARLY <= alarm - mark <= LATE for mark in everybody)]
    shares = [
        float(np.mean([any(-EARLY <= alarm - mark <= LATE for alarm in alarms) for mark in each]))
        for each in marks.values() if each
    ]  # fmt: skip
    precision = len(right) / len(alarms) if alarms else 1.0
    return Score(len(alarms), len(right), precision, float(np.mean(shares)) if shares else 1.0)


def table(folder: Path, others: Mapping[str, Mapping[str, list[int]]]) -> list[tuple[str, dict[str, Score]]]:
    """Every series with every detector. `others`: what they said of each."""
    found = []
    for name, one in json.loads((folder / "series.json").read_text()).items():
        said = {"lockgate": alarms_of(np.asarray(one["values"])), **others.get(name, {})}
        found.append((name, {who: score(alarms, one["marks"]) for who, alarms in said.items()}))
    return found


def lines(folder: Path, others: Mapping[str, Mapping[str, list[int]]]) -> list[str]:
    """Every series with every detector, as text."""
    return table_lines(table(folder, others))


def table_lines(rows: Sequence[tuple[str, Mapping[str, Score]]]) -> list[str]:
    """A line a series, then the means."""
    who = list(rows[0][1])
    text = ["series            " + "".join(f"{name:>24}" for name in who)]
    for name, scores in rows:
        text.append(f"{name:<18}" + "".join(f"{_short(scores[each]):>24}" for each in who))
    means = [
        f"{np.mean([s[each].precision for _, s in rows]):.2f} / {np.mean([s[each].recall for _, s in rows]):.2f}"
        for each in who
    ]
    return [*text, f"{'mean':<18}" + "".join(f"{each:>24}" for each in means)]


def _short(found: Score) -> str:
    return f"{found.precision:.2f} / {found.recall:.2f} ({found.alarms})"
