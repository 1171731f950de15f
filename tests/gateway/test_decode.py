"""From what callers send to typed rows: every form gives the same rows, every mistake is named by its field."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lockgate.errors import InvalidInput
from lockgate.gateway.cells import sound
from lockgate.gateway.decode import Decoder, key_cells
from lockgate.gateway.sent import Sent
from lockgate.predictions.record import columns_of
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

OUT = (Field(name="prediction", datatype=DataType.INT64),)
NUMBERS = Signature(
    inputs=(
        Field(name="a", datatype=DataType.FP32),
        Field(name="b", datatype=DataType.FP32, nullable=True),
        Field(name="c", datatype=DataType.FP32),
    ),
    outputs=OUT,
)
MIXED = Signature(
    inputs=(
        Field(name="plan", datatype=DataType.BYTES, nullable=True),
        Field(name="age", datatype=DataType.INT64),
        Field(name="income", datatype=DataType.FP64, nullable=True, required=False),
        Field(name="member", datatype=DataType.BOOL),
    ),
    outputs=OUT,
)
ROW = {"plan": ["basic"], "age": [31], "income": [12.5], "member": [True]}


def decoded(signature: Signature, sent: Sent, key_field: str | None = None) -> dict[str, Any]:
    """The rows as lists by name."""
    decoder = Decoder(signature)
    rows = decoder.decode(sent, key_field)
    return {name: array.tolist() for name, array in decoder.layout.columns(rows).items()}


@pytest.mark.parametrize(
    "sent",
    [
        Sent(columns={"a": [1, 4], "b": [2.0, None], "c": [3.0, 6.0]}),
        Sent(columns={"a": np.array([1.0, 4.0]), "b": np.array([[2.0], [np.nan]]), "c": [3, 6]}),
        Sent(columns={"predict": np.array([[1.0, 2, 3], [4, np.nan, 6]])}),
        Sent(table=[[1, 2, 3], [4, None, 6]]),
        Sent(table=[[3, 1, 2], [6, 4, None]], names=["c", "a", "b"]),
        Sent(table=[["x", 3, 1, 2], ["y", 6, 4, None]], names=["more", "c", "a", "b"]),
        Sent(columns={"a": ["1", "4"], "b": ["2", ""], "c": ["3", "6"], "more": ["x", "y"]}, untyped=True),
    ],
    ids=["columns", "arrays", "tensor", "rows", "named rows", "superset", "csv"],
)
def test_every_form_gives_the_same_rows(sent: Sent) -> None:
    """Columns, tables, tensors and CSV mean the same."""
    found = decoded(NUMBERS, sent)
    assert found["a"] == [1.0, 4.0]
    assert found["c"] == [3.0, 6.0]
    assert found["b"][0] == 2.0
    assert np.isnan(found["b"][1])


def test_types_are_mixed_and_an_optional_input_may_be_absent() -> None:
    """Texts, integers, truth values and a missing optional number lie side by side."""
    columns = {name: cells for name, cells in ROW.items() if name != "income"}
    found = decoded(MIXED, Sent(columns=columns))
    assert found["plan"] == ["basic"]
    assert found["age"] == [31]
    assert found["member"] == [True]
    assert np.isnan(found["income"][0])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"age": ["31"]}, "'age' must be a number"),
        ({"age": [31.5]}, "'age' must be whole numbers"),
        ({"age": [2**70]}, "'age'"),
        ({"age": [None]}, "'age' holds a missing value"),
        ({"age": [True]}, "'age' must be a number"),
        ({"age": [1, 2]}, "another number of rows"),
        ({"age": [[1, 2]]}, "'age' has another shape"),
        ({"age": [[1], [2, 3]]}, "'age' is not a list of rows"),
        ({"age": {"x": 1}}, "'age'"),
        ({"age": 31}, "'age' has another shape"),
        ({"plan": [7]}, "'plan' must be text"),
        ({"income": [float("inf")]}, "'income' holds an infinite"),
        ({"member": [1]}, "'member' must be true or false"),
        ({"member": ["yes"]}, "'member' must be true or false"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(change: dict[str, Any], named: str) -> None:
    """ErrInvalidInput names the field and no other."""
    with pytest.raises(InvalidInput, match=named) as caught:
        decoded(MIXED, Sent(columns={**ROW, **change}))
    others = {"plan", "age", "income", "member"} - set(change)
    assert not any(f"'{other}'" in caught.value.sentence() for other in others - {"income", "member"})


@pytest.mark.parametrize("missing", ["plan", "age", "member"])
def test_a_missing_field_is_named(missing: str) -> None:
    """ErrInvalidInput says what to send."""
    with pytest.raises(InvalidInput, match=f"'{missing}' is missing"):
        decoded(MIXED, Sent(columns={name: cells for name, cells in ROW.items() if name != missing}))


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ([[1.0, 2.0, None]], "'c' holds a missing value"),
        ([[1.0, 2.0, 1e39]], "'c' holds an infinite"),
        ([[1.0, "x", 3.0]], "must be a number"),
        ([[1.0, 2.0]], "equal length"),
        ([[1.0, 2.0, 3.0], [1.0]], "equal length"),
        ([1.0, 2.0, 3.0], "equal length"),
        ([], "equal length"),
    ],
)
def test_a_wrong_cell_of_a_table_is_refused_by_its_column(table: Any, named: str) -> None:
    """ErrInvalidInput points to the column of the first bad cell."""
    with pytest.raises(InvalidInput, match=named):
        decoded(NUMBERS, Sent(table=table))


def test_no_rows_are_refused() -> None:
    """ErrInvalidInput: at least one row."""
    with pytest.raises(InvalidInput, match="no rows"):
        decoded(NUMBERS, Sent(columns={"a": [], "b": [], "c": []}))


def test_vectors_keep_their_shape_and_a_lone_tensor_may_have_any_name() -> None:
    """An ONNX model with one `[n, 3]` input takes it under its own or another name."""
    signature = Signature(inputs=(Field(name="x", datatype=DataType.FP32, shape=(3,)),), outputs=OUT)
    for name in ("x", "input-0"):
        assert decoded(signature, Sent(columns={name: [[1, 2, 3], [4, 5, 6]]})) == {
            "x": [[1, 2, 3], [4, 5, 6]]
        }


@pytest.mark.parametrize(
    "sent",
    [
        Sent(table=[[1, 2], [3, 4]]),
        Sent(table=[[1, 2], [3, 4]], names=["c0", "c1"]),
        Sent(table=[[[1, 2]], [[3, 4]]], names=["X"]),
        Sent(columns={"c0": [1, 3], "c1": [2, 4]}),
        Sent(columns={"c0": ["1", "3"], "c1": ["2", "4"]}, untyped=True),
        Sent(columns={"X": [[1, 2], [3, 4]]}),
        Sent(columns={"X": np.array([[1, 2], [3, 4]])}),
    ],
    ids=["rows", "named rows", "wrapped rows", "columns", "csv", "by name", "tensor"],
)
@pytest.mark.parametrize("width", [2, -1])
def test_a_plain_table_is_the_matrix_of_a_model_that_takes_one(sent: Sent, width: int) -> None:
    """An ONNX model with the one input X [rows, 2] takes rows of two cells and frames of two columns."""
    signature = Signature(inputs=(Field(name="X", datatype=DataType.FP32, shape=(width,)),), outputs=OUT)
    assert decoded(signature, sent) == {"X": [[1.0, 2.0], [3.0, 4.0]]}


@pytest.mark.parametrize(
    "sent",
    [
        Sent(table=[[1, 2, 3]]),
        Sent(table=[[1, 2], [3]]),
        Sent(table=[[1, "x"]]),
        Sent(table=[[1, 2, 3]], names=["a", "b", "c"]),
        Sent(columns={"a": [1], "b": [2], "c": [3]}),
        Sent(columns={"a": ["1"], "b": ["x"]}, untyped=True),
    ],
    ids=["wide", "ragged", "text", "named wide", "three columns", "csv text"],
)
def test_a_table_that_is_not_the_matrix_is_refused_by_its_name(sent: Sent) -> None:
    """Another number of columns, rows of unequal length and text name the input."""
    signature = Signature(inputs=(Field(name="X", datatype=DataType.FP32, shape=(2,)),), outputs=OUT)
    with pytest.raises(InvalidInput, match="X"):
        decoded(signature, sent)


def test_the_key_column_is_recorded_although_the_model_does_not_use_it() -> None:
    """Labels are joined by it later, row by row."""
    sent = Sent(columns={"a": [1, 2], "b": [1, 2], "c": [1, 2], "customer": [17.0, "C-9"]})
    decoder = Decoder(NUMBERS)
    rows = decoder.decode(sent, "customer")
    recorded = columns_of(decoder.layout.blocks(rows))
    assert recorded["customer"].tolist() == ["17", "C-9"]
    assert recorded["c"].tolist() == [1.0, 2.0]
    assert key_cells(Sent(table=[[1, "K"]], names=["a", "customer"]), "customer") == ["K"]


def test_requests_are_joined_and_recorded_with_the_same_values() -> None:
    """A batch holds the rows of its requests in order."""
    decoder = Decoder(MIXED)
    one = decoder.decode(Sent(columns=ROW))
    two = decoder.decode(Sent(columns={**ROW, "age": [7], "plan": [None]}))
    joined = decoder.layout.join([one, two])
    assert joined.n == 2
    assert decoder.layout.columns(joined)["age"].tolist() == [31, 7]
    back = columns_of(decoder.layout.blocks(joined))
    assert back["plan"].tolist() == ["basic", None]
    assert back["age"].tolist() == [31, 7]


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("datatype", [DataType.FP16, DataType.FP32, DataType.FP64])
@pytest.mark.parametrize("value", [1.5, -3e4, 1e30, -1e200, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("more", [2, 200], ids=["few", "many"])
def test_numbers_pass_unseen_only_when_they_fit(
    value: float, datatype: DataType, kind: type, more: int
) -> None:
    """One sum of squares never lets through what the type cannot hold; usual numbers need no closer look."""
    with np.errstate(over="ignore"):
        cells = np.array([[0.25] * more + [value]]).astype(kind)
        fits = bool(np.isfinite(cells.astype(NUMPY_TYPES[datatype])).all())
    assert fits or not sound(cells, datatype)
    assert sound(cells, datatype) or value != 1.5


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_a_tensor_of_numbers_is_the_same_rows_whatever_its_type(kind: type) -> None:
    """The short way for one tensor gives what the long way gives, column by column."""
    table = np.array([[1, 2, 3], [-4, 5, 600]], dtype=kind)
    columns = {name: table[:, place].tolist() for place, name in enumerate("abc")}
    assert decoded(NUMBERS, Sent(columns={"predict": table})) == decoded(NUMBERS, Sent(columns=columns))


@pytest.mark.parametrize("bad", [1e39, np.inf])
def test_a_tensor_with_a_number_that_does_not_fit_is_refused_by_column(bad: float) -> None:
    """The column is named, as with any other form."""
    with pytest.raises(InvalidInput, match="the input 'c'"):
        decoded(NUMBERS, Sent(columns={"predict": np.array([[1, 2, bad]])}))
