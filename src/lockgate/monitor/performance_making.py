"""From ledger and labels to windows and estimates: reading around the pure parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import polars as pl
import sqlalchemy as sa

from lockgate.db import Database
from lockgate.monitor.class_model import ClassModel, class_model
from lockgate.monitor.error_model import ErrorModel, error_model
from lockgate.monitor.estimate import PRODUCTION, VALIDATION, Estimate, estimated
from lockgate.monitor.performance_figures import Figure
from lockgate.monitor.performance_ledger import PLACE, Ledger, PartFile
from lockgate.monitor.performance_rows import Recipe
from lockgate.monitor.performance_target import Target, target_in
from lockgate.monitor.performance_windows import Edges, Width, Window, labelled_of, window_of
from lockgate.predictions.labels import attach, counting_labels_of, matched_columns
from lockgate.registry.manifest import Manifest, Task
from lockgate.stats.expected import Calibration, calibration_of
from lockgate.stats.sketch import Sketch

LEARNED_ROWS = 3_000  # labelled rows in complete windows from which production itself says what scores mean
MOST_LEARNED = 50_000


@dataclass(frozen=True)
class Subject:
    """What a project says of a model. `kept`: columns of slices and subjects; `window`: None: by how much comes;
    `delay_us`: after so long every label is there."""

    key_field: str | None = None
    group: str | None = None
    kept: tuple[str, ...] = ()
    metric: str | None = None
    window: str | None = None
    delay_us: int | None = None
    keep_us: int | None = None


@dataclass(frozen=True)
class About:
    """What is known of one version. `promised`: figures of its validation; `slicing`: column -> ranges, None: its values;
    `labels`: how labels were distributed in its validation; `quantile`: which one of the labels it answers."""

    manifest: Manifest
    calibration: Calibration | None = None
    promised: dict[str, Figure] = field(default_factory=dict)
    slicing: dict[str, Edges | None] = field(default_factory=dict)
    labels: Sketch | None = None
    quantile: float | None = None

    @property
    def target(self) -> Target | None:
        """The labels of its validation as windows count them."""
        return None if self.labels is None else target_in(self.labels)


Key = tuple[int, int]  # version, number of the window
Learned = Calibration | ErrorModel | ClassModel


class Making:
    """Makes windows and estimates of one model from its ledger."""

    def __init__(self, db: Database, ledger: Ledger, about: Callable[[int], About | None]) -> None:
        self._db, self._ledger, self.about = db, ledger, about
        self._learned: dict[int, tuple[tuple[int, ...], Learned | None]] = {}

    def rows(self, recipe: Recipe, width: Width, windows: Sequence[Key], group: str | None) -> pl.DataFrame:
        """The ledger's rows of some windows of one version, oldest first, with `subject`."""
        version, numbers = windows[0][0], [number for _, number in windows]
        low, high = min(numbers) * width.size, (max(numbers) + 1) * width.size
        with self._db.read() as tx:
            parts = [part for part in self._ledger.parts(tx) if _overlaps(part, width, low, high)]
        subject = pl.col(f"in.{group}") if group in recipe.kept else pl.col("key")
        mine = self._ledger.rows(recipe, parts).filter(
            pl.col("version") == version, width.number().is_in(numbers)
        )
        return mine.with_columns(subject=subject).sort("at_us", PLACE).collect()

    def labelled(self, model: str, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with `label` and `label_at_us`."""
        with self._db.read() as tx:
            names = [name for name in matched_columns(tx, model) if name in rows.columns]
            wanted = [
                pl.DataFrame({"value": rows[name].drop_nulls().unique()}).select(
                    on_column=pl.lit(name), value="value"
                )
                for name in names
            ]
            schema = {"on_column": pl.String, "value": pl.String}
            known = counting_labels_of(tx, model, pl.concat([pl.DataFrame(schema=schema), *wanted]))
        return attach(rows, known)

    def window(self, model: str, rows: pl.DataFrame, window: Key, about: About) -> Window:
        """One window as its labels are now."""
        told = self.labelled(model, rows)
        return window_of(
            told, window, about.manifest, about.slicing, known=about.calibration, labels=about.labels,
            quantile=about.quantile,
        )  # fmt: skip

    def estimate(
        self, rows: pl.DataFrame, window: Key, about: About, learned: Learned | None
    ) -> Estimate | None:
        """What is expected of a window; None where nothing is known that could say it."""
        if learned is not None:
            return estimated(rows, window, about.manifest, known=learned, source=PRODUCTION)
        if about.calibration is not None:
            return estimated(rows, window, about.manifest, known=about.calibration, source=VALIDATION)
        return None

    def learned(
        self, model: str, recipe: Recipe, width: Width, complete: Sequence[Window], about: About
    ) -> Learned | None:
        """What the newest complete windows of a version say of its scores, or of its errors; None for too few labels."""
        chosen: list[Window] = []
        for window in reversed(complete):
            if sum(each.labelled for each in chosen) >= MOST_LEARNED:
                break
            chosen.append(window)
        if sum(each.labelled for each in chosen) < LEARNED_ROWS:
            return None
        version, numbers = chosen[0].version, tuple(each.number for each in chosen)
        known = self._learned.get(version)
        if known is None or known[0] != numbers:
            rows = self.rows(recipe, width, [(version, number) for number in numbers], None)
            told = self.labelled(model, rows).filter(pl.col("label").is_not_null())
            self._learned[version] = (numbers, _learn(told, about.manifest))
        return self._learned[version][1]


def touched(
    ledger: Ledger, parts: Sequence[PartFile], recipe: Recipe, width: Width, values: pl.DataFrame
) -> set[Key]:
    """The windows that hold rows of some values (`on_column`, `value`)."""
    found: set[Key] = set()
    rows = ledger.rows(recipe, parts)
    names = rows.collect_schema().names()
    for (on,), mine in values.group_by("on_column"):
        if on in names:
            hit = rows.select("version", number=width.number(), value=str(on)).join(
                mine.select("value").lazy(), on="value", how="semi"
            )
            found |= set(hit.select("version", "number").unique().collect(engine="streaming").rows())
    return found


def unmatched(
    ledger: Ledger, parts: Sequence[PartFile], recipe: Recipe, values: pl.DataFrame
) -> dict[str, int]:
    """How many values that have a label are in no row of the ledger, by what they are matched with."""
    rows = ledger.rows(recipe, parts)
    names = rows.collect_schema().names()
    found = {}
    for (on,), mine in values.group_by("on_column"):
        given = mine.select("value").unique()
        if on in names:
            there = rows.select(value=str(on)).join(given.lazy(), on="value", how="semi").unique()
            found[str(on)] = given.height - int(there.select(pl.len()).collect(engine="streaming").item())
        else:
            found[str(on)] = given.height
    return found


def _learn(told: pl.DataFrame, manifest: Manifest) -> Learned | None:
    if manifest.task is not Task.CLASSIFICATION:
        return error_model(told.filter(pl.col("label").cast(pl.Float64, strict=False).is_finite()))
    known = labelled_of(told, manifest)
    if known.score is None:
        return None
    if known.truth.dtype != bool:
        classes = class_model(known.decided, known.score, known.truth, known.names)
        if classes is not None:
            return classes
    # of very many classes: is the likeliest the right one
    return calibration_of(
        known.score, known.truth if known.truth.dtype == bool else known.truth == known.decided
    )


def _overlaps(part: PartFile, width: Width, low: int, high: int) -> bool:
    first, last = (part.first, None) if width.rows else (part.since_us, part.until_us)
    return first < high and (last is None or last >= low)


def label_numbers(tx: sa.Connection, model: str) -> list[str]:
    """What a model's labels are matched by, for the ledger to keep: inputs without their prefix."""
    return [name.removeprefix("in.") for name in matched_columns(tx, model) if name.startswith("in.")]
