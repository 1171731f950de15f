"""Where the test table begins, told to a run: the pipeline's own rows, another line between them; or it is refused."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from lockgate.errors import InvalidInput
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.cut import Cut
from lockgate.pipelines.execute import Ran, execute
from lockgate.pipelines.inside.cutting import cut
from lockgate.pipelines.inside.values import read_value, write_value
from lockgate.pipelines.layout import DataFile, Order
from lockgate.pipelines.outline import steps_written
from lockgate.pipelines.run import StepState
from lockgate.pipelines.sources import Sources

PIPELINE = """
import polars as pl

class Mean:
    def __init__(self, value):
        self.value = value

    def predict(self, rows):
        return [self.value for _ in rows]

def rows(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.sort("day")

def train(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.head(5)

def test(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.tail(5)

def model(train: pl.DataFrame):
    return Mean(train["y"].mean())

def metrics(model, test: pl.DataFrame):
    return {"mean": model.value, "rows": test.height}
"""
SINCE = Cut(time="day", since="2026-01-09T00:00:00")


def _run(folder: Path, text: str = PIPELINE, told: Cut | None = SINCE) -> Ran:
    days = [dt.date(2026, 1, day) for day in range(1, 11)]
    pl.DataFrame({"day": days, "y": range(1, 11)}).write_parquet(folder / "raw.parquet")
    order = Order(
        pipeline="mean.py", sources=Sources({"mean.py": text.encode()}), parameters={}, seed=1, python=Path(sys.executable),
        data={"raw": DataFile(folder / "raw.parquet", "table", "one")}, environment="e", memory_bytes=2 << 30, cut=told,
    )  # fmt: skip
    ran = Ran()
    (folder / "run").mkdir(exist_ok=True)
    execute(order, folder / "run", StepCache(folder / "steps"), ran, lambda _step, _done, _of: None)
    return ran


def test_the_line_between_the_tables_is_moved(tmp_path: Path) -> None:
    """The model learns the eight oldest of ten rows where its pipeline would have taken five; again, all of it is kept; and
    without being told it is the pipeline's own cut."""
    ran = _run(tmp_path)
    assert ran.handed["metrics"] == {"mean": 4.5, "rows": 2.0}
    assert [step.name for step in ran.steps] == [
        "rows",
        "train",
        "test",
        "cut train",
        "cut test",
        "model",
        "metrics",
    ]
    assert [step.shape for step in ran.steps[3:5]] == [(8, 2), (2, 2)]
    tables = [
        pl.read_parquet(tmp_path / "run" / "handed" / f"{name}.parquet")["y"].to_list()
        for name in ("train", "test")
    ]
    assert tables == [[*range(1, 9)], [9, 10]]
    assert {step.state for step in _run(tmp_path).steps} == {StepState.KEPT}
    assert _run(tmp_path, told=None).handed["metrics"] == {"mean": 3.0, "rows": 5.0}


@pytest.mark.parametrize("change", [
    ("def test(rows: pl.DataFrame)", "def test(rows: pl.DataFrame, train: pl.DataFrame)"),
    ("def model(train: pl.DataFrame):\n    return Mean(train", "def model(rows: pl.DataFrame):\n    return Mean(rows"),
    ("def model(", "def validation(rows: pl.DataFrame) -> pl.DataFrame:\n    return rows.head(1)\n\ndef model("),
])  # fmt: skip
def test_a_pipeline_whose_tables_hang_together_is_not_cut(tmp_path: Path, change: tuple[str, str]) -> None:
    """A test made of what was learned, a model that learns something else, three tables: refused, with the way out."""
    with pytest.raises(
        InvalidInput, match=r"where the test table begins cannot be told to this pipeline.*test_days: own"
    ):
        _run(tmp_path, PIPELINE.replace(*change))


def test_tables_that_are_no_frames_and_cuts_that_leave_nothing_are_refused(tmp_path: Path) -> None:
    """In words that say what to do instead."""
    with pytest.raises(InvalidInput, match="are no tables that can be cut"):
        _run(
            tmp_path,
            PIPELINE.replace("return rows.tail(5)", "return rows.tail(5).to_dicts()").replace(
                "test.height", "1"
            ),
        )
    with pytest.raises(InvalidInput, match="the table 'test' has no row"):
        _run(tmp_path, told=Cut(time="day", since="2027-01-01T00:00:00"))
    with pytest.raises(InvalidInput, match="no column 'hour'"):
        _run(tmp_path, told=Cut(time="hour", since="2026-01-09T00:00:00"))


@pytest.mark.parametrize(("column", "tested"), [
    (pd.Series(["2026-01-01", "2026-01-02T12:00:00Z", "2026-01-03"]), 2),
    (pd.to_datetime(pd.Series(["2026-01-01", "2026-01-02", None])), 1),
    (pl.Series([dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC), None]), 1),
], ids=["text", "pandas", "polars with a zone"])  # fmt: skip
def test_times_are_read_as_tables_write_them(
    tmp_path: Path, column: pd.Series | pl.Series, tested: int
) -> None:
    """Text, pandas and polars, with and without a zone; a row without a time is learned from."""
    whole = pl.DataFrame({"at": column}) if isinstance(column, pl.Series) else pd.DataFrame({"at": column})
    stored = {name: str(tmp_path / name) for name in ("train", "test")}
    write_value("train", whole[:1], tmp_path / "train")
    write_value("test", whole[1:], tmp_path / "test")
    into = {name: str(tmp_path / f"cut-{name}") for name in stored}
    cut({"stored": stored, "into": into, "time": "at", "since": "2026-01-02T00:00:00"})
    train, test = (read_value(Path(into[name])) for name in ("train", "test"))
    assert (len(train), len(test)) == (3 - tested, tested)


def test_a_column_without_times_is_refused(tmp_path: Path) -> None:
    """Words that are no times."""
    for name, rows in (("train", ["long ago"]), ("test", ["now"])):
        write_value(name, pl.DataFrame({"at": rows}), tmp_path / name)
    stored = {name: str(tmp_path / name) for name in ("train", "test")}
    with pytest.raises(InvalidInput, match="the column 'at' holds no times"):
        cut({"stored": stored, "into": stored, "time": "at", "since": "2026-01-02T00:00:00"})


def test_the_steps_of_a_file_are_read_without_running_it() -> None:
    """Functions with what they need; nothing of a command, of one whole function, or of a module with decorators."""
    sources = Sources(
        {"mean.py": PIPELINE.encode(), "ham.py": b"@tag(x=1)\ndef train(raw):\n    return raw\n"}
    )
    steps = {step.name: step.needs for step in steps_written(sources, "mean.py")}
    assert steps == {
        "rows": ("raw",),
        "train": ("rows",),
        "test": ("rows",),
        "model": ("train",),
        "metrics": ("model", "test"),
    }
    for other in ("Rscript train.R", "mean.py:main", "gone.py", "ham.py"):
        assert steps_written(sources, other) == []
