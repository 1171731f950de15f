"""Labels: what turned out to be true, by any key that a prediction carries; late, repeated, corrected.

Every label stays on record. The one that became known last counts (its own time if told, else that of the import;
at the same time the one imported last). Importing the same file twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.predictions.tables import labels

EVERY_ROW = -1
CHUNK_ROWS = 20_000  # labels in one transaction: others wait for about a second
ASKED_VALUES = 1_000  # values in one question; SQLite takes 32,766 at most
SCALAR_KEYS = ("id", "inference_id", "key")  # in order: the narrower wins
HISTORY: dict[str, type[pl.DataType]] = {
    "on_column": pl.String,
    "value": pl.String,
    "row": pl.Int64,
    "label": pl.String,
    "at_us": pl.Int64,
}
JOIN = ["on_column", "value", "row"]


def labels_of(tx: sa.Connection, model: str, wanted: pl.DataFrame, metric: str = "") -> pl.DataFrame:
    """Every label of some values (`on_column`, `value`), in the order in which they came to count: columns `HISTORY`.

    `metric`: numbers of that business metric in place of labels; so everywhere here.
    """
    c = labels.c
    parts = []
    for (on,), mine in wanted.group_by("on_column"):
        values = mine["value"].unique().to_list()
        for start in range(0, len(values), ASKED_VALUES):
            some = values[start : start + ASKED_VALUES]
            query = sa.select(*(c[name] for name in (*HISTORY, "id"))).where(
                c.model == model, c.metric == metric, c.on_column == on, c.value.in_(some)
            )
            parts += list(_read(tx, query, HISTORY | {"id": pl.Int64}))
    if not parts:
        return pl.DataFrame(schema=HISTORY)
    return pl.concat(parts).sort("at_us", "id").drop("id")


def latest_labels(
    tx: sa.Connection, model: str, metric: str = "", *, newest: int | None = None
) -> pl.DataFrame:
    """The labels that count: columns `on_column`, `value`, `row`, `label` (a value), `at_us`. `newest`: of so many that
    were recorded last."""
    known = counting(_history(tx, model, metric, newest))
    return known.with_columns(label=_typed(known["label"].to_list()))


def counting_labels_of(tx: sa.Connection, model: str, wanted: pl.DataFrame) -> pl.DataFrame:
    """The labels that count of some values (`on_column`, `value`): columns as of `latest_labels`."""
    known = counting(labels_of(tx, model, wanted))
    return known.with_columns(label=_typed(known["label"].to_list()))


def matched_columns(tx: sa.Connection, model: str) -> list[str]:
    """What the labels of a model are matched by."""
    c = labels.c
    query = sa.select(c.on_column).where(c.model == model, c.metric == "").distinct()
    return sorted(tx.execute(query).scalars())


@dataclass(frozen=True)
class LabelCounts:
    """`labels` on record, of how many `values` (and rows of requests); the number and the time of the newest."""

    labels: int
    values: int
    newest: int
    newest_us: int | None


def label_counts(tx: sa.Connection, model: str) -> LabelCounts:
    """How many labels a model has."""
    c = labels.c
    mine = sa.and_(c.model == model, c.metric == "")
    query = sa.select(sa.func.count(), sa.func.max(c.id), sa.func.max(c.imported_us)).where(mine)
    count, newest, newest_us = tx.execute(query).one()
    distinct = sa.select(c.on_column, c.value, c.row).where(mine).distinct().subquery()
    values = tx.execute(sa.select(sa.func.count()).select_from(distinct)).scalar_one()
    return LabelCounts(count, values, newest or 0, newest_us)


def newer_labels(tx: sa.Connection, model: str, after: int, most: int) -> tuple[pl.DataFrame, int]:
    """What the labels that were recorded after a number are of (`on_column`, `value`, each once), and the number reached."""
    c = labels.c
    query = sa.select(c.id, c.on_column, c.value).where(c.model == model, c.metric == "", c.id > after)
    schema = {"id": pl.Int64, "on_column": pl.String, "value": pl.String}
    found = pl.concat([pl.DataFrame(schema=schema), *_read(tx, query.order_by(c.id).limit(most), schema)])
    reached = int(found["id"][-1]) if found.height else after
    return found.select("on_column", "value").unique(), reached


def newest_label(tx: sa.Connection, model: str, metric: str = "") -> int | None:
    """The number of the label that was recorded last; None while a model has none."""
    found: int | None = tx.execute(
        sa.select(sa.func.max(labels.c.id)).where(labels.c.model == model, labels.c.metric == metric)
    ).scalar()
    return found


def history(tx: sa.Connection, model: str, on: str, value: str) -> list[sa.RowMapping]:
    """Every label that was ever given for one value, oldest first."""
    c = labels.c
    query = (
        sa.select(labels).where(c.model == model, c.on_column == on, c.value == value).order_by(c.at_us, c.id)
    )
    return list(tx.execute(query).mappings())


def attach(rows: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Predicted rows with `label` and `label_at_us`, out of `latest_labels`; null where none is known."""
    index = rows.with_row_index("__row").with_columns(pl.col("row").fill_null(0).alias("__within"))
    found: list[pl.DataFrame] = []
    for on in _precedence(known["on_column"].unique().to_list()):
        if on not in rows.columns:
            continue
        keyed = index.select("__row", "__within", value=key_texts(index[on]))
        mine = known.filter(pl.col("on_column") == on)
        exact = keyed.join(mine, left_on=["value", "__within"], right_on=["value", "row"])
        whole = keyed.join(mine.filter(pl.col("row") == EVERY_ROW), on="value")
        found += [part.select("__row", "label", label_at_us="at_us") for part in (exact, whole)]
    if not found:
        return rows.with_columns(label=pl.lit(None, known["label"].dtype), label_at_us=pl.lit(None, pl.Int64))
    best = pl.concat(found).unique("__row", keep="first", maintain_order=True)
    return index.join(best, on="__row", how="left", maintain_order="left").drop("__row", "__within")


def coverage(rows: pl.DataFrame) -> pl.DataFrame:
    """How many predicted rows have a label, by day and version: columns `day`, `version`, `rows`, `labelled`, `share`."""
    counted = rows.group_by("day", "version").agg(rows=pl.len(), labelled=pl.col("label").count())
    return counted.with_columns(share=pl.col("labelled") / pl.col("rows")).sort("day", "version")


def _history(tx: sa.Connection, model: str, metric: str, newest: int | None) -> pl.DataFrame:
    """Every label of a model, or those recorded last, in the order in which they came to count."""
    c = labels.c
    mine = sa.and_(c.model == model, c.metric == metric)
    query = sa.select(*(c[name] for name in HISTORY)).where(mine).order_by(c.at_us, c.id)
    if newest is not None:
        since = (
            sa.select(c.id).where(mine).order_by(c.id.desc()).offset(newest - 1).limit(1).scalar_subquery()
        )
        query = query.where(c.id >= sa.func.coalesce(since, 0))
    return pl.concat([pl.DataFrame(schema=HISTORY), *_read(tx, query, HISTORY)])


def _read(
    tx: sa.Connection, query: sa.Select[tuple[object, ...]], schema: dict[str, type[pl.DataType]]
) -> Iterator[pl.DataFrame]:
    """A question's rows as frames, so that not all of them are Python objects at once."""
    found = tx.execute(query.execution_options(yield_per=CHUNK_ROWS))
    for part in found.partitions(CHUNK_ROWS):
        yield pl.DataFrame([tuple(row) for row in part], schema=schema, orient="row")


def counting(history: pl.DataFrame) -> pl.DataFrame:
    """Of labels in the order in which they came to count: those that count now."""
    return history.unique(JOIN, keep="last", maintain_order=True)


def _precedence(columns: list[str]) -> list[str]:
    order = {name: place for place, name in enumerate(SCALAR_KEYS)}
    return sorted(columns, key=lambda name: (order.get(name, len(order)), name))


def key_texts(values: pl.Series) -> pl.Series:
    """Keys as text; whole numbers without a decimal point, so that 12.0 in a CSV finds 12."""
    if values.dtype.is_float():
        finite = values.filter(values.is_finite())
        if (finite == finite.floor()).all():
            values = values.fill_nan(None)
            # Infinity, and what is too large, is null then.
            whole = values.cast(pl.Int64, strict=False).cast(pl.String)
            return whole.zip_with(whole.is_not_null(), values.cast(pl.String))
    return values.cast(pl.String)


def _typed(texts: list[str]) -> pl.Series:
    """JSON scalars as one column: booleans, numbers, else text."""
    if not texts:
        return pl.Series([], dtype=pl.String)
    values = [msgspec.json.decode(text) for text in texts]
    kinds = {type(value) for value in values}
    if kinds <= {bool} or kinds <= {int} or kinds <= {int, float}:
        return pl.Series([float(value) for value in values] if float in kinds else values)
    return pl.Series(
        [value if isinstance(value, str) else text for value, text in zip(values, texts, strict=True)]
    )
