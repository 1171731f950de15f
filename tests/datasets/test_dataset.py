"""Reading tables and keeping them by content."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.blobs import Blobs
from lockgate.datasets import pieces
from lockgate.datasets.content import digest_of_frame, digest_of_parquet
from lockgate.datasets.dataset import load_dataset, load_rows, read_table, store_dataset
from lockgate.errors import InvalidInput, NotFound, SealBroken

FRAME = pl.DataFrame(
    {
        "age": [31, None, 44],
        "city": ["Graz", "", None],
        "score": [0.5, float("nan"), -0.0],
        "ok": [True, False, None],
        "at": [dt.datetime(2024, 1, 1), None, dt.datetime(2024, 1, 2)],
    }
)


def parquet(frame: pl.DataFrame) -> bytes:
    """A frame as a Parquet body."""
    body = io.BytesIO()
    frame.write_parquet(body)
    return body.getvalue()


def test_every_format_gives_the_same_table():
    """CSV, TSV, JSON lines, JSON and Parquet of one table read as equal frames with equal digests."""
    rows = [{"n": 1, "word": "a"}, {"n": 2, "word": None}]
    bodies = {
        "t.csv": b"n,word\n1,a\n2,\n",
        "t.tsv": b"n\tword\n1\ta\n2\t\n",
        "t.jsonl": "\n".join(json.dumps(row) for row in rows).encode(),
        "t.json": json.dumps(rows).encode(),
        "t.parquet": parquet(pl.DataFrame(rows)),
    }
    digests = {digest_of_frame(read_table(body, name)) for name, body in bodies.items()}
    assert len(digests) == 1


def test_times_of_a_csv_are_texts_and_another_content():
    """A CSV has no types for times and dates: nothing is guessed, so it is not what a Parquet file with times holds."""
    frame = pl.DataFrame({"n": [1, 2], "at": [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 2)]})
    text = read_table(frame.write_csv().encode(), "t.csv")
    assert text.schema == {"n": pl.Int64, "at": pl.String}
    assert digest_of_frame(text) != digest_of_frame(read_table(parquet(frame), "t.parquet"))


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("t.csv", b"", "the file is empty"),
        ("t.csv", b"  \n ", "the file is empty"),
        ("t.csv", b"a,b\n", "a header and no rows"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "line 3"),
        ("t.csv", b"a,b\n1\n", "line 2"),
        ("t.csv", b"a,a\n1,2\n", "stands more than once"),
        ("t.csv", b",a\n0,2\n", "has no name"),
        ("t.csv", b"a\n\xff\xfe\n", "not UTF-8"),
        ("t.jsonl", b'{"a": 1}\n{"a": \n', "line 2"),
        ("t.jsonl", b'{"a": 1, "a": 2}\n', "stands more than once"),
        ("t.jsonl", b'{"a": 1}\n[2]\n', "row 2"),
        ("t.json", b'{"a": 1}', "a list of objects"),
        ("t.json", b"[]", "no columns"),
        ("t.parquet", b"PAR1 cut off", "not a whole Parquet file"),
        ("t.parquet", b"PAR1" + b"0" * 30 + b"PAR1", "cannot be read as parquet"),
        ("t.xlsx", b"x", "does not know this kind"),
        ("table", b"x", "does not know this kind"),
    ],
)
def test_bad_files_are_refused_with_place_and_reason(name, body, says):
    """Each broken file is InvalidInput that names the file and what is wrong."""
    with pytest.raises(InvalidInput, match=says) as caught:
        read_table(body, name)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "body", "sign"),
    [
        ("t.csv", b"age;income\n41;1,5\n", "';'"),
        ("t.csv", b"age;income\r\n41;2.5\r\n", "';'"),
        ("t.csv", b"age\tincome\n41\t1.5\n", "a tab"),
        ("t.csv", b"age|income\n41|1.5\n", "'|'"),
        ("t.tsv", b"age,income\n41,1.5\n", "','"),
    ],
)
def test_another_separator_is_named_with_how_to_convert(name, body, sign):
    """A table of one wide column is no table: the sign that parts it is named, and the call that converts it."""
    with pytest.raises(InvalidInput, match="the separator seems to be") as refused:
        read_table(body, name)
    assert sign in refused.value.what
    assert "pandas.read_csv(FILE, sep=" in refused.value.fix


def test_one_column_may_have_any_name():
    """A name with a semicolon in it is no separator when the rows have none; quoted text may hold it."""
    assert read_table(b"age;years\n41\n", "t.csv").columns == ["age;years"]
    assert read_table(b'age,note\n41,"a;b"\n', "t.csv")["note"].to_list() == ["a;b"]


def test_a_path_that_is_not_there():
    """A missing file is NotFound, not a traceback."""
    with pytest.raises(NotFound, match="no file"):
        read_table(Path("nowhere.csv"))


def test_long_quoted_fields_and_a_byte_order_mark_are_read(tmp_path):
    """Quotes around separators and line ends hold, and Excel's byte order mark is no part of the first name."""
    path = tmp_path / "t.csv"
    path.write_bytes('\ufeffa,b\n"x, y\nz",1\n'.encode())
    frame = read_table(path)
    assert frame.to_dicts() == [{"a": "x, y\nz", "b": 1}]


def test_store_and_load_give_the_table_back(tmp_path):
    """What was stored comes back equal, under a name made of its content, and storing again changes nothing."""
    blobs = Blobs(str(tmp_path))
    stored = store_dataset(blobs, FRAME)
    assert stored.rows == 3
    assert stored.columns[0] == ("age", "Int64")
    assert load_dataset(blobs, stored.digest).equals(FRAME, null_equal=True)
    assert store_dataset(blobs, FRAME).digest == stored.digest


def test_a_changed_file_is_noticed(tmp_path):
    """A stored table whose values were exchanged is refused, by name."""
    blobs = Blobs(str(tmp_path))
    stored = store_dataset(blobs, FRAME)
    other = FRAME.with_columns(pl.col("age").fill_null(7))
    (tmp_path / stored.blob).write_bytes(parquet(other))
    with pytest.raises(SealBroken, match=stored.digest):
        load_dataset(blobs, stored.digest)


@pytest.mark.parametrize("digest", ["", "sha256:../../etc/passwd", "md5:" + "0" * 64, "sha256:" + "G" * 64])
def test_a_digest_that_is_none_is_refused(tmp_path, digest):
    """A digest never becomes a path outside the store."""
    with pytest.raises(InvalidInput, match="not the digest"):
        load_dataset(Blobs(str(tmp_path)), digest)


def test_the_digest_is_known():
    """The canonical form is fixed: another digest here means that every stored data set would lose its name."""
    frame = pl.DataFrame({"n": [1, None], "word": ["a", "bc"], "x": [0.5, 2.0]})
    assert digest_of_frame(frame) == "sha256:e30f908d84ad807b668f33755f99abae55a9af425ff80f39b1cec478cb23373a"


def test_the_digest_does_not_depend_on_chunks_or_categories():
    """One table in two chunks, or with categories for text, is the same table."""
    parts = pl.concat([FRAME[:1], FRAME[1:]], rechunk=False)
    assert parts.n_chunks() == 2
    assert digest_of_frame(parts) == digest_of_frame(FRAME)
    assert digest_of_frame(FRAME.with_columns(pl.col("city").cast(pl.Categorical))) == digest_of_frame(FRAME)


def test_the_digest_depends_on_everything_else():
    """Order of rows, names, types, missing against empty and every value change the digest."""
    changed = [
        FRAME.reverse(),
        FRAME.rename({"age": "years"}),
        FRAME.with_columns(pl.col("age").cast(pl.Int32)),
        FRAME.with_columns(pl.col("city").fill_null("")),
        FRAME.with_columns(pl.col("age").fill_null(0)),
        FRAME.with_columns(pl.col("ok").fill_null(False)),
        FRAME.select(reversed(FRAME.columns)),
        FRAME[:2],
    ]
    digests = {digest_of_frame(frame) for frame in [FRAME, *changed]}
    assert len(digests) == len(changed) + 1


def test_nested_and_binary_columns_have_digests_too():
    """Lists, structs, bytes and dates count with their values."""
    frame = pl.DataFrame(
        {"v": [[1, 2], None], "s": [{"a": 1}, {"a": 2}], "b": [b"x", None], "d": [dt.date(2024, 1, 1)] * 2}
    )
    other = frame.with_columns(v=pl.Series([[1, 2], [3]]))
    assert digest_of_frame(frame) != digest_of_frame(other)
    assert digest_of_frame(frame) == digest_of_frame(frame.clone())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=5)), st.one_of(st.none(), st.floats(allow_nan=False))
        ),
        min_size=1,
        max_size=8,
    )
)
def test_digest_survives_parquet(rows):
    """Any table of text and numbers has the same digest after a trip through Parquet."""
    frame = pl.DataFrame(
        {
            "t": pl.Series([r[0] for r in rows], dtype=pl.String),
            "x": pl.Series([r[1] for r in rows], dtype=pl.Float64),
        }
    )
    assert digest_of_frame(read_table(parquet(frame), "t.parquet")) == digest_of_frame(frame)


def test_two_texts_cannot_be_cut_otherwise():
    """Lengths are part of the digest, so ('ab', 'c') is not ('a', 'bc')."""
    left, right = pl.DataFrame({"t": ["ab", "c"]}), pl.DataFrame({"t": ["a", "bc"]})
    assert digest_of_frame(left) != digest_of_frame(right)


def test_all_kinds_of_nan_are_one():
    """NaN counts as NaN, whatever its bits."""
    odd = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)
    assert digest_of_frame(pl.DataFrame({"x": odd})) == digest_of_frame(pl.DataFrame({"x": [float("nan")]}))


def test_a_file_in_pieces_has_the_digest_of_its_table(tmp_path, monkeypatch):
    """Every type, missing values among them: read eight rows at a time, a file is named as its whole table is."""
    rows = 53
    every = pl.concat([FRAME] * 18)[:rows].with_columns(
        nothing=pl.Series([None] * rows, dtype=pl.Null),
        kind=pl.Series([["a", "bb", None][place % 3] for place in range(rows)], dtype=pl.Categorical),
        list=pl.Series([[1.5] * (place % 3) if place % 5 else None for place in range(rows)]),
        day=pl.Series([dt.date(2024, 1, 1) + dt.timedelta(place) for place in range(rows)]),
        raw=pl.Series([bytes([place]) if place % 4 else None for place in range(rows)], dtype=pl.Binary),
        money=pl.Series([f"{place}.25" for place in range(rows)]).cast(pl.Decimal(10, 2)),
        small=pl.Series(range(rows), dtype=pl.Int8),
    )
    every.write_parquet(tmp_path / "rows.parquet", row_group_size=11)
    monkeypatch.setattr(pieces, "ROWS_AT_ONCE", 8)
    assert digest_of_parquet(tmp_path / "rows.parquet") == digest_of_frame(every)


@pytest.mark.parametrize("url", ["{folder}", "memory://rows"])
def test_a_large_table_is_drawn_from_and_still_held_against_its_name(tmp_path, monkeypatch, url):
    """Some rows in their order, the same for the same chance; all of a small table; another table under the name is refused."""
    monkeypatch.setattr(pieces, "ROWS_AT_ONCE", 64)
    blobs = Blobs(url.format(folder=tmp_path))
    frame = pl.DataFrame({"n": range(1_000), "word": [str(place) for place in range(1_000)]})
    stored = store_dataset(blobs, frame)
    drawn, rows = load_rows(blobs, stored.digest, 100, np.random.default_rng(1))
    again, _ = load_rows(blobs, stored.digest, 100, np.random.default_rng(1))
    assert rows == 1_000
    assert drawn.equals(again)
    assert drawn.equals(frame[drawn["n"].to_numpy()])
    assert drawn["n"].n_unique() == 100
    assert drawn["n"].is_sorted()
    assert load_rows(blobs, stored.digest, 1_000, np.random.default_rng(1))[0].equals(frame)
    if blobs.local:
        (tmp_path / stored.blob).write_bytes(parquet(frame.with_columns(pl.col("n") + 1)))
        with pytest.raises(SealBroken, match=stored.digest):
            load_rows(blobs, stored.digest, 100, np.random.default_rng(1))
