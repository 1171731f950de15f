"""Data versions: contracts, splits, differences, folders of images. Each with a fault and without."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.datasets.diff import diff_tables, rows_in
from lockgate.datasets.expectations import ColumnExpected, Expectations, broken_by, expectations_like
from lockgate.datasets.images import read_pictures, size_of, unreadable
from lockgate.datasets.profile import profile
from lockgate.datasets.split import Split, split_table
from lockgate.errors import InvalidInput


def people(rows: int = 400, seed: int = 0) -> pl.DataFrame:
    """Customers with several rows each, in the order of time."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 1, 1)
    return pl.DataFrame({
        "customer": [f"c{number}" for number in rng.integers(0, rows // 4, rows)],
        "at": [start + timedelta(hours=int(hour)) for hour in np.sort(rng.integers(0, 2_000, rows))],
        "income": rng.uniform(10, 100, rows), "plan": rng.choice(["basic", "plus"], rows),
    })  # fmt: skip


def test_a_contract_from_a_good_version_holds_the_next_good_one() -> None:
    """No alarm on another draw of the same kind: 20 of 20."""
    expects = expectations_like(profile(people().drop("at")))
    assert [broken_by(people(seed=seed).drop("at"), expects) for seed in range(1, 21)] == [()] * 20


@pytest.mark.parametrize(
    ("change", "column", "found"),
    [
        (pl.col("income") * 10, "income", "up to"),
        (
            pl.when(pl.col("income") > 50).then(None).otherwise(pl.col("income")).alias("income"),
            "income",
            "missing",
        ),
        (pl.col("income").cast(pl.String), "income", "text"),
        (pl.col("plan").replace("plus", "gold"), "plan", "unknown: gold"),
        (pl.lit(-1.0).alias("income"), "income", "down to -1"),
    ],
)
def test_a_broken_contract_names_column_and_repair(change: pl.Expr, column: str, found: str) -> None:
    """Range, missing values, type, categories: each with what was found and the step that repairs it."""
    expects = expectations_like(profile(people().drop("at")))
    broken = broken_by(people(seed=1).drop("at").with_columns(change), expects)
    assert broken[0].column == column
    assert found in broken[0].found
    assert broken[0].repair


def test_a_table_has_rows_and_columns_to_keep() -> None:
    """Too few rows, a missing column, a further one, repeated values."""
    expects = Expectations(
        columns={"customer": ColumnExpected(unique=True), "age": ColumnExpected()},
        rows_least=1_000,
        closed=True,
    )
    found = {one.column: one.found for one in broken_by(people(), expects)}
    assert found[""] == "400 rows"
    assert found["age"] == "no such column"
    assert "repeated" in found["customer"]
    assert found["income"] == "a further column"


def test_a_split_by_time_judges_on_the_latest_rows() -> None:
    """No moment is on two sides; a gap leaves out what was not known yet."""
    parts = split_table(people(), Split(test=0.25, validation=0.25, time="at"))
    assert parts["train"]["at"].max() < parts["validation"]["at"].min()
    assert parts["validation"]["at"].max() < parts["test"]["at"].min()
    assert sum(part.height for part in parts.values()) == 400
    day = timedelta(days=1)
    gapped = split_table(people(), Split(test=0.25, time="at", gap_s=86_400))
    assert gapped["test"]["at"].min() - gapped["train"]["at"].max() > day
    text = people().with_columns(pl.col("at").dt.to_string("iso"))
    assert (
        split_table(text, Split(test=0.25, time="at"))["test"].height
        == 400 - split_table(text, Split(test=0.25, time="at"))["train"].height
    )


def test_a_split_by_group_keeps_everybody_where_they_were() -> None:
    """A subject is on one side, also in a longer version of the table; together with time nobody is on two sides."""
    first = split_table(people(), Split(group="customer"))
    sides = {name: set(part["customer"]) for name, part in first.items()}
    assert not sides["train"] & sides["test"]
    assert 0.1 < first["test"].height / 400 < 0.3
    later = split_table(pl.concat([people(), people(seed=1)]), Split(group="customer"))
    assert sides["test"] <= set(later["test"]["customer"])
    both = split_table(people(), Split(group="customer", time="at"))
    assert not set(both["train"]["customer"]) & set(both["test"]["customer"])


def test_equal_rows_are_on_one_side() -> None:
    """A table whose rows stand twice leaks none of them."""
    twice = pl.concat([people(), people()])
    parts = split_table(twice, Split(seed=3))
    assert rows_in(parts["test"], parts["train"]) == 0


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (Split(test=0.6, validation=0.5), "nothing would be left"),
        (Split(time="when"), "no column 'when'"),
        (Split(time="plan"), "holds text that is no time"),
        (Split(time="at", gap_s=1e9), "'train' would have no rows"),
    ],
)
def test_splits_that_cannot_be_are_refused(how: Split, words: str) -> None:
    """Shares, columns, times, and gaps that leave nothing."""
    with pytest.raises(InvalidInput, match=words):
        split_table(people(), how)


def test_a_difference_says_what_moved_and_which_rows_came() -> None:
    """Columns by change and distance; rows by key; a table against itself differs in nothing."""
    before = people().with_row_index("id").drop("at")
    after = (
        before.slice(20)
        .with_columns(pl.col("income") + 30, plan=pl.lit("gold"))
        .rename({"customer": "client"})
    )
    found = diff_tables(before, after, ("p@1", "p@2"), key="id")
    changes = {column.name: column for column in found.columns}
    assert (found.shared, found.gone, found.come, found.changed) == (380, 20, 0, 380)
    assert {name: changes[name].change for name in ("customer", "client", "income", "plan")} == {
        "customer": "removed", "client": "added", "income": "moved", "plan": "moved"
    }  # fmt: skip
    assert changes["income"].distance is not None
    assert 0.2 < changes["income"].distance < 0.5
    assert (changes["plan"].distance, changes["plan"].strange) == (1.0, ("gold",))
    same = diff_tables(before, before, ("p@1", "p@1"))
    assert {column.change for column in same.columns} == {"same"}
    assert (same.shared, same.gone, same.come) == (400, 0, 0)
    with pytest.raises(InvalidInput, match="'nr' is not a column of both"):
        diff_tables(before, after, ("p@1", "p@2"), key="nr")


def png(width: int, height: int) -> bytes:
    """A whole grey PNG."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\0" + bytes(width) for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_a_folder_of_images_is_a_table(tmp_path: Path) -> None:
    """A row for each file: its folder is its label; what is no image or cut off is named with what takes it out."""
    for name, size in (("cats/a.png", (3, 2)), ("dogs/b.png", (5, 4)), ("top.png", (1, 1))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(*size))
    found = read_pictures(tmp_path)
    assert found.torn == {}
    assert found.frame.select("path", "label", "width", "height").rows() == [
        ("cats/a.png", "cats", 3, 2), ("dogs/b.png", "dogs", 5, 4), ("top.png", None, 1, 1)
    ]  # fmt: skip
    (tmp_path / "cats/a.png").write_bytes(b"no image")
    (tmp_path / "top.png").write_bytes(png(9, 9)[:-20])
    spoilt = read_pictures(tmp_path)
    assert spoilt.torn == {"cats/a.png": "it is no image", "top.png": "it is cut off"}
    assert spoilt.frame["width"].to_list() == [None, 5, 9]
    (broken,) = unreadable(spoilt.torn)
    assert "2 images cannot be read: cats/a.png: it is no image" in broken.found
    exec(broken.repair, {"folder": tmp_path})
    assert unreadable(read_pictures(tmp_path).torn) == ()
    (tmp_path / "dogs/b.png").write_bytes(b"no image")
    with pytest.raises(InvalidInput, match=r"no image in .* can be read.*dogs/b.png: it is no image"):
        read_pictures(tmp_path)
    with pytest.raises(InvalidInput, match="holds no image"):
        read_pictures(_empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "empty").mkdir()
    return folder / "empty"


def test_sizes_are_read_from_heads() -> None:
    """GIF, BMP, JPEG with a comment before its frame; what is cut off is none."""
    assert size_of(b"GIF89a" + struct.pack("<HH", 7, 9)) == (7, 9)
    assert size_of(b"BM" + bytes(16) + struct.pack("<ii", 7, -9)) == (7, 9)
    jpeg = b"\xff\xd8\xff\xfe\x00\x04hi\xff\xc0\x00\x11\x08" + struct.pack(">HH", 9, 7) + bytes(8)
    assert size_of(jpeg) == (7, 9)
    assert size_of(jpeg[:8]) is None
    assert size_of(b"") is None
