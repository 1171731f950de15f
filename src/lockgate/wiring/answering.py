"""Research answers against production answers, when a pipeline serves itself: the same rows, cell by cell."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import msgspec
import numpy as np

from lockgate.config import ModelConfig
from lockgate.datasets.columns import columns_from
from lockgate.datasets.dataset import read_table
from lockgate.errors import PredictionFailed
from lockgate.pipelines.run import AnswersHeld
from lockgate.registry.store import Version
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version

TOLERANCE = 1e-6  # absolute and relative, of numbers


class Answers(msgspec.Struct, frozen=True):
    """What the pipeline answered to the first rows of a table."""

    table: str
    columns: dict[str, list[object]]


def own_answers(
    house: House, version: Version, handed: Path, tables: Mapping[str, str], settings: ModelConfig
) -> AnswersHeld:
    """Ask the sealed version the rows that the pipeline answered while it trained, and compare.

    Raises PredictionFailed when any cell differs: callers would get other answers than were measured.
    """
    said = msgspec.json.decode((handed / "answers.json").read_bytes(), type=Answers)
    rows = len(next(iter(said.columns.values())))
    frame = read_table(handed / tables[said.table]).head(rows)
    manifest = version.manifest
    beside = [name for name in (settings.target, settings.time, settings.key) if name]
    with closing(open_version(house, version.digest, settings.python)) as executor:
        answered = executor.predict(columns_from(frame, manifest.signature, leave_out=beside))
    shared = [name for name in said.columns if name in answered]
    wrong, largest = np.zeros(rows, dtype=bool), 0.0
    for name in shared:
        here, there = np.asarray(said.columns[name]), np.asarray(answered[name])
        if here.dtype.kind in "fiu" and there.dtype.kind in "fiu":
            gap = np.abs(here.astype(float) - there.astype(float)).reshape(rows, -1).max(axis=1)
            size = np.abs(here.astype(float)).reshape(rows, -1).max(axis=1)
            wrong |= ~(gap <= TOLERANCE * (1 + size))
            largest = max(largest, float(np.nanmax(gap, initial=0.0)))
        else:
            wrong |= (here.astype(str) != there.astype(str)).reshape(rows, -1).any(axis=1)
    if wrong.any() or not shared:
        row = int(np.flatnonzero(wrong)[0]) if wrong.any() else 0
        raise PredictionFailed(
            f"{version.name} does not answer as its pipeline did: {int(wrong.sum())} of {rows} rows of '{said.table}' differ",
            got=f"row {row + 1}: " + ", ".join(f"{name} {said.columns[name][row]} and {answered[name][row]}" for name in shared),
            fix="predict() must depend on its rows alone: no other rows, no clock, no chance",
        )  # fmt: skip
    return AnswersHeld(
        table=said.table, rows=rows, differing=0, largest_difference=largest, columns=tuple(shared)
    )
