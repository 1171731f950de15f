"""Parity: do all ways to ask this version give the same answers, row by row?

Idea: a sample of the test rows, with the rows that hold each input's extremes and missing values, is answered in each way
there is: all at once and one at a time; by the research model and compiled; through a real gateway, as JSON and as binary
tensors. Every cell that differs is listed, and what the differing rows have in common is said.

Settings (`checks: {parity: {...}}`): `rows` (how many are asked), `tolerance` (of numbers, absolute and relative),
`differing_fail` (share of rows that may differ at most before it fails; any row that differs warns).

Sources: Breck et al. (2017), The ML test score: a rubric for ML production readiness, IEEE Big Data (training and serving skew).
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.base import Check, Limits, Part, could_not_run, figure, sampled, settings_for
from lockgate.checks.evidence import CHUNK_ROWS, Answers, Asked, Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Status, Table, Threshold
from lockgate.checks.needs import Need
from lockgate.checks.parity.differences import Differences, differences, pattern
from lockgate.config import Tier
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import wilson

NAME = "parity"
_SHOWN = 12
_EXTREMES = 30  # inputs whose smallest, largest and missing values are looked for


class ParitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    rows: int = 300
    tolerance: float = 1e-5
    differing_fail: float = 0.005


BINDING = {
    "tolerance": Setting(Stricter.LOWER),
    "differing_fail": Setting(Stricter.LOWER),
    "rows": Setting(Stricter.HIGHER),
}


@dataclass(frozen=True)
class _Way:
    """One way to ask, and the way it is held against."""

    subject: str
    asked: Asked
    against: Asked
    names: tuple[str, str]
    advice: str
    chunk_rows: int = CHUNK_ROWS


_SERVE = "Callers would get other answers than were tested: look at the rows below, and at how the inputs are typed."
_WAYS = (
    _Way("one row at a time", Asked.VERSION, Asked.VERSION, ("all at once", "one at a time"),
         "An answer depends on the rows beside it: let the model look at each row alone.", 1),
    _Way("compiled", Asked.VERSION, Asked.ORIGINAL, ("research", "compiled"),
         "Serve it uncompiled (compile: false), or mend the step that converts otherwise."),
    _Way("gateway, JSON", Asked.SERVED_JSON, Asked.VERSION, ("research", "served as JSON"), _SERVE),
    _Way("gateway, binary", Asked.SERVED_BINARY, Asked.VERSION, ("research", "served as binary tensors"), _SERVE),
)  # fmt: skip


def run(evidence: Evidence) -> list[Finding]:
    """A finding for each way that there is."""
    settings = settings_for(evidence, NAME, ParitySettings)
    split = evidence.judged_split() or Split.TRAIN
    rows = _rows(evidence, evidence.frames[split], settings.rows)
    ways = [way for way in _WAYS if way.asked in _there(evidence) and way.against in _there(evidence)]
    return [_one(evidence, rows, way, settings) for way in ways]


def _there(evidence: Evidence) -> set[Asked]:
    return {Asked.VERSION, *evidence.beyond} | ({Asked.ORIGINAL} if evidence.compiled else set())


def _one(evidence: Evidence, rows: pl.DataFrame, way: _Way, settings: ParitySettings) -> Finding:
    try:
        usual = evidence.predict(rows, way.against)
        other = evidence.predict(rows, way.asked, chunk_rows=way.chunk_rows)
    except LockgateError as error:
        return could_not_run(
            NAME, way.subject, f"The rows were not answered in this way: {error.sentence()}", way.advice
        )
    return _judged(evidence, rows, way, _found(usual, other, settings.tolerance), settings)


def _judged(
    evidence: Evidence, rows: pl.DataFrame, way: _Way, found: Differences, settings: ParitySettings
) -> Finding:
    share = wilson(found.rows.size, rows.height)
    if not found.rows.size:
        return Finding(
            check=NAME, subject=way.subject, status=Status.PASS,
            headline=f"{way.names[0].capitalize()} and {way.names[1]}: the same answers to {rows.height:,} rows "
                     f"(largest difference {found.largest:.1g}).",
            measure=Measure(name="rows that differ", value=0.0, unit="share", low=0.0, high=share.high),
            threshold=Threshold(at_most=settings.differing_fail),
        )  # fmt: skip
    differs = np.zeros(rows.height, dtype=bool)
    differs[found.rows] = True
    common = pattern(rows, evidence.inputs, differs)
    return Finding(
        check=NAME, subject=way.subject,
        status=Status.FAIL if share.value > settings.differing_fail else Status.WARN,
        headline=f"{way.names[0].capitalize()} and {way.names[1]}: {found.rows.size:,} of {rows.height:,} rows are answered "
                 f"differently ({figure(share.value, 'share')}){'; ' + common if common else ''}.",
        advice=way.advice,
        measure=Measure(name="rows that differ", value=share.value, unit="share", low=share.low, high=share.high),
        threshold=Threshold(at_most=settings.differing_fail),
        table=_table(rows, evidence, way, found),
    )  # fmt: skip


def _table(rows: pl.DataFrame, evidence: Evidence, way: _Way, found: Differences) -> Table:
    key = evidence.key if evidence.key in rows.columns else None
    shown: list[tuple[Cell, ...]] = []
    for row, column, usual, other in found.cells[:_SHOWN]:
        name = str(rows[key][row]) if key else row + 1
        shown.append((name, column, usual, other))
    return Table(columns=(key or "row", "answer", *way.names), rows=tuple(shown))


def _found(usual: Answers, other: Answers, tolerance: float) -> Differences:
    return differences(usual, other, tolerance)


def _rows(evidence: Evidence, frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """A sample, and with it the rows that hold each input's smallest, largest and missing values."""
    chosen = set(sampled(evidence, NAME, frame.height, most).rows.tolist())
    for name in [name for name in evidence.inputs if name in frame.columns][:_EXTREMES]:
        series = frame[name]
        if series.null_count():
            chosen.add(int(np.flatnonzero(series.is_null().to_numpy())[0]))
        if series.dtype.is_numeric() and series.null_count() < len(series):
            chosen |= {place for place in (series.arg_min(), series.arg_max()) if place is not None}
    return frame[sorted(chosen)]


CHECK = Check(
    NAME,
    "Do all ways to ask this version give the same answers?",
    (Need.TABLE, Need.ASK),
    ParitySettings,
    run,
    BINDING,
    parts=(
        Part("compiled against the research model", (Need.ORIGINAL,)),
        Part("through the gateway", (Need.SERVED,)),
    ),
    limits=Limits(time_s=600, rows=100_000),
    tier=Tier.MEDIUM,
)
