"""Part of stress: inputs that cannot lie beyond declared bounds: do the tables keep to that, and is the model sound there?

Two questions for each declared input. How many rows of each table lie outside: the declaration is wrong, or the data are. And
does the model answer at both ends, all else as it is: what can be will come.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import polars as pl

from lockgate.checks.base import could_not_run, figure, measured
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Cell, Finding, Status, Table, Threshold
from lockgate.checks.judged import subjects_in
from lockgate.checks.values import numbers_of, subject_names
from lockgate.errors import PredictionFailed
from lockgate.stats.clusters import share_by
from lockgate.stats.intervals import Interval

_ROWS = 100


def within(
    check: str,
    evidence: Evidence,
    split: Split,
    name: str,
    bounds: tuple[float | None, float | None],
    *,
    limit: float,
) -> Finding:
    """One input and its declared bounds, both inclusive, None for none. `limit`: share of rows outside that fails for sure."""
    low, high = bounds
    subject, frame = f"range of {name}", evidence.frames[split]
    tables = {each: table[name] for each, table in evidence.frames.items() if name in table.columns}
    if split not in tables or not frame[name].dtype.is_numeric():
        return could_not_run(check, subject, f"Bounds are declared for '{name}', and the table holds no numbers of that name.",
                             "Mend assumptions: {inputs: ...} in lockgate.yaml.")  # fmt: skip
    looked = {each: _outside(series, low, high) for each, series in tables.items()}
    rows = [_cells(str(each), tables[each], beyond) for each, beyond in looked.items()]
    asked, outside = sum(cells[1] for cells in rows), sum(cells[2] for cells in rows)
    said = " and ".join(text for text in (f"{low:g} or more" if low is not None else "",
                                          f"{high:g} or less" if high is not None else "") if text)  # fmt: skip
    share, silent = _share(evidence, name, looked), _unanswered(evidence, frame, name, (low, high))
    found = f"{outside:,} of {asked:,} values are not" if outside else f"all of {asked:,} values are"
    status = Status.FAIL if silent or share.low > limit else Status.WARN if outside else Status.PASS
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"{name} must be {said}: {found}{f'; {silent}' if silent else ''}.",
        advice="" if status is Status.PASS else "Let the model answer whatever the declaration allows." if silent else
               "Mend these rows, or the declaration: assumptions: {inputs: ...}.",
        measure=measured("values outside", share, "share"),
        threshold=Threshold(at_most=limit, source="assumptions"),
        table=Table(columns=("table", "values", "outside", "lowest", "highest"), rows=tuple(rows)),
    )  # fmt: skip


def _outside(series: pl.Series, low: float | None, high: float | None) -> np.ndarray:
    """Truth values (n,): a value beyond the bounds; a missing one is not."""
    values = numbers_of(series)
    below = values < low if low is not None else np.zeros(values.size, dtype=bool)
    return below | (values > high) if high is not None else below


def _cells(table: str, series: pl.Series, beyond: np.ndarray) -> tuple[str, int, int, Cell, Cell]:
    values = numbers_of(series)
    values = values[~np.isnan(values)]
    ends = (float(values.min()), float(values.max())) if values.size else (None, None)
    return table, int(values.size), int(beyond.sum()), _finite(ends[0]), _finite(ends[1])


def _share(evidence: Evidence, name: str, looked: Mapping[Split, np.ndarray]) -> Interval:
    """The share of values outside over all tables; a subject is one whatever table its rows stand in."""
    tables, group = [evidence.frames[each] for each in looked], evidence.group
    there = np.concatenate([~np.isnan(numbers_of(table[name])) for table in tables])
    subjects = None
    if group is not None and all(group in table.columns for table in tables):
        names = np.concatenate([subject_names(table[group]) for table in tables])
        subjects = subjects_in(
            evidence, pl.DataFrame({group: pl.Series(names[there].tolist(), dtype=pl.String)})
        )
    return share_by(np.concatenate(list(looked.values()))[there], subjects)


def _finite(value: float | None) -> Cell:
    return value if value is None or math.isfinite(value) else str(value)


def _unanswered(
    evidence: Evidence, frame: pl.DataFrame, name: str, bounds: tuple[float | None, float | None]
) -> str:
    """What the model says where the input is at an end of its range; empty where it answers."""
    if evidence.ask is None or name not in evidence.inputs or frame.is_empty():
        return ""
    kind = frame[name].dtype
    low, high = bounds
    ends = [
        end if not kind.is_integer() else round_(end)
        for end, round_ in ((low, math.ceil), (high, math.floor))
        if end is not None
    ]
    rows = frame[:_ROWS]
    for end in ends:
        try:
            made = evidence.predict(rows.with_columns(pl.lit(end).cast(kind, strict=False).alias(name)))
        except PredictionFailed as error:
            return f"where it is {figure(float(end))} the model does not answer: {error.what}"
        figures = made.scores if made.scores is not None else np.zeros(0)
        if not np.isfinite(np.asarray(figures, dtype=float)).all():
            return f"where it is {figure(float(end))} the model's answer is not a number"
    return ""
