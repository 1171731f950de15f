"""Labels handed in: what is new of a table goes on record, what is there already is passed over, all of it is counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.predictions.labels import (
    CHUNK_ROWS,
    EVERY_ROW,
    JOIN,
    SCALAR_KEYS,
    counting,
    key_texts,
    labels_of,
)
from lockgate.predictions.tables import labels

MOST_ON, MOST_VALUE, MOST_ROW = 200, 300, 2**31 - 1  # letters, letters, and a number: as the table keeps them
_LOCK = 846_352  # of PostgreSQL, for whoever records labels


@dataclass(frozen=True)
class Imported:
    """What an import did, in rows of the given table.

    `older`: labels for a value whose known label is from a later time; they are kept and do not count.
    `contradictory`: of the recorded ones, those that say something else than another of the same value and time; the one
    that came last counts.
    """

    new: int = 0
    corrected: int = 0
    older: int = 0
    repeated: int = 0
    without_key: int = 0
    without_label: int = 0
    contradictory: int = 0

    def __add__(self, other: Imported) -> Imported:
        """Both together."""
        return Imported(
            **{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        )

    @property
    def recorded(self) -> int:
        """How many labels were put on record."""
        return self.new + self.corrected + self.older


@dataclass(frozen=True)
class Naming:
    """Which columns of a table say what. `on`: what is matched in the predictions, `key`, `inference_id`, `id` or
    `in.<input>`; `key`, `label`, `at`, `row` name columns: the value to match (None: the column named as `on`), the label, when
    it became known (None: now), the row within the request (None: every row). `metric`: the labels are numbers of that
    business metric, kept apart from what the model was to say."""

    label: str
    on: str = "key"
    key: str | None = None
    at: str | None = None
    row: str | None = None
    metric: str = ""


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
    metric: str = "",
) -> Imported:
    """Record the labels of a table, in the caller's transaction: for tables of some thousand rows.

    The names are those of `Naming`. Raises InvalidInput for columns that are not there or cannot be read.
    """
    naming = Naming(label, on, key, at, row, metric)
    given = _given(table, naming, now_us)
    fixed = {
        "model": model,
        "metric": metric,
        "imported_us": now_us,
        "imported_by": by,
        "source": source[:MOST_VALUE],
    }
    done = Imported()
    for part in given.iter_slices(CHUNK_ROWS):
        done += _record(tx, part, fixed, told=at is not None)
    return done


def import_many(
    db: Database,
    model: str,
    table: pl.DataFrame,
    naming: Naming,
    *,
    by: str,
    now_us: int,
    source: str = "",
    tell: Callable[[int, int], None] = lambda _done, _of: None,
) -> Imported:
    """Record the labels of a table of any size, in transactions of `CHUNK_ROWS` rows, so that nobody waits long.

    All of it is read before the first is recorded, so a table that cannot be read leaves nothing. Whoever dies on the way
    imports the table again: what is on record is passed over. Raises as `import_labels`.
    """
    given = _given(table, naming, now_us)
    fixed = {
        "model": model, "metric": naming.metric, "imported_us": now_us, "imported_by": by, "source": source[:MOST_VALUE],
    }  # fmt: skip
    done, rows = Imported(), 0
    for part in given.iter_slices(CHUNK_ROWS):
        with db.write() as tx:
            done += _record(tx, part, fixed, told=naming.at is not None)
        rows += part.height
        tell(rows, given.height)
    return done


def _given(table: pl.DataFrame, naming: Naming, now_us: int) -> pl.DataFrame:
    """The labels of a table as they are kept, but for the label, which is still a value."""
    key = naming.key or naming.on.removeprefix("in.")
    _check_columns(table, naming.on, (key, naming.label, naming.at, naming.row))
    truth = table[naming.label]
    for name, what in ((key, "a key"), (naming.label, "a label")):
        if table[name].dtype.is_nested() or table[name].dtype in (pl.Object, pl.Binary):
            raise InvalidInput(
                f"the column '{name}' holds lists or objects, and {what} is one value", got=table[name].dtype
            )
    if naming.metric and not (truth.dtype.is_numeric() or truth.dtype == pl.Boolean):
        raise InvalidInput(
            f"values of the metric '{naming.metric}' are numbers", got=f"a column of {truth.dtype}"
        )
    if truth.dtype.is_float() and truth.is_infinite().any():
        raise InvalidInput(f"the column '{naming.label}' holds infinity, and a label is a number that can be counted",
                           fix="leave the cell empty where nothing is known")  # fmt: skip
    return pl.DataFrame(
        {
            "on_column": pl.repeat(naming.on, table.height, dtype=pl.String, eager=True),
            "value": _values(table[key]),
            "row": _row_numbers(table[naming.row]) if naming.row else _constant(EVERY_ROW, table.height),
            "label": truth.fill_nan(None) if truth.dtype.is_float() else truth,
            "at_us": _times(table[naming.at]) if naming.at else _constant(now_us, table.height),
        }
    )


def _record(tx: sa.Connection, given: pl.DataFrame, fixed: dict[str, object], *, told: bool) -> Imported:
    """Put on record what is new of some labels."""
    in_turn(tx)
    with_key = given.drop_nulls("value")
    there = with_key.drop_nulls("label").with_columns(_json(with_key["label"].drop_nulls()))
    known = labels_of(tx, str(fixed["model"]), there, str(fixed["metric"]))
    fresh = _fresh(there, known, told=told)
    if not fresh.is_empty():
        rows = fresh.select(*JOIN, "label", "at_us").to_dicts()
        tx.execute(labels.insert(), [fixed | row for row in rows])
    older = int((fresh["at_us"] < fresh["old_at"]).sum())
    return Imported(
        new=fresh["old"].null_count(),
        corrected=fresh["old"].count() - older,
        older=older,
        repeated=there.height - fresh.height,
        without_key=given.height - with_key.height,
        without_label=with_key["label"].null_count(),
        contradictory=_contradictory(fresh, known),
    )


def _check_columns(table: pl.DataFrame, on: str, named: tuple[str | None, ...]) -> None:
    if on not in SCALAR_KEYS and not (on.startswith("in.") and len(on) > 3):
        raise InvalidInput(
            "labels cannot be matched on this", got=on, allowed="key, inference_id, id, in.<input>"
        )
    if len(on) > MOST_ON:
        raise InvalidInput("this name of an input is too long to match labels by", got=f"{len(on)} letters",
                           allowed=f"at most {MOST_ON}")  # fmt: skip
    for name in named:
        if name is not None and name not in table.columns:
            raise InvalidInput(f"the labels have no column '{name}'", allowed=", ".join(table.columns))


def in_turn(tx: sa.Connection) -> None:
    """Let nobody else record labels until this transaction ends, so that their numbers come into view in order: readers go on
    from the newest that they saw. SQLite has one writer anyway."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


def _fresh(given: pl.DataFrame, known: pl.DataFrame, *, told: bool) -> pl.DataFrame:
    """What is not on record yet, with `old` and `old_at`: the label that counted so far.

    With times, the same label at the same time is known. A label that says what the one before it said (in order of time,
    then of the table) says nothing new, and neither does the first of a value that says what counts now.
    """
    exact = [*JOIN, "label", "at_us"]
    unseen = given.join(known, on=exact, how="anti", maintain_order="left") if told else given
    stands = counting(known).select(*JOIN, old="label", old_at="at_us")
    joined = unseen.join(stands, on=JOIN, how="left", maintain_order="left").with_row_index("order")
    stood = stands.join(unseen.select(JOIN).unique(), on=JOIN, how="semi").select(
        *JOIN, label="old", at_us="old_at", order=pl.lit(-1, pl.Int64)
    )
    placed = joined.with_columns(pl.col("order").cast(pl.Int64)).sort("at_us", "order")
    before = (
        pl.concat([stood, placed], how="diagonal")
        .sort("at_us", "order", maintain_order=True)
        .with_columns(before=pl.col("label").shift(1).over(JOIN))
        .filter(pl.col("order") >= 0)
    )
    says = pl.coalesce("before", "old")
    return before.filter(pl.col("label").ne_missing(says)).unique(exact, maintain_order=True).sort("order")


def _contradictory(fresh: pl.DataFrame, known: pl.DataFrame) -> int:
    """How many of the fresh labels have another of the same value and time before them."""
    moment = [*JOIN, "at_us"]
    alone = fresh.join(known, on=moment, how="anti")
    return fresh.height - alone.height + alone.height - alone.unique(moment).height


def _values(keys: pl.Series) -> pl.Series:
    """Keys as text. Raises InvalidInput for one that no database keeps."""
    values = key_texts(keys)
    wrong = values.filter((values.str.len_chars() > MOST_VALUE) | values.str.contains("\0", literal=True))
    if len(wrong):
        raise InvalidInput(f"the column '{keys.name}' holds a key that cannot be kept", got=repr(wrong[0][:40]),
                           allowed=f"at most {MOST_VALUE} letters, none of them NUL")  # fmt: skip
    return values


def _row_numbers(values: pl.Series) -> pl.Series:
    """Rows within requests, `EVERY_ROW` among them. Raises InvalidInput for what is no such number."""
    numbers = values.cast(pl.Int64, strict=False)
    wrong = values.filter(numbers.is_between(EVERY_ROW, MOST_ROW).fill_null(value=False).not_())
    if len(wrong):
        raise InvalidInput(f"the column '{values.name}' must hold row numbers", got=str(wrong.head(1).to_list()),
                           allowed="0, 1, 2, ...; -1 for every row of the request")  # fmt: skip
    return numbers


def _constant(value: int, height: int) -> pl.Series:
    return pl.repeat(value, height, dtype=pl.Int64, eager=True)


def _json(values: pl.Series) -> pl.Series:
    """Values as JSON scalars, times and dates as ISO 8601."""
    texts = [msgspec.json.encode(value).decode() for value in values.to_list()]
    return pl.Series(values.name, texts, dtype=pl.String)


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
