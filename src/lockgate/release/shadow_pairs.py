"""Pairs out of the log: what two versions answered to the same rows, one of them in shadow."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.inference.score import decisions, scores
from lockgate.predictions.query import frame
from lockgate.predictions.record import Columns, Kind
from lockgate.registry.manifest import Answer, Manifest, Task

NEWEST = 20_000  # more say little more, and a page waits for them
_ANSWERED = pl.col("status") < 400


def pairs_of(
    home: Home,
    blobs: Blobs,
    model: str,
    *,
    old: tuple[int, Manifest],
    new: tuple[int, Manifest],
    release: int,
    since_us: int | None = None,
    newest: int = NEWEST,
    database: Database | None = None,
) -> pl.DataFrame:
    """Rows that both versions were asked, as `shadow_tally` counts them, in order of time.

    `old` and `new` are (version number, its manifest). Either may have answered the caller and the other been the
    shadow. `since_us`: requests from then on. `newest`: no more than so many rows, the newest. With `database` a column
    `label` is there, null where none is known, and personal inputs are readable.
    """
    shadow = frame(home, blobs, model, kinds=[Kind.SHADOW], since_us=since_us, limit=newest)
    shadow = shadow.filter(pl.col("release") == release)
    first_us = shadow["at_us"].min()  # a shadow record bears the time of its request
    asked = frame(
        home,
        blobs,
        model,
        kinds=[Kind.ANSWER],
        since_us=first_us if isinstance(first_us, int) else since_us,
        database=database,
    )
    return paired(asked, shadow, old=old, new=new, kept=() if database is None else ("label",))


def paired(
    asked: pl.DataFrame,
    shadow: pl.DataFrame,
    *,
    old: tuple[int, Manifest],
    new: tuple[int, Manifest],
    kept: tuple[str, ...] = (),
) -> pl.DataFrame:
    """Callers' rows beside the shadow's answers to them, whichever version was which, in order of time.

    `kept`: columns of the callers' rows that pairs keep besides their inputs.
    """
    parts = []
    for answered, scored in ((old, new), (new, old)):
        callers = answers_of(asked.filter(version=answered[0]), answered[1], "id", kept)
        seconds = answers_of(shadow.filter(version=scored[0]), scored[1], "of").select(
            "id", "row", "decision", "score", "failed"
        )
        joined = _join(callers, seconds)
        first, second = ("", "_shadow") if answered is old else ("_shadow", "")
        names = {
            f"{what}{end}": f"{side}{'_' if suffix else ''}{suffix}"
            for side, end in (("old", first), ("new", second))
            for what, suffix in (("decision", ""), ("score", "score"), ("failed", "failed"))
        }
        parts.append(
            joined.rename(names).select("at_us", "id", "row", *names.values(), *kept, pl.col("^in\\..*$"))
        )
    return pl.concat(parts, how="diagonal_relaxed").sort("at_us", "id", "row")


def _join(callers: pl.DataFrame, seconds: pl.DataFrame) -> pl.DataFrame:
    """Row by row; a request that failed as a whole in shadow has no rows there and counts for each row."""
    whole = seconds.filter(pl.col("row").is_null()).drop("row")
    by_row = callers.join(seconds, on=["id", "row"], suffix="_shadow")
    by_request = callers.join(whole, on="id", suffix="_shadow")
    return pl.concat([by_row, by_request.select(by_row.columns)])


def answers_of(
    rows: pl.DataFrame, manifest: Manifest, identity: str, kept: tuple[str, ...] = ()
) -> pl.DataFrame:
    """One version's rows with `id`, `row`, `decision`, `score` and `failed` in front of the inputs and what is `kept`."""
    columns = _outputs(rows.filter(_ANSWERED), manifest.answer)
    answered = rows.filter(_ANSWERED).select(
        pl.col(identity).alias("id"), "row", "at_us", *kept, pl.col("^in\\..*$")
    )
    numeric = manifest.task is Task.REGRESSION
    decided, scored = (
        (decisions(columns, manifest), _scores(columns, manifest))
        if columns
        else (np.array([]), np.array([]))
    )
    kind = pl.Float64 if numeric else pl.String
    answered = answered.with_columns(
        decision=pl.Series(decided.tolist(), dtype=kind, strict=False) if numeric else _texts(decided),
        score=pl.Series(scored, dtype=pl.Float64),
        failed=pl.lit(False),
    )
    failed = rows.filter(~_ANSWERED).select(
        pl.col(identity).alias("id"), "row", "at_us", *kept, pl.col("^in\\..*$")
    )
    failed = failed.with_columns(
        decision=pl.lit(None, kind), score=pl.lit(None, pl.Float64), failed=pl.lit(True)
    )
    return pl.concat([answered, failed], how="diagonal_relaxed")


def _outputs(rows: pl.DataFrame, answer: Answer) -> Columns:
    """The outputs that carry decision and score, as arrays; empty without rows."""
    wanted = [
        name for name in (answer.prediction, answer.probability) if name and f"out.{name}" in rows.columns
    ]
    return {name: _array(rows[f"out.{name}"]) for name in wanted} if rows.height else {}


def _array(values: pl.Series) -> np.ndarray:
    if values.dtype.is_nested():
        return np.array(values.to_list())
    return np.array(values.to_list(), dtype=object) if values.dtype == pl.String else values.to_numpy()


def _scores(columns: Columns, manifest: Manifest) -> np.ndarray:
    """Scores; NaN where the model answers names of classes without probabilities."""
    prediction = columns[manifest.answer.prediction]
    if manifest.answer.probability in columns or prediction.dtype.kind in "biuf":
        return scores(columns, manifest)
    return np.full(len(prediction), np.nan)


def _texts(values: np.ndarray) -> pl.Series:
    return pl.Series([None if value is None else str(value) for value in values.tolist()], dtype=pl.String)
