"""Labels: what turned out to be true, by any key that a prediction carries; late, repeated, corrected.

Every label stays on record. The one that became known last counts (its own time if told, else that of the import;
at the same time the one imported last). Importing the same file twice changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.errors import InvalidInput
from lockgate.predictions.tables import labels

EVERY_ROW = -1
SCALAR_KEYS = ("id", "inference_id", "key")  # in order: the narrower wins
HISTORY: dict[str, type[pl.DataType]] = {
    "on_column": pl.String,
    "value": pl.String,
    "row": pl.Int64,
    "label": pl.String,
    "at_us": pl.Int64,
}
_JOIN = ["on_column", "value", "row"]


@dataclass(frozen=True)
class Imported:
    """What an import did, in rows of the given table.

    `older`: labels for a value whose known label is from a later time; they are kept and do not count.
    """

    new: int
    corrected: int
    older: int
    repeated: int
    without_key: int
    without_label: int


def import_labels(
    tx: sa.Connection,
    model: str,
    table: pl.DataFrame,
    *,
    on: str,
    label: str,
    by: str,
    now_us: int,
    key: str | None = None,
    at: str | None = None,
    row: str | None = None,
    source: str = "",
) -> Imported:
    """Record the labels of a table, in the caller's transaction.

    `on`: which column of the predictions is matched: `key`, `inference_id`, `id` or `in.<input>`. `key`, `label`, `at`
    and `row` name columns of the table: the value to match (default: the column named as `on`), the label, when it
    became known, the row within the request (default: every row). Raises InvalidInput for columns that are not there.
    """
    key = key or on.removeprefix("in.")
    _check_columns(table, on, (key, label, at, row))
    given = pl.DataFrame(
        {
            "on_column": pl.repeat(on, table.height, dtype=pl.String, eager=True),
            "value": key_texts(table[key]),
            "row": table[row].cast(pl.Int64) if row else _constant(EVERY_ROW, table.height),
            "label": _json(table[label]),
            "at_us": _times(table[at]) if at else _constant(now_us, table.height),
        }
    )
    fresh = _fresh(given.drop_nulls(["value", "label"]), _history(tx, model), told=at is not None)
    if not fresh.is_empty():
        fixed = {"model": model, "imported_us": now_us, "imported_by": by, "source": source}
        rows = fresh.select(*_JOIN, "label", "at_us").to_dicts()
        tx.execute(labels.insert(), [fixed | row for row in rows])
    with_key = given.drop_nulls("value")
    older = int((fresh["at_us"] < fresh["old_at"]).sum())
    return Imported(
        new=fresh["old"].null_count(),
        corrected=fresh["old"].count() - older,
        older=older,
        repeated=with_key.height - with_key["label"].null_count() - fresh.height,
        without_key=given.height - with_key.height,
        without_label=with_key["label"].null_count(),
    )


def latest_labels(tx: sa.Connection, model: str) -> pl.DataFrame:
    """The labels that count: columns `on_column`, `value`, `row`, `label` (a value), `at_us`."""
    known = _latest(_history(tx, model))
    return known.with_columns(label=_typed(known["label"].to_list()))


def newest_label(tx: sa.Connection, model: str) -> int | None:
    """The number of the label that was recorded last; None while a model has none."""
    found: int | None = tx.execute(
        sa.select(sa.func.max(labels.c.id)).where(labels.c.model == model)
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


def _check_columns(table: pl.DataFrame, on: str, named: tuple[str | None, ...]) -> None:
    if on not in SCALAR_KEYS and not (on.startswith("in.") and len(on) > 3):
        raise InvalidInput(
            "labels cannot be matched on this", got=on, allowed="key, inference_id, id, in.<input>"
        )
    for name in named:
        if name is not None and name not in table.columns:
            raise InvalidInput(f"the labels have no column '{name}'", allowed=", ".join(table.columns))


def _history(tx: sa.Connection, model: str) -> pl.DataFrame:
    """Every label of a model, in the order in which they came to count."""
    c = labels.c
    query = sa.select(*(c[name] for name in HISTORY)).where(c.model == model).order_by(c.at_us, c.id)
    return pl.DataFrame([tuple(found) for found in tx.execute(query)], schema=HISTORY, orient="row")


def _latest(history: pl.DataFrame) -> pl.DataFrame:
    return history.unique(_JOIN, keep="last", maintain_order=True)


def _fresh(given: pl.DataFrame, known: pl.DataFrame, *, told: bool) -> pl.DataFrame:
    """What is not on record yet, with `old` and `old_at`: the label that counted so far.

    With times, the same label at the same time is known; so is, in any case, the one that counts now.
    """
    exact = [*_JOIN, "label", "at_us"]
    unseen = given.join(known, on=exact, how="anti", maintain_order="left") if told else given
    latest = _latest(known).select(*_JOIN, old="label", old_at="at_us")
    joined = unseen.join(latest, on=_JOIN, how="left", maintain_order="left")
    return joined.filter(pl.col("label").ne_missing(pl.col("old"))).unique(exact, maintain_order=True)


def _constant(value: int, height: int) -> pl.Series:
    return pl.repeat(value, height, dtype=pl.Int64, eager=True)


def _precedence(columns: list[str]) -> list[str]:
    order = {name: place for place, name in enumerate(SCALAR_KEYS)}
    return sorted(columns, key=lambda name: (order.get(name, len(order)), name))


def key_texts(values: pl.Series) -> pl.Series:
    """Keys as text; whole numbers without a decimal point, so that 12.0 in a CSV finds 12."""
    if values.dtype.is_float():
        whole = values.drop_nulls().drop_nans()
        if (whole == whole.floor()).all():
            values = values.fill_nan(None).cast(pl.Int64)
    return values.cast(pl.String)


def _json(values: pl.Series) -> pl.Series:
    present = values.fill_nan(None) if values.dtype.is_float() else values
    texts = [None if value is None else msgspec.json.encode(value).decode() for value in present.to_list()]
    return pl.Series(texts, dtype=pl.String)


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


def _times(values: pl.Series) -> pl.Series:
    """Times as microseconds; text as ISO 8601, without a zone UTC. Raises InvalidInput."""
    try:
        if values.dtype == pl.String:
            values = values.str.to_datetime(time_unit="us", time_zone="UTC")
        times = values.cast(pl.Datetime("us"))
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"the column '{values.name}' cannot be read as times",
            got=str(values.drop_nulls().head(1).to_list()),
            allowed="ISO 8601, such as 2026-03-01T12:00:00Z",
        ) from error
    if times.null_count():
        raise InvalidInput(f"the column '{values.name}' has rows without a time", got=times.null_count())
    return times.dt.epoch("us")
