"""A data version as a page: what it breaks, what the quality check finds, every column with its picture; and what repairs it.

Each finding about the data names the step of a pipeline that would repair it, as polars code to paste.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status
from lockgate.checks.quality import check as quality
from lockgate.checks.quality.kinds import TROUBLES
from lockgate.checks.values import numbers_of
from lockgate.clock import iso
from lockgate.datasets.profile import ColumnProfile
from lockgate.datasets.versions import DataVersion
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task
from lockgate.reports.html import findings_page

CONTRACT, COLUMN = "contract", "column"
MOST_COLUMNS = 60
_KINDS = {kind.title: kind.name for kind in TROUBLES}
_DROP = "frame.drop({columns})"

# What a step of a pipeline does about each kind of trouble; {columns} is a list of names.
REPAIRS: Mapping[str, str] = {
    "empty": _DROP, "missing": _DROP, "constant": _DROP, "copy": _DROP, "alike": _DROP, "identifier": _DROP, "personal": _DROP,
    "infinite": "frame.with_columns(pl.when(pl.col({columns}).is_finite()).then(pl.col({columns})).name.keep())",
    "sentinel": "frame.with_columns(pl.col({columns}).replace(SENTINEL, None))",
    "placeholder": "frame.with_columns(pl.col({columns}).replace(PLACEHOLDER, None))",
    "mixed": "frame.with_columns(pl.col({columns}).cast(pl.Float64, strict=False))",
    "garbled": "pl.read_csv(path, encoding='latin-1')",
    "variant": "frame.with_columns(pl.col({columns}).str.strip_chars().str.to_lowercase())",
    "capped": "frame.with_columns((pl.col({columns}) >= LIMIT).name.suffix('_capped'))",
}  # fmt: skip
DUPLICATES = "frame.unique(maintain_order=True)"


def data_findings(data: DataVersion, frame: pl.DataFrame, target: str | None = None) -> list[Finding]:
    """What a version breaks of its contract, what the quality check says of it, and its columns.

    Raises InvalidInput for a target that is none of its columns.
    """
    if target is not None and target not in frame.columns:
        raise InvalidInput(
            f"{data.full} has no column '{target[:80]}'", allowed=", ".join(frame.columns[:MOST_COLUMNS])
        )
    broken = [
        Finding(
            check=CONTRACT,
            subject=one.column or "the table",
            status=Status.FAIL,
            headline=f"{one.found}; expected: {one.expected}.",
            advice=one.repair,
        )
        for one in data.broken
    ]
    inputs = tuple(name for name in frame.columns if name != target)
    task = Task.CLASSIFICATION if target is not None and _are_classes(frame[target]) else Task.OTHER
    evidence = Evidence(task=task, inputs=inputs, target=target, frames={Split.TRAIN: frame})
    found = [_with_repair(each) for each in quality.run(evidence)]
    columns = [_column(column, data.rows) for column in data.profile.columns[:MOST_COLUMNS]]
    return [*broken, *found, *_repeated(frame), *columns]


def data_page(data: DataVersion, findings: Sequence[Finding]) -> str:
    """The findings as one HTML page that needs nothing else."""
    source = data.source
    about = {
        "digest": data.digest,
        "rows": f"{data.rows:,}",
        "columns": str(len(data.columns)),
        "from": f"{source.origin} {source.said}",
        "lies in": source.path or "the store",
        "added": f"{iso(data.created_us)} by {data.author}",
    }
    return findings_page(data.full, findings, about=about)


def _are_classes(labels: pl.Series) -> bool:
    """Whether some labels are no numbers: read as numbers, these would be missing."""
    if labels.dtype.is_numeric():
        return False
    return int(np.isfinite(numbers_of(labels)).sum()) < len(labels) - labels.null_count()


def _with_repair(finding: Finding) -> Finding:
    """The advice of the quality check, with the code of a step that follows it."""
    code = REPAIRS.get(_KINDS.get(finding.subject, ""))
    if code is None or finding.table is None:
        return finding
    columns = [str(row[0]) for row in finding.table.rows]
    step = code.replace("{columns}", repr(columns))
    return msgspec.structs.replace(finding, advice=f"{finding.advice} As a step: {step}")


def _repeated(frame: pl.DataFrame) -> list[Finding]:
    """Rows that stand there more than once."""
    flat = frame.select(name for name in frame.columns if not frame[name].dtype.is_nested())
    again = frame.height - flat.n_unique() if flat.width else 0
    if not again:
        return []
    measure = Measure(name="repeated rows", value=again / frame.height, unit="share")
    return [Finding(check="rows", subject="repeated", status=Status.WARN, measure=measure,
                    headline=f"{again:,} of {frame.height:,} rows stand there before.",
                    advice=f"Take them out, unless each is a case of its own. As a step: {DUPLICATES}")]  # fmt: skip


def _column(column: ColumnProfile, rows: int) -> Finding:
    """One column with its picture."""
    numbers = column.numbers
    missing = f", {column.missing:,} missing" if column.missing else ""
    shown: Callable[[float], str] = "{:.4g}".format
    if numbers is not None and not column.top:
        plot = Plot(
            kind=PlotKind.HISTOGRAMS,
            title=f"{column.name}: share of rows",
            data={
                "edges": list(numbers.edges),
                "parts": [{"name": column.name, "counts": list(numbers.counts)}],
            },
        )
        low, middle, high = numbers.quantiles[0], numbers.quantiles[4], numbers.quantiles[-1]
        words = f"{shown(low)} to {shown(high)}, half of them below {shown(middle)}"
    elif column.top:
        bars = [{"name": value, "value": count / max(rows, 1)} for value, count in column.top]
        plot = Plot(
            kind=PlotKind.BARS,
            title=f"{column.name}: share of rows",
            data={"bars": bars, "axis": "share of rows", "unit": "share"},
        )
        words = f"{column.distinct:,} values, most often {column.top[0][0]}"
    else:
        return Finding(
            check=COLUMN,
            subject=column.name,
            status=Status.PASS,
            headline=f"{column.name} ({column.kind}){missing}.",
        )
    headline = f"{column.name} ({column.kind}): {words}{missing}."
    return Finding(check=COLUMN, subject=column.name, status=Status.PASS, plot=plot, headline=headline)
