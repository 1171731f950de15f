"""Performance before labels: what a window's labels will show, said when the window is over and held against them later.

Classification: from what scores meant where labels are known (`stats/expected.py`). Regression: a small model of the error's
size, learned from this model's own labelled predictions. What an estimate said stays as it was said; whether it held is noted
when the labels are there, and so is the source it was made from.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.monitor.class_model import ClassModel
from lockgate.monitor.error_model import ErrorModel
from lockgate.monitor.performance_figures import Figure
from lockgate.monitor.performance_windows import Window, positive_of
from lockgate.monitor.tables import performance_estimates
from lockgate.registry.manifest import Manifest, Task
from lockgate.stats.expected import Calibration, cells_of, expected
from lockgate.stats.intervals import Interval

FULL = 0.95  # of a window's rows that must have a label before an estimate of all of them is judged
VALIDATION, PRODUCTION = "validation", "production"


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What was expected of a window. `source`: from whose labels; `held`: figure -> whether the labels' figure lay inside;
    `came`: the labels' figures."""

    version: int
    number: int
    rows: int
    source: str
    learned: int  # labelled rows that it was learned from
    figures: dict[str, Figure]
    held: dict[str, bool] = {}
    came: dict[str, float] = {}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """How right past estimates were. `figures`: name -> (checked, held)."""

    checked: int = 0
    held: int = 0
    figures: dict[str, tuple[int, int]] = {}


def estimated(
    rows: pl.DataFrame,
    window: tuple[int, int],
    manifest: Manifest,
    *,
    known: Calibration | ErrorModel | ClassModel,
    source: str,
) -> Estimate | None:
    """What the labels of these ledger rows will show; None where the version gives no probability. `window`: version, number."""
    if isinstance(known, ErrorModel):
        figures = known.expected(rows)
        return _estimate(rows, window, figures, source, known.learned)
    if manifest.task is not Task.CLASSIFICATION or rows["score"].null_count() == rows.height:
        return None
    each = rows.height / max(_subjects(rows), 1)
    score = rows["score"].fill_null(float("nan")).to_numpy()
    up = positive_of(manifest)
    if isinstance(known, ClassModel):
        place = {name: float(number) for number, name in enumerate(known.names)}
        codes = rows["decision"].replace_strict(place, default=-1.0, return_dtype=pl.Float64).fill_null(-1.0)
        classes = codes.to_numpy().astype(int)
        made = known.expected(classes, score, rows_per_subject=each, seed=window[1])
        return _estimate(rows, window, {n: _figure(one) for n, one in made.items()}, source, known.learned)
    if up is None:  # the score is the largest probability: it says how likely the decision is right
        found = expected(
            known, cells_of(known, score, np.ones(score.size)), rows_per_subject=each, seed=window[1]
        )
        figures = {"accuracy": _figure(found["positive_rate"])} if found else {}
    else:
        decided = (rows["decision"] == up).to_numpy()
        cells = cells_of(known, score, decided)
        figures = {
            name: _figure(one)
            for name, one in expected(known, cells, rows_per_subject=each, seed=window[1]).items()
        }
    return _estimate(rows, window, figures, source, known.height)


def checked(estimate: Estimate, window: Window) -> Estimate | None:
    """The estimate with how it fared; None while, or where, too few of the window's rows have a label."""
    if window.labelled < FULL * window.rows:
        return None
    both = [name for name in estimate.figures if name in window.figures]
    came = {name: window.figures[name].value for name in both}
    held = {name: estimate.figures[name].low <= came[name] <= estimate.figures[name].high for name in both}
    return msgspec.structs.replace(estimate, held=held, came=came)


def kept_of(estimates: Iterable[Estimate]) -> Kept:
    """How many of the past estimates held, each figure of each window for one."""
    counts: dict[str, tuple[int, int]] = {}
    for estimate in estimates:
        for name, held in estimate.held.items():
            before = counts.get(name, (0, 0))
            counts[name] = (before[0] + 1, before[1] + held)
    return Kept(
        checked=sum(done for done, _ in counts.values()),
        held=sum(held for _, held in counts.values()),
        figures=counts,
    )


def put_estimate(tx: sa.Connection, model: str, estimate: Estimate, now_us: int) -> None:
    """Keep an estimate, or what became of it, in the caller's transaction."""
    c = performance_estimates.c
    same = (c.model == model) & (c.version == estimate.version) & (c.number == estimate.number)
    body = msgspec.json.encode(estimate).decode()
    if estimate.held:
        tx.execute(sa.update(performance_estimates).where(same).values(body=body, checked_us=now_us))
        return
    values = {"model": model, "version": estimate.version, "number": estimate.number}
    tx.execute(sa.insert(performance_estimates).values(**values, body=body, made_us=now_us))


def estimates_of(tx: sa.Connection, model: str, *, unchecked: bool = False) -> list[Estimate]:
    """The estimates of a model, oldest first. `unchecked`: those alone that wait for their labels."""
    c = performance_estimates.c
    query = sa.select(c.body).where(c.model == model).order_by(c.number, c.version)
    if unchecked:
        query = query.where(c.checked_us.is_(None))
    return [msgspec.json.decode(body, type=Estimate) for body in tx.execute(query).scalars()]


def estimated_numbers(tx: sa.Connection, model: str) -> set[tuple[int, int]]:
    """Which windows (version, number) have an estimate."""
    c = performance_estimates.c
    return {
        (row.version, row.number)
        for row in tx.execute(sa.select(c.version, c.number).where(c.model == model))
    }


def _estimate(
    rows: pl.DataFrame, window: tuple[int, int], figures: dict[str, Figure], source: str, learned: int
) -> Estimate | None:
    if not figures:
        return None
    version, number = window
    return Estimate(
        version=version, number=number, rows=rows.height, source=source, learned=learned, figures=figures
    )


def _subjects(rows: pl.DataFrame) -> int:
    """How many there are; a row without one is its own."""
    if "subject" not in rows.columns:
        return rows.height
    return rows["subject"].drop_nulls().n_unique() + rows["subject"].null_count()


def _figure(found: Interval) -> Figure:
    return Figure(found.value, found.low, found.high)
