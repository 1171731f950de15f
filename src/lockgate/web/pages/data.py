"""Data sets: versions, what they hold, what changed between two, who was trained on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from lockgate.datasets.diff import diff_tables, worst_first
from lockgate.datasets.profile import ColumnProfile
from lockgate.datasets.versions import data_versions_of, get_data_set, list_data_sets
from lockgate.errors import LockgateError
from lockgate.web.pages.shell import Looking, PageRoute, page
from lockgate.wiring.data_rows import table_at
from lockgate.wiring.datasets import may_read, resolve_data
from lockgate.wiring.lineage import data_lineage

WIDTH, HEIGHT = 120.0, 28.0
MOST_VALUES = 3
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Bar:
    """One bar of a small histogram, in its picture's units."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Column:
    """A column with its picture and its extremes in words."""

    profile: ColumnProfile
    missing: float
    bars: list[Bar]
    words: str


@router.get("/data")
def data(looking: Looking) -> Response:
    """All data sets, each with its newest version."""
    with looking.house.db.read() as tx:
        may_read(tx, looking.person)
        found = [(one, data_versions_of(tx, one.name)[0]) for one in list_data_sets(tx)]
    return page(looking, "data.html", sets=found)


@router.get("/data/{name}")
def data_set(
    name: str,
    looking: Looking,
    before: Annotated[str | None, Query()] = None,
    after: Annotated[str | None, Query()] = None,
) -> Response:
    """One data set: its versions; with `before` and `after` also what changed between two of them."""
    with looking.house.db.read() as tx:
        may_read(tx, looking.person)
        found, versions = get_data_set(tx, name), data_versions_of(tx, name)
        pair = (
            [resolve_data(tx, f"{name}@{number}") for number in (before, after)] if before and after else []
        )
    changed, problem = None, None
    if pair:
        try:
            with table_at(looking.house, pair[0]) as old, table_at(looking.house, pair[1]) as new:
                changed = diff_tables(old, new, (pair[0].full, pair[1].full))
        except LockgateError as error:  # a file that moved: the versions are shown all the same
            problem = error
    moved = [one for one in worst_first(changed) if one.change != "same"] if changed else []
    return page(looking, "data_set.html", one=found, versions=versions, changed=changed, moved=moved, problem=problem,
                before=before, after=after)  # fmt: skip


@router.get("/data/{name}/{number}")
def data_version(name: str, number: str, looking: Looking) -> Response:
    """One version: where its rows are, what it breaks, its columns, where it came from and who read it."""
    with looking.house.db.read() as tx:
        may_read(tx, looking.person)
        found = resolve_data(tx, f"{name}@{number}")
    lineage = data_lineage(looking.house, looking.person, found)
    columns = [pictured(column, found.rows) for column in found.profile.columns]
    return page(looking, "data_version.html", data=found, columns=columns, lineage=lineage)


def pictured(column: ColumnProfile, rows: int) -> Column:
    """A column's histogram, or its most frequent values as bars. Pure."""
    numbers = column.numbers
    few = column.top and column.distinct <= len(column.top)
    counts = [count for _, count in column.top] if few else list(numbers.counts) if numbers else []
    if numbers is not None:
        words = (
            f"{numbers.quantiles[0]:.4g} to {numbers.quantiles[-1]:.4g}, middle {numbers.quantiles[4]:.4g}"
        )
    else:
        words = ", ".join(value[:40] for value, _ in column.top[:MOST_VALUES])
        words += f" and {column.distinct - MOST_VALUES} more" if column.distinct > MOST_VALUES else ""
    return Column(column, column.missing / rows if rows else 0.0, bars_of(counts), words)


def bars_of(counts: Sequence[int]) -> list[Bar]:
    """Bars that stand on the lower edge, the highest as high as the picture. Pure."""
    highest = max(counts, default=0)
    if not highest:
        return []
    step = WIDTH / len(counts)
    heights = [max(count / highest * HEIGHT, 1.0 if count else 0.0) for count in counts]
    return [
        Bar(place * step, HEIGHT - height, max(step - 1, 0.5), height) for place, height in enumerate(heights)
    ]
