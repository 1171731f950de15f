"""Parity: do all ways to ask this version give the same answers, row by row?

Idea: a sample of the test rows, with the rows that hold each input's extremes and missing values, is answered in each way
there is: all at once and one at a time; by the research model and compiled; through a real gateway, as JSON and as binary
tensors; by the research model in another Python; by an outside service that was named. Every cell that differs is listed,
what the model answers beside its decision (features) included, and what the differing rows have in common is said.

Settings (`checks: {parity: {...}}`): `rows` (how many are asked), `tolerance` (of numbers, absolute and relative),
`differing_fail` (share of rows that may differ at most before it fails; any row that differs warns), `python` (another
version to build an environment of and ask there, `"3.12"`; none by default, since building takes minutes).

Sources: Breck et al. (2017), The ML test score: a rubric for ML production readiness, IEEE Big Data (training and serving skew).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta

from lockgate.checks.base import Check, Limits, Part, could_not_run, figure, sampled, settings_for
from lockgate.checks.evidence import CHUNK_ROWS, Asked, Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Status, Table, Threshold
from lockgate.checks.judged import subjects_in
from lockgate.checks.needs import Need
from lockgate.checks.parity.differences import PROBABILITY, Differences, differences
from lockgate.checks.parity.how import how
from lockgate.checks.parity.where import Pattern, pattern
from lockgate.config import Tier
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.clusters import share_by

NAME = "parity"
_SHOWN = 12
_NAMED = 6
_EXTREMES = 30  # inputs whose smallest, largest and missing values are looked for


class ParitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    rows: Annotated[int, Meta(ge=1)] = 300
    tolerance: float = 1e-5
    differing_fail: float = 0.005
    python: Annotated[str, Meta(pattern=r"^3\.\d{1,2}$")] | None = None


BINDING = {
    "tolerance": Setting(Stricter.LOWER),
    "differing_fail": Setting(Stricter.LOWER),
    "rows": Setting(Stricter.HIGHER),
    "python": Setting(Stricter.NEITHER),
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


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows that are asked, their numbers in the table they come from, and those of their subjects (None: each its own)."""

    frame: pl.DataFrame
    numbers: list[int]
    subjects: np.ndarray | None


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
    rows = _rows(evidence, settings.rows)
    there = {Asked.VERSION, *evidence.beyond} | ({Asked.ORIGINAL} if evidence.compiled else set())
    ways = [way for way in _WAYS if way.asked in there and way.against in there]
    if settings.python is not None:
        ways.append(_Way(
            f"Python {settings.python}", Asked.OTHER_PYTHON, _research(evidence), ("research", f"Python {settings.python}"),
            "The model does not mean the same in that Python: keep the one that it was made with (it is sealed with it).",
        ))  # fmt: skip
    return [_one(evidence, rows, way, settings) for way in ways]


def outside(evidence: Evidence, where: str) -> Finding:
    """The research model's answers against those of an outside service, which `Asked.OUTSIDE` asks. `where`: its address."""
    settings = settings_for(evidence, NAME, ParitySettings)
    way = _Way(
        f"against {where}", Asked.OUTSIDE, _research(evidence), ("research", f"outside ({urlsplit(where).netloc})"),
        "Mend the outside model where the rows below say so, and compare again: callers of it get other answers than "
        "were tested here.",
    )  # fmt: skip
    return _one(evidence, _rows(evidence, settings.rows), way, settings)


def _research(evidence: Evidence) -> Asked:
    return Asked.ORIGINAL if evidence.compiled else Asked.VERSION


def _one(evidence: Evidence, asked: _Rows, way: _Way, settings: ParitySettings) -> Finding:
    rows = asked.frame
    try:
        usual = evidence.predict(rows, way.against)
        other = evidence.predict(rows, way.asked, chunk_rows=way.chunk_rows)
    except LockgateError as error:
        said = f"{error.what}: {error.got}" if error.got is not None else error.what
        return could_not_run(
            NAME, way.subject, f"The rows were not answered in this way: {said}.", error.fix or way.advice
        )
    found = differences(usual, other, settings.tolerance)
    if not found.columns:
        return could_not_run(
            NAME, way.subject, "The two ways answer nothing that can be compared.", way.advice
        )
    differs = np.zeros(rows.height, dtype=bool)
    differs[found.rows] = True
    share = share_by(differs, asked.subjects)
    measure = Measure(
        name="rows that differ", value=share.value, unit="share", low=share.low, high=share.high
    )
    limit = Threshold(at_most=settings.differing_fail)
    names = _listed([column.name for column in found.columns])
    if not found.rows.size:
        return Finding(
            check=NAME, subject=way.subject, status=Status.PASS, measure=measure, threshold=limit,
            headline=f"{way.names[0].capitalize()} and {way.names[1]}: the same answers to {rows.height:,} rows (compared: "
                     f"{names}; largest difference {found.largest:.1g}).",
        )  # fmt: skip
    common = pattern(rows, evidence.inputs, differs, asked.subjects)
    return Finding(
        check=NAME, subject=way.subject, status=Status.FAIL if share.value > settings.differing_fail else Status.WARN,
        headline=_headline(way, rows.height, found, common), advice=way.advice, measure=measure, threshold=limit,
        table=_table(asked, evidence.key, way, found, common),
    )  # fmt: skip


def _headline(way: _Way, rows: int, found: Differences, common: Pattern) -> str:
    """How many differ, in which columns, where, and how."""
    names = _listed([column.name for column in found.columns if column.differs.any()])
    parts = [f"{found.rows.size:,} of {rows:,} rows are answered differently ({figure(found.rows.size / rows, 'share')}), "
             f"in {names}", common.words, how(found.columns)]  # fmt: skip
    return f"{way.names[0].capitalize()} and {way.names[1]}: {'; '.join(part for part in parts if part)}."


def _listed(names: list[str]) -> str:
    """`decision, score and probabilities`: the columns of all classes as one, the rest counted where there are many."""
    short = list(dict.fromkeys("probabilities" if name.startswith(PROBABILITY) else name for name in names))
    if len(short) > _NAMED + 1:
        short = [*short[:_NAMED], f"{len(short) - _NAMED} more"]
    return " and ".join([", ".join(short[:-1]), short[-1]] if len(short) > 1 else short)


def _table(asked: _Rows, key: str | None, way: _Way, found: Differences, common: Pattern) -> Table:
    """The first cells that differ, with the inputs that the pattern names."""
    rows = asked.frame
    key = key if key in rows.columns else None
    named = [name for name in common.columns if name != key]
    shown: list[tuple[Cell, ...]] = []
    for row, column, usual, other in found.cells(_SHOWN):
        name = str(rows[key][row]) if key else asked.numbers[row] + 1
        inputs = (value if isinstance(value := rows[each][row], str | int | float | bool | None) else str(value)
                  for each in named)  # fmt: skip
        shown.append((name, column, usual, other, *inputs))
    return Table(
        columns=(key or "row", "answer", *way.names, *(f"input {name}" for name in named)), rows=tuple(shown)
    )


def _rows(evidence: Evidence, most: int) -> _Rows:
    """A sample, and with it the rows that hold each input's smallest, largest and missing values."""
    frame = evidence.frames[evidence.judged_split() or Split.TRAIN]
    chosen = set(sampled(evidence, NAME, frame.height, most).rows.tolist())
    for name in [name for name in evidence.inputs if name in frame.columns][:_EXTREMES]:
        series = frame[name]
        if series.null_count():
            chosen.add(int(np.flatnonzero(series.is_null().to_numpy())[0]))
        if series.dtype.is_numeric() and series.null_count() < len(series):
            chosen |= {place for place in (series.arg_min(), series.arg_max()) if place is not None}
    numbers = sorted(chosen)
    table = frame[numbers]
    return _Rows(table, numbers, subjects_in(evidence, table))


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
        Part("features beside answers", (Need.FURTHER,)),
        Part("another Python", (Need.PYTHON,)),
    ),
    limits=Limits(time_s=1_800, rows=100_000),
    tier=Tier.MEDIUM,
)
