"""Records counted: what they come to by version and hour. Nothing but its order is needed, so it is done in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput
from lockgate.inference.score import decisions, scores
from lockgate.monitor.profile import Profile, merged_profiles, profiles_of
from lockgate.monitor.reference import Reference
from lockgate.monitor.rows import rows_of
from lockgate.monitor.veil import Veil
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest, Task

Counted = dict[int, dict[int, Profile]]  # version -> hour -> what was counted
COLUMNS = ("version", "at_us", "inputs", "outputs")


@dataclass(frozen=True)
class Held:
    """What a version's rows are held against, and how its answers read."""

    reference: Reference
    manifest: Manifest
    veil: Veil


@dataclass(frozen=True, eq=False)
class Order:
    """Records to be counted (`COLUMNS`, personal inputs opened) and, of each version that is counted, what it is held against."""

    records: pl.DataFrame
    versions: Mapping[int, Held]


def count_records(order: Order) -> Counted:
    """An order's records by version and hour; those of versions that it does not hold are left out."""
    found: dict[int, dict[int, list[Profile]]] = {}
    for rows in rows_of(order.records) if order.records.height else ():
        held = order.versions.get(rows.version)
        if held is None:
            continue
        answers = answers_of(rows.outputs, held.manifest)
        counted = profiles_of(held.reference, rows.at_us, rows.inputs, answers, held.veil)
        for hour, profile in counted.items():
            found.setdefault(rows.version, {}).setdefault(hour, []).append(profile)
    return {
        version: {hour: merged_profiles(each) for hour, each in hours.items()}
        for version, hours in found.items()
    }


def answers_of(outputs: Columns, manifest: Manifest) -> dict[str, np.ndarray]:
    """Decision and score of each row, as validations know them; what the answer does not hold is left out."""
    if manifest.answer.prediction not in outputs:
        return {}
    decided = decisions(outputs, manifest)
    found: dict[str, np.ndarray] = {"decision": decided}
    if manifest.task is Task.CLASSIFICATION:
        found["decision"] = class_names(pl.Series(values=decided.tolist(), strict=False))
        if manifest.answer.probability is None or manifest.answer.probability not in outputs:
            return found
    try:
        found["score"] = scores(outputs, manifest)
    except InvalidInput:  # names of classes and nothing else
        return found
    return found
