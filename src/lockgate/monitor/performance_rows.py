"""Records of the log as rows of the ledger: what joins them with labels, what was answered, and inputs as small codes.

A row of the ledger is what judging needs once its label comes, however late: a few dozen bytes instead of a record. Personal
inputs are encrypted in the log and are not among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.values import numbers_of
from lockgate.datasets.classes import class_names
from lockgate.inference.score import decisions, scores
from lockgate.predictions.expand import expand
from lockgate.predictions.labels import key_texts
from lockgate.registry.manifest import Manifest, Task

BINS = 10
WORDS = 14  # further values of a column share a code
MOST_INPUTS = 60
MISSING = 0  # the code of a missing value; ranges and words follow
_IN, _OUT = "in.", "out."
FIXED: dict[str, type[pl.DataType]] = {
    "id": pl.String, "row": pl.Int64, "key": pl.String, "inference_id": pl.String, "at_us": pl.Int64,
    "version": pl.Int64, "decision": pl.String, "number": pl.Float64, "score": pl.Float64,
}  # fmt: skip


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's records become rows. `numbers`: input -> edges of its ranges; `words`: input -> its commonest values;
    `kept`: inputs that are kept as text, for slices, subjects and labels that are matched by them."""

    numbers: dict[str, tuple[float, ...]] = {}
    words: dict[str, tuple[str, ...]] = {}
    kept: tuple[str, ...] = ()

    def names(self, column: str) -> list[str]:
        """What the codes of an input stand for."""
        if column in self.words:
            return ["missing", *self.words[column], "another value"]
        edges = [f"{edge:.4g}" if abs(edge) < 1e4 else f"{edge:,.0f}" for edge in self.numbers[column]]
        if not edges:
            return ["missing", "any"]
        between = [f"{low} to {high}" for low, high in pairwise(edges)]
        return ["missing", f"< {edges[0]}", *between, f">= {edges[-1]}"]


def recipe_of(records: pl.DataFrame, kept: Iterable[str]) -> Recipe:
    """A recipe by the first records there are: ranges of about equal numbers of rows, the commonest words."""
    rows = expand(records)
    numbers: dict[str, tuple[float, ...]] = {}
    words: dict[str, tuple[str, ...]] = {}
    for column in [name for name in rows.columns if name.startswith(_IN)][:MOST_INPUTS]:
        series, name = rows[column], column.removeprefix(_IN)
        if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            continue
        if series.dtype.is_numeric() and series.dtype != pl.Boolean:
            there = numbers_of(series)
            there = there[np.isfinite(there)]
            inner = np.linspace(0, 1, BINS + 1)[1:-1]
            edges = np.unique(np.quantile(there, inner)) if there.size else np.array([])
            numbers[name] = tuple(edges.tolist())
        else:
            text = key_texts(series).drop_nulls()
            found = text.value_counts().sort(["count", column], descending=[True, False])
            words[name] = tuple(found[column].to_list()[:WORDS])
    return Recipe(numbers=numbers, words=words, kept=tuple(sorted(set(kept))))


def empty(recipe: Recipe) -> pl.DataFrame:
    """The ledger's columns without a row."""
    codes: dict[str, type[pl.DataType]] = {f"c.{name}": pl.UInt8 for name in (*recipe.numbers, *recipe.words)}
    return pl.DataFrame(schema=FIXED | {f"{_IN}{name}": pl.String for name in recipe.kept} | codes)


def ledger_rows(
    records: pl.DataFrame,
    recipe: Recipe,
    manifest_of: Callable[[int], Manifest | None],
    key_field: str | None,
) -> pl.DataFrame:
    """The predicted rows of answered records, in order of time. Records of versions that the registry does not know, and
    answers that are none of their version's, are left out."""
    parts = []
    for (version,), mine in records.group_by("version", maintain_order=True):
        manifest = manifest_of(int(version)) if version is not None else None
        if manifest is not None:
            parts.append(_of_version(expand(mine), recipe, manifest, key_field))
    return pl.concat([empty(recipe), *parts]).sort("at_us", maintain_order=True)


def _of_version(
    rows: pl.DataFrame, recipe: Recipe, manifest: Manifest, key_field: str | None
) -> pl.DataFrame:
    answer = f"{_OUT}{manifest.answer.prediction}"
    if answer not in rows.columns:
        return empty(recipe)
    rows = rows.filter(pl.col(answer).is_not_null() & pl.col("row").is_not_null())
    key = rows["key"]
    if key_field is not None and f"{_IN}{key_field}" in rows.columns:
        key = key.fill_null(key_texts(rows[f"{_IN}{key_field}"]))
    outputs = {
        name.removeprefix(_OUT): _array(rows[name])
        for name in rows.columns
        if name.startswith(_OUT) and not rows[name].null_count()
    }
    decided = decisions(outputs, manifest)
    classifies = manifest.task is Task.CLASSIFICATION
    none = pl.Series([None] * rows.height)
    made = {
        **{name: rows[name] for name in ("id", "row", "inference_id", "at_us", "version")},
        "key": key,
        "decision": pl.Series(class_names(decided).tolist(), dtype=pl.String) if classifies else none,
        "number": none if classifies else pl.Series(decided.astype(float)),
        "score": _score(outputs, manifest),
        **{f"{_IN}{name}": _text(rows, name) for name in recipe.kept},
        **{f"c.{name}": _coded(rows, name, edges) for name, edges in recipe.numbers.items()},
        **{f"c.{name}": _worded(rows, name, known) for name, known in recipe.words.items()},
    }
    schema = empty(recipe).schema
    return pl.DataFrame({name: made[name].cast(kind) for name, kind in schema.items()})


def _score(outputs: dict[str, np.ndarray], manifest: Manifest) -> pl.Series:
    probability = manifest.answer.probability
    rows = len(outputs[manifest.answer.prediction])
    if manifest.task is Task.CLASSIFICATION and (probability is None or probability not in outputs):
        return pl.Series([None] * rows, dtype=pl.Float64)
    return pl.Series(scores(outputs, manifest))


def _text(rows: pl.DataFrame, name: str) -> pl.Series:
    column = f"{_IN}{name}"
    if column not in rows.columns or rows[column].dtype.is_nested():
        return pl.Series([None] * rows.height, dtype=pl.String)
    return key_texts(rows[column])


def _coded(rows: pl.DataFrame, name: str, edges: Sequence[float]) -> pl.Series:
    column = f"{_IN}{name}"
    if column not in rows.columns:
        return pl.Series(np.zeros(rows.height, dtype=np.uint8))
    values = numbers_of(rows[column])
    codes = np.searchsorted(np.array(edges), np.where(np.isfinite(values), values, 0.0), side="right") + 1
    return pl.Series(np.where(np.isfinite(values), codes, MISSING).astype(np.uint8))


def _worded(rows: pl.DataFrame, name: str, known: Sequence[str]) -> pl.Series:
    text = _text(rows, name)
    place = {word: number + 1 for number, word in enumerate(known)}
    codes = text.replace_strict(place, default=len(known) + 1, return_dtype=pl.UInt8)
    return pl.select(pl.when(text.is_null()).then(MISSING).otherwise(codes).cast(pl.UInt8)).to_series()


def _array(series: pl.Series) -> np.ndarray:
    if isinstance(series.dtype, pl.List | pl.Array):
        return np.array(series.to_list())
    return series.to_numpy()
