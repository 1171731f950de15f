"""What training again should have brought by the back-test's figure, and what it did bring, on the same rows of the log.

Promised: `lockgate backtest` of the first version over the log, where a model is trained again before each window on all rows
before it. Delivered: what callers were answered, by whichever version was live, beside what the first version says to the same
rows. Retraining takes its time (it waits for labels, causes and cool-downs), so it delivers a share of what is promised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from benchmarks.retraining.stage import Stage, quiet

from lockgate.checks.finding import Finding
from lockgate.clock import DAY_US
from lockgate.registry.naming import VersionName
from lockgate.registry.store import get_version
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import Interval
from lockgate.wiring.backtesting import Stretch, back_test
from lockgate.wiring.history import history_of


@dataclass(frozen=True)
class Line:
    """One window, by mean absolute errors: of the first version, of a model kept fresh (the back-test's), of what was answered.

    `brought`: by how much what was answered is nearer than the first version, on the same rows, by days that are alike.
    """

    name: str
    rows: int
    first: float
    fresh: float
    answered: float
    brought: Interval

    @property
    def promised(self) -> float:
        """By how much a model kept fresh is nearer than the first version."""
        return self.first - self.fresh


@dataclass(frozen=True)
class Compared:
    """The back-test's own sentence, its windows, and all of them from the first in which another version answered."""

    sentence: str
    lines: tuple[Line, ...]
    since: tuple[Line, ...]
    promised: float
    brought: Interval

    @property
    def share(self) -> float:
        """How much of what was promised was delivered."""
        return self.brought.value / self.promised


def compared(stage: Stage) -> Compared:
    """Hold what was answered against the back-test of the first version. Raises what a back-test raises."""
    house, model = stage.house, stage.case.model
    with house.db.read() as tx:
        first = get_version(tx, VersionName(model, 1))
    found = back_test(house, house.owner, first, Stretch(), quiet).findings
    rows = history_of(house, model)
    assert rows is not None, "no prediction has a label"
    rows = rows.with_columns(
        month=pl.col("at_us").cast(pl.Datetime("us")).dt.strftime("%Y-%m"),
        first=pl.Series(np.abs(stage.answers(first, rows) - rows["label"].to_numpy())),
        answered=(pl.col("decision") - pl.col("label")).abs(),
    )  # fmt: skip
    lines = tuple(_line(rows.filter(month=name), fresh) for name, fresh in _fresh(found))
    began = rows.filter(pl.col("version") > 1)["month"].min()
    since = tuple(line for line in lines if began is not None and line.name >= str(began))
    kept = rows.filter(pl.col("month").is_in([line.name for line in since]))
    count = sum(line.rows for line in since)
    promised = sum(line.promised * line.rows for line in since) / max(count, 1)
    return Compared(_sentence(found), lines, since, promised, _brought(kept))


def told(found: Compared) -> list[str]:
    """For people."""
    text = [f"  by the back-test: {found.sentence}"]
    for line in found.lines:
        text.append(
            f"  {line.name}: {line.rows:,} rows; first version {line.first:.1f}, kept fresh {line.fresh:.1f} (promised "
            f"{line.promised:.1f} nearer), answered {line.answered:.1f} (brought {_said(line.brought)})"
        )
    if found.since:
        text.append(
            f"  since {found.since[0].name}: promised {found.promised:.1f} nearer, brought {_said(found.brought)}: "
            f"{found.share:.0%} of it ({found.brought.low / found.promised:.0%} to {found.brought.high / found.promised:.0%})"
        )
    return text


def _fresh(found: Sequence[Finding]) -> list[tuple[str, float]]:
    """Each judged window's name, and the error of the model that was trained again before it."""
    table = next(each.table for each in found if each.table is not None)
    at = table.columns.index("retrained")
    return [
        (str(row[0]), float(row[at])) for row in table.rows if isinstance(row[at], float) and row[-1] == "no"
    ]


def _sentence(found: Sequence[Finding]) -> str:
    said = [each.headline for each in found if each.subject.startswith("retraining")]
    if not said:
        raise RuntimeError(f"the back-test said nothing of retraining: {[each.headline for each in found]}")
    return said[0]


def _line(rows: pl.DataFrame, fresh: float) -> Line:
    means = [float(rows[name].to_numpy().mean()) for name in ("first", "answered")]
    return Line(str(rows["month"][0]), rows.height, means[0], fresh, means[1], _brought(rows))


def _brought(rows: pl.DataFrame) -> Interval:
    """Hours of a day err alike: the interval is over days."""
    nearer = (rows["first"] - rows["answered"]).to_numpy()
    return mean_by(nearer, (rows["at_us"] // DAY_US).to_numpy())


def _said(found: Interval) -> str:
    return f"{found.value:.1f}, {found.low:.1f} to {found.high:.1f}"
