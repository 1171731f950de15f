"""Records as columns: as the slow way reads them, whatever their layout."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lockgate.monitor.rows import Rows, rows_of
from lockgate.predictions.expand import expand
from lockgate.predictions.flat import flat
from lockgate.predictions.record import Columns, Offset, Record, blocks_of


def _record(number: int, inputs: Columns, outputs: Columns, version: int = 1) -> Record:
    rows = len(next(iter(inputs.values()))) if inputs else 0
    return Record(
        id=f"{number:06d}", at_us=1_000 * number, model="churn", version=version, rows=rows,
        inputs=blocks_of(inputs), outputs=blocks_of(outputs),
    )  # fmt: skip


def _flat(records: list[Record]) -> pl.DataFrame:
    return flat((record, Offset("w/1-a", place)) for place, record in enumerate(records, 1))


def _table(parts: list[Rows], names: list[str]) -> list[tuple[object, ...]]:
    """Every row as (version, time, values by name), in an order of its own."""
    found = []
    for part in parts:
        columns = part.inputs | part.outputs
        for place in range(part.at_us.size):
            values = [columns[name][place] if name in columns else None for name in names]
            found.append((part.version, int(part.at_us[place]), *map(_plain, values)))
    return sorted(found, key=repr)


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return tuple(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    return "nan" if isinstance(value, float) and np.isnan(value) else value


def _expanded(records: list[Record], names: list[str]) -> list[tuple[object, ...]]:
    rows = expand(_flat(records))
    found = []
    for row in rows.iter_rows(named=True):
        if row["row"] is None:
            continue
        values = [row.get(f"in.{name}", row.get(f"out.{name}")) for name in names]
        found.append(
            (row["version"], row["at_us"], *(_plain(tuple(v) if isinstance(v, list) else v) for v in values))
        )
    return sorted(found, key=repr)


def _numbers(draw: np.random.Generator, number: int, rows: int) -> Record:
    values = {f"x{place}": draw.normal(size=rows) for place in range(5)}
    values["n"] = draw.integers(0, 9, rows)  # type: ignore[assignment]
    values["ok"] = draw.random(rows) < 0.5  # type: ignore[assignment]
    score = draw.random(rows).astype(np.float32)
    return _record(number, values, {"y": np.array(score > 0.5), "p": np.column_stack([1 - score, score])})


def test_numbers_are_read_as_one_by_one() -> None:
    """Floats, integers, truth values and probabilities of two classes, one row and several in a record."""
    draw = np.random.default_rng(0)
    records = [_numbers(draw, number, 1 + 2 * (number % 3 == 0)) for number in range(60)]
    names = [*(f"x{place}" for place in range(5)), "n", "ok", "y", "p"]
    assert _table(list(rows_of(_flat(records))), names) == _expanded(records, names)


def test_text_versions_and_layouts_are_read_side_by_side() -> None:
    """Text with missing values; a version with other columns; the same column as another type in between."""
    draw = np.random.default_rng(1)
    records = []
    for number in range(40):
        age = draw.normal(size=2)
        plan = np.array(["basic", None if number % 7 else "pro"], dtype=object)
        inputs: Columns = {"age": age if number % 5 else age.astype(np.int64), "plan": plan}
        if number % 4 == 0:
            inputs = {"other": draw.normal(size=2)}
        records.append(_record(number, inputs, {"p": draw.random(2)}, version=1 + (number % 4 == 0)))
    names = ["age", "plan", "other", "p"]
    assert _table(list(rows_of(_flat(records))), names) == _expanded(records, names)


def test_names_of_the_same_length_are_not_taken_for_each_other() -> None:
    """Cells of one length whose fixed bytes differ are other columns, or the same in another order."""
    records = [
        _record(
            n, {"ab" if n % 3 else "ba": np.array([float(n)]), "c": np.array([1.0])}, {"p": np.array([0.5])}
        )
        for n in range(30)
    ]
    found = _table(list(rows_of(_flat(records))), ["ab", "ba"])
    assert found == _expanded(records, ["ab", "ba"])


def test_an_answer_of_another_height_is_left_out_and_its_question_counts() -> None:
    """Three rows asked, two answered."""
    records = [_record(n, {"x": np.arange(3.0)}, {"p": np.arange(2.0)}) for n in range(5)]
    parts = list(rows_of(_flat(records)))
    assert sum(part.at_us.size for part in parts) == 15
    assert all(part.outputs == {} for part in parts)


@pytest.mark.parametrize("records", [[], [_record(1, {}, {"p": np.array([1.0])})]])
def test_without_rows_there_is_nothing(records: list[Record]) -> None:
    """No record, or one whose inputs nobody can read any more."""
    assert list(rows_of(_flat(records))) == []
