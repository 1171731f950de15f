"""The recorded past of a model as checks read it: a row per prediction whose label is known."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.datasets.classes import class_names
from lockgate.inference.score import decisions, scores
from lockgate.predictions.labels import newest_label
from lockgate.predictions.query import frame
from lockgate.registry.manifest import Manifest, Task
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.wiring.house import House

MOST_ROWS = 500_000
LABELLED = "status < 400 AND label IS NOT NULL"
_IN, _OUT = "in.", "out."


def history_of(
    house: House,
    model: str,
    *,
    most: int = MOST_ROWS,
    since_us: int | None = None,
    until_us: int | None = None,
) -> pl.DataFrame | None:
    """The newest labelled predictions of a stretch of time, oldest first: inputs by their own names, `at_us`, `version`,
    `key`, `decision` (class as text, or a number), `score` (None where the version gives none), `label`, `label_at_us` (when it
    became known). None where no label is known."""
    with house.db.read() as tx:
        if newest_label(tx, model) is None:
            return None
    rows = frame(
        house.home, house.blobs, model, since_us=since_us, until_us=until_us, where=LABELLED, limit=most, database=house.db
    )  # fmt: skip
    if rows.is_empty():
        return None
    parts = [_version(house, model, part) for part in rows.partition_by("version", maintain_order=True)]
    return pl.concat(parts, how="diagonal_relaxed").sort("at_us", maintain_order=True)


def _version(house: House, model: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of one version, its answers read as its manifest says."""
    with house.db.read() as tx:
        manifest = get_version(tx, VersionName(model, int(rows["version"][0]))).manifest
    outputs = {name.removeprefix(_OUT): _array(rows[name]) for name in rows.columns if name.startswith(_OUT)}
    inputs = {name: name.removeprefix(_IN) for name in rows.columns if name.startswith(_IN)}
    decided = decisions(outputs, manifest)
    classifies = manifest.task is Task.CLASSIFICATION
    truth = pl.Series(class_names(rows["label"]).tolist(), dtype=pl.String) if classifies else rows["label"]
    kept = rows.select(
        "at_us", "version", "key", "label_at_us", *(pl.col(name).alias(own) for name, own in inputs.items())
    )
    return kept.with_columns(
        decision=pl.Series(class_names(decided).tolist(), dtype=pl.String) if classifies else pl.Series(decided.astype(float)),
        score=pl.Series(_score(outputs, manifest), dtype=pl.Float64),
        label=truth if classifies else truth.cast(pl.Float64, strict=False),
    )  # fmt: skip


def _score(outputs: dict[str, np.ndarray], manifest: Manifest) -> list[float | None]:
    probability = manifest.answer.probability
    if manifest.task is Task.CLASSIFICATION and (probability is None or probability not in outputs):
        return [None] * len(outputs[manifest.answer.prediction])
    return [float(value) for value in scores(outputs, manifest)]


def _array(series: pl.Series) -> np.ndarray:
    if isinstance(series.dtype, pl.List | pl.Array):
        return np.array(series.to_list())
    return series.to_numpy()
