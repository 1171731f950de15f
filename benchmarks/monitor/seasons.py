"""How often the season is called drift, and whether a change inside a season is still found: simulated years.

    python -m benchmarks.monitor.seasons [--runs 200]

Each run is a place with a weather of its own: a temperature that follows the year with days that hang together, a demand that
follows year and week, the month as a number, the season as a word, and three columns that follow nothing. A version learns a
past of half a year (no later season was ever seen) or of a year and a half (each was), is judged on its last fifth, and answers
for half a year more, 100 rows a day. The watcher's own judge looks at every chunk, every week. Then one thing changes for good in
the fourth month; of runs with a change, and of runs without the rule, there are a quarter as many.
"""

from __future__ import annotations

import argparse
import atexit
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.seasons import AT, seasons_of
from lockgate.clock import DAY_US
from lockgate.db import Database, migrate, open_database
from lockgate.monitor.judging import Judge
from lockgate.monitor.notices import Severity, notices_of
from lockgate.monitor.profile import profiles_of
from lockgate.monitor.profiles import add_profiles
from lockgate.monitor.reference import Reference, of_rows
from lockgate.predictions.record import Columns

ROWS_A_DAY, DAYS, CHANGES_ON = 100, 182, 91
PASTS = {"a year and a half": 546, "half a year": 182}
MODEL = "place"
START_DAY = 18_262  # 2020-01-01
COLUMNS = ("temperature", "demand", "month", "season", "a", "b", "group")
SEASONS = np.array(["winter", "spring", "summer", "autumn"], dtype=object)
CHANGES = {
    "temperature": (0.5, 1.0, 2.0),
    "a": (0.5,),
}  # columns that change, by so many standard deviations of all rows


@dataclass(frozen=True)
class Told:
    """What was said of a run: columns named before the change, days from the change until its column was named, None: never."""

    before: frozenset[str]
    found: float | None


def table(draw: np.random.Generator, first: int, days: int) -> pl.DataFrame:
    """Rows of so many days from a day on, with their time as `AT` (seconds)."""
    day = np.repeat(np.arange(first, first + days), ROWS_A_DAY)
    weather = np.zeros(days)
    for place in range(1, days):
        weather[place] = 0.8 * weather[place - 1] + draw.normal(0, 2.5)
    year = np.cos(2 * np.pi * (day - START_DAY - 200) / 365.25)
    temperature = 10 + 10 * year + np.repeat(weather, ROWS_A_DAY) + draw.normal(0, 3, day.size)
    busy = np.where(day % 7 < 5, 1.0, 0.6) * (1 + 0.3 * year)
    month = pl.from_epoch(pl.Series(day * 86_400), time_unit="s").dt.month().to_numpy()
    return pl.DataFrame(
        {
            "temperature": temperature, "demand": draw.poisson(50 * busy).astype(float), "month": month.astype(float),
            "season": SEASONS[(month % 12) // 3].tolist(), "a": draw.normal(size=day.size),
            "b": draw.lognormal(0, 1, day.size), "group": draw.choice(list("abcde"), day.size).tolist(),
            AT: day * 86_400.0 + 43_200,
        }
    )  # fmt: skip


def reference_of(past: pl.DataFrame, *, aware: bool) -> Reference:
    """What a validation on the last fifth of a past leaves. `aware`: with what it knows of seasons."""
    judged = past.tail(past.height // 5)
    made = of_rows("past", judged.select(COLUMNS), {"score": score(judged)})
    matter = {"temperature": 0.4, "demand": 0.2, "month": 0.1, "a": 0.3}
    made = msgspec.structs.replace(made, matter=matter, validated=True, said="its validation")
    if not aware:
        return made
    seasons, sketches = seasons_of(past, judged, COLUMNS)
    return msgspec.structs.replace(made, seasons=seasons, columns=made.columns | sketches, pairs=None)


def score(rows: pl.DataFrame) -> np.ndarray:
    """An answer that hangs on the temperature and on a column that follows nothing."""
    made: np.ndarray = 0.3 * rows["temperature"].to_numpy() + rows["a"].to_numpy()
    return made


def run(seed: int, past_days: int, *, aware: bool, change: tuple[str, float] | None = None) -> Told:
    """One place: what was said of it in half a year."""
    draw = np.random.default_rng(seed)
    first = START_DAY + int(draw.integers(0, 365))
    whole = table(draw, first, past_days + DAYS)
    cut = past_days * ROWS_A_DAY
    past, later = whole[:cut], whole[cut:]
    changes_us = (first + past_days + CHANGES_ON) * DAY_US
    if change is not None:
        name, far = change
        moved = pl.col(name) + pl.when(pl.col(AT) * 1e6 >= changes_us).then(
            far * float(past[name].std())
        ).otherwise(0.0)  # type: ignore[arg-type]
        later = later.with_columns(moved.alias(name))
    with tempfile.TemporaryDirectory(prefix="lockgate-seasons-") as folder:
        place = Path(folder) / "seasons.db"
        shutil.copy(_empty(), place)
        db = open_database(f"sqlite:///{place}")
        try:
            said = _watched(db, reference_of(past, aware=aware), later)
        finally:
            db.close()
    before = frozenset(name for at_us, name in said if change is None or at_us <= changes_us)
    after = [at_us for at_us, name in said if change is not None and name == change[0] and at_us > changes_us]
    return Told(before, (min(after) - changes_us) / DAY_US if after else None)


@cache
def _empty() -> Path:
    """A database with every table and no row, which each run gets a copy of."""
    place = Path(tempfile.mkdtemp(prefix="lockgate-seasons-")) / "empty.db"
    atexit.register(shutil.rmtree, place.parent, ignore_errors=True)
    db = open_database(f"sqlite:///{place}")
    migrate(db)
    db.close()
    return place


def _watched(db: Database, reference: Reference, later: pl.DataFrame) -> list[tuple[int, str]]:
    """Columns that notices named, each with the time at which it was named first."""
    judge, said = Judge(db, MODEL), []
    named: set[str] = set()
    for week in later.with_columns(week=(pl.col(AT) // (7 * 86_400))).partition_by(
        "week", maintain_order=True
    ):
        at_us = (week[AT].to_numpy() * 1e6).astype(np.int64)
        inputs: Columns = {name: _values(week[name]) for name in COLUMNS}
        with db.write() as tx:
            add_profiles(tx, MODEL, 1, profiles_of(reference, at_us, inputs, {"score": score(week)}))
        now_us = int(at_us[-1]) + 1
        judge.look({1: reference}, now_us, now_us)
        with db.read() as tx:
            notices = [each.notice for each in notices_of(tx, MODEL)]
        for notice in notices:
            if notice.severity is not Severity.NOTE:
                new = {*(notice.columns or (notice.subject,))} - named
                said += [(now_us, name) for name in new]
                named |= new
    return said


def _values(series: pl.Series) -> np.ndarray:
    return np.array(series.to_list(), dtype=object) if series.dtype == pl.String else series.to_numpy()


def lines(runs: int) -> Iterator[str]:
    """False alarms and what is found of changes, then how it would be without the rule."""
    fewer = max(runs // 4, 1)
    for title, days in PASTS.items():
        yield _quiet(title, days, runs, aware=True)
        for name, fars in CHANGES.items():
            for far in fars:
                told = [run(10_000 + seed, days, aware=True, change=(name, far)) for seed in range(fewer)]
                found = [each.found for each in told if each.found is not None]
                late = f", after {np.median(found):.0f} days (median)" if found else ""
                early = sum(name in each.before for each in told)
                yield (f"a past of {title}, {name} changes by {far:g} standard deviations: found in {len(found)} of {fewer}"
                       f"{late}; named before in {early}")  # fmt: skip
    for title, days in PASTS.items():
        yield _quiet(title, days, fewer, aware=False)


def _quiet(title: str, days: int, runs: int, *, aware: bool) -> str:
    """Runs in which nothing but the season changes."""
    told = [run(seed, days, aware=aware) for seed in range(runs)]
    ever = sum(bool(each.before) for each in told)
    by = {name: sum(name in each.before for each in told) for name in (*COLUMNS, "outputs", "relations")}
    counts = ", ".join(f"{name} {count}" for name, count in by.items() if count)
    rule = "held against the season" if aware else "held against the validation alone"
    return (
        f"a past of {title}, {rule}: {ever} of {runs} places with a warning or an alarm ({counts or 'none'})"
    )


def main() -> None:
    """As text."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=200)
    began = time.process_time()
    for line in lines(parser.parse_args().runs):
        print(line, flush=True)
    print(f"({time.process_time() - began:.0f} s of processor time)")


if __name__ == "__main__":
    main()
