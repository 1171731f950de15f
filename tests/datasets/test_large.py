"""Tables that are not held whole: the same content as read whole, and rows that show what each column can hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.datasets import large
from lockgate.datasets.columns import infer_fields
from lockgate.datasets.content import digest_of_frame
from lockgate.datasets.dataset import load_dataset, read_table, store_dataset, store_parquet
from lockgate.datasets.large import is_large, rewritten, standing_for
from lockgate.errors import InvalidInput

ROWS = 300_000  # more than one piece


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Numbers, whole numbers, texts and flags, each with something that one row alone shows."""
    draw = np.random.default_rng(0)
    number, town = draw.normal(size=ROWS).round(3), draw.choice(["Bonn", "Ulm"], ROWS).astype(object)
    number[260_007], town[ROWS - 1], town[3] = np.nan, "Köln", None
    count = draw.integers(0, 50, ROWS)
    count[255_000] = 70_000
    return pl.DataFrame(
        {
            "id": np.arange(ROWS),
            "x": pl.Series(number).fill_nan(None),
            "n": count,
            "town": pl.Series(town.tolist(), dtype=pl.String),
            "flag": draw.random(ROWS) < 0.5,
        }
    )


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_file_in_pieces_is_the_file_read_whole(table, kind, tmp_path: Path):
    """The stored table of a rewritten file has the digest and the values of the same file read whole; its name is no pattern."""
    path = tmp_path / f"rows[1].{kind}"
    table.write_parquet(path) if kind == "parquet" else table.write_csv(path)
    whole, blobs = read_table(path), Blobs(str(tmp_path / "store"))
    kept = store_parquet(blobs, rewritten(path, path.name, tmp_path / "again.parquet"))
    assert kept.digest == digest_of_frame(whole)
    assert load_dataset(blobs, kept.digest).equals(whole)
    same = store_dataset(blobs, whole)
    assert (same.digest, same.rows, same.columns) == (kept.digest, kept.rows, kept.columns)


def test_a_part_of_the_rows_says_of_the_columns_what_all_say(table, tmp_path: Path):
    """A hundred rows and those that tell: the fields are those of the whole table, a lone missing value, a lone town, the largest
    number and all."""
    path = tmp_path / "rows.parquet"
    table.write_parquet(path)
    part = standing_for(path, 100, np.random.default_rng(1))
    assert part.height < 2_000
    assert infer_fields(part) == infer_fields(table)
    assert part["n"].max() == 70_000
    assert part["id"].is_sorted()
    assert part.join(table, on=table.columns, how="semi", nulls_equal=True).height == part.height
    assert standing_for(path, ROWS, np.random.default_rng(1)).equals(table)


def test_what_is_large(table, tmp_path: Path, monkeypatch):
    """By the bytes of a CSV, and by the cells of a Parquet file, which packs them well; other files are read whole."""
    path, text = tmp_path / "rows.parquet", tmp_path / "rows.csv"
    table.write_parquet(path)
    table.write_csv(text)
    assert not is_large(path, "rows.parquet")
    assert not is_large(text, "rows.csv")
    monkeypatch.setattr(large, "LARGE_CELLS", 5 * ROWS - 1)
    monkeypatch.setattr(large, "LARGE_BYTES", text.stat().st_size - 1)
    assert is_large(path, "rows.parquet")
    assert is_large(text, "rows.csv")
    assert not is_large(text, "rows.jsonl")
    assert not is_large(text, "rows.parquet")  # it is none: reading it says so


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"a;b\n1;2\n", "the separator seems to be ';'"),
        (b"a,b\n1,2\n1,2,3\n", "line 3: a row of another length"),
        (b"a,a\n1,2\n", "a column name stands more than once"),
        (b"a,b\n", "a header and no rows"),
        (b"a,b\n1,\xff\n", "not UTF-8"),
    ],
)
def test_what_is_refused_whole_is_refused_in_pieces(body, words, tmp_path: Path):
    """The same words for the same faults."""
    path = tmp_path / "rows.csv"
    path.write_bytes(body)
    for read in (read_table, lambda given: rewritten(given, given.name, tmp_path / "again.parquet")):
        with pytest.raises(InvalidInput, match=words):
            read(path)


def test_a_byte_order_mark_is_no_part_of_a_name(tmp_path: Path):
    """Spreadsheets write one before the header."""
    path = tmp_path / "rows.csv"
    path.write_bytes("\ufeffa,b\n1,2\n".encode())
    again = rewritten(path, path.name, tmp_path / "again.parquet")
    assert pl.read_parquet(again).equals(read_table(path))
