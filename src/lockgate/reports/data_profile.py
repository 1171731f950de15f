"""A data version as a page: what it breaks, what the quality check finds, every column with its picture; and what repairs it.

Each finding about the data names the step of a pipeline that would repair it, as polars code to paste.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from lockgate.checks.finding import Finding, Plot, PlotKind, Status, Table
from lockgate.clock import iso
from lockgate.datasets.profile import ColumnProfile, Texts
from lockgate.datasets.versions import DataVersion
from lockgate.reports.data_findings import table_findings
from lockgate.reports.data_repairs import Named
from lockgate.reports.html import findings_page

COLUMN = "column"
MOST_COLUMNS = 60


def data_findings(data: DataVersion, frame: pl.DataFrame, about: Named) -> list[Finding]:
    """What is wrong with a version, and its columns, each with a picture. Raises as `table_findings`."""
    columns = [_column(column, data.rows) for column in data.profile.columns[:MOST_COLUMNS]]
    return [*table_findings(data, frame, about), *columns]


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


def _column(column: ColumnProfile, rows: int) -> Finding:
    """One column with its picture."""
    if column.texts is not None:
        return _prose(column, column.texts)
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


def _prose(column: ColumnProfile, texts: Texts) -> Finding:
    """A column of texts: how long they are, and the words that stand in most of them."""
    plot = Plot(
        kind=PlotKind.HISTOGRAMS, title=f"{column.name}: words in a text, share of texts",
        data={"edges": list(texts.edges), "parts": [{"name": column.name, "counts": list(texts.counts)}]},
    )  # fmt: skip
    table = Table(columns=("word", "share of texts"), rows=texts.words, shares=("share of texts",))
    low, middle, high = texts.quantiles[0], texts.quantiles[4], texts.quantiles[-1]
    missing = f", {column.missing:,} missing" if column.missing else ""
    return Finding(check=COLUMN, subject=column.name, status=Status.PASS, plot=plot, table=table,
                   headline=f"{column.name} ({column.kind}): texts of {low:.0f} to {high:.0f} words, half of them of at most "
                            f"{middle:.0f}{missing}.")  # fmt: skip
