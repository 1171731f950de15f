"""Tables as a model's inputs."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from lockgate.datasets.columns import columns_from, infer_fields, numeric_columns
from lockgate.errors import InvalidInput
from lockgate.registry.signature import DataType, Field, Signature


def signature(*fields: Field) -> Signature:
    """A signature of these inputs."""
    return Signature(inputs=fields, outputs=())


def test_each_column_gets_its_fields_type():
    """Numbers, text, truth values and missing values arrive typed as the signature says."""
    frame = pl.DataFrame(
        {"a": [1, 2], "x": [0.5, None], "t": ["u", None], "n": [3, None], "ok": [1, 0], "more": [0, 0]}
    )
    got = columns_from(
        frame,
        signature(
            Field(name="a", datatype=DataType.INT32),
            Field(name="x", datatype=DataType.FP32, nullable=True),
            Field(name="t", datatype=DataType.BYTES),
            Field(name="n", datatype=DataType.FP64),
            Field(name="ok", datatype=DataType.BOOL),
        ),
    )
    assert list(got) == ["a", "x", "t", "n", "ok"]
    assert got["a"].dtype == np.int32
    assert got["x"].dtype == np.float32
    assert np.isnan(got["x"][1])
    assert got["t"].tolist() == ["u", None]
    assert np.isnan(got["n"][1])
    assert got["ok"].tolist() == [True, False]


def test_a_lone_vector_takes_the_numeric_columns_in_order():
    """A model with one tensor input of k numbers takes the k numeric columns, target and text left aside."""
    frame = pl.DataFrame({"b": [1.0, 2.0], "name": ["x", "y"], "a": [3, 4], "target": [0, 1]})
    got = columns_from(
        frame, signature(Field(name="X", datatype=DataType.FP32, shape=(2,))), leave_out=["target"]
    )
    assert got["X"].tolist() == [[1.0, 3.0], [2.0, 4.0]]
    assert got["X"].dtype == np.float32


def test_a_lone_vector_of_another_length_is_refused():
    """The error names the numeric columns that were found."""
    frame = pl.DataFrame({"a": [1.0], "b": [2.0]})
    with pytest.raises(InvalidInput, match="2 numeric columns: a, b"):
        columns_from(frame, signature(Field(name="X", datatype=DataType.FP32, shape=(3,))))


def test_a_list_column_is_a_vector():
    """A column of lists fits a field with a shape; ragged lists do not."""
    field = Field(name="v", datatype=DataType.FP64, shape=(2,))
    assert columns_from(pl.DataFrame({"v": [[1.0, 2.0], [3.0, 4.0]]}), signature(field))["v"].shape == (2, 2)
    with pytest.raises(InvalidInput, match="lists of shape"):
        columns_from(pl.DataFrame({"v": [[1.0], [3.0, 4.0]]}), signature(field))
    with pytest.raises(InvalidInput, match="lists of shape"):
        columns_from(pl.DataFrame({"v": [[1.0, 2.0, 3.0]]}), signature(field))


@pytest.mark.parametrize(
    ("values", "kind", "says"),
    [
        ([1, None], DataType.INT64, "misses values"),
        ([1.5], DataType.INT64, "cannot hold"),
        ([300], DataType.UINT8, "cannot hold"),
        (["12", "n/a"], DataType.FP64, "'n/a' in row 2"),
    ],
)
def test_a_value_that_does_not_fit_is_named(values, kind, says):
    """The error names the column, the value and its row."""
    with pytest.raises(InvalidInput, match=says) as caught:
        columns_from(pl.DataFrame({"c": values}), signature(Field(name="c", datatype=kind)))
    assert "'c'" in str(caught.value)


def test_text_that_holds_numbers_is_read_as_numbers():
    """A numeric field accepts text that is a number, as CSV and JSON give it."""
    got = columns_from(pl.DataFrame({"c": ["1", "2.5"]}), signature(Field(name="c", datatype=DataType.FP64)))
    assert got["c"].tolist() == [1.0, 2.5]


def test_big_whole_numbers_keep_every_digit():
    """Whole numbers above 2^53 do not pass through a float."""
    big = 2**53 + 1
    got = columns_from(pl.DataFrame({"c": [big]}), signature(Field(name="c", datatype=DataType.INT64)))
    assert got["c"][0] == big


def test_absent_columns_are_named_and_optional_ones_left_out():
    """Only a required column must be there."""
    must, may = (
        Field(name="a", datatype=DataType.FP64),
        Field(name="b", datatype=DataType.FP64, required=False),
    )
    with pytest.raises(InvalidInput, match="add a"):
        columns_from(pl.DataFrame({"z": [1]}), signature(must, may))
    assert list(columns_from(pl.DataFrame({"a": [1]}), signature(must, may))) == ["a"]


def test_fields_are_found_in_a_table():
    """Types, missing values and categories are read off the columns; what is read can be given back."""
    frame = pl.DataFrame(
        {
            "i": [1, 2],
            "gap": [1, None],
            "x": [0.5, float("nan")],
            "t": ["b", "a"],
            "ok": [True, False],
            "v": [[1, 2], [3, 4]],
            "at": [dt.datetime(2024, 1, 1)] * 2,
        }
    )
    fields = {field.name: field for field in infer_fields(frame)}
    assert fields["i"].datatype is DataType.INT64
    assert (fields["gap"].datatype, fields["gap"].nullable) == (DataType.FP64, True)
    assert fields["x"].nullable
    assert fields["t"].categories == ("a", "b")
    assert fields["ok"].datatype is DataType.BOOL
    assert fields["v"].shape == (2,)
    assert fields["at"].datatype is DataType.BYTES
    assert columns_from(frame, signature(*fields.values()))["at"][0].startswith("2024-01-01")


def test_fields_of_named_columns_only():
    """Names choose and order the fields; an unknown name is refused."""
    frame = pl.DataFrame({"a": [1], "b": [2]})
    assert [field.name for field in infer_fields(frame, ["b"])] == ["b"]
    with pytest.raises(InvalidInput, match="lacks"):
        infer_fields(frame, ["c"])


def test_free_text_has_no_categories():
    """A column with more values than the limit is text, not a category."""
    frame = pl.DataFrame({"t": [f"word {n}" for n in range(1_001)]})
    assert infer_fields(frame)[0].categories is None


def test_numeric_columns_in_order():
    """Numbers and truth values, without those left out."""
    frame = pl.DataFrame({"a": [1], "t": ["x"], "b": [True], "y": [0.5]})
    assert numeric_columns(frame, ["y"]) == ["a", "b"]
