"""Whatever bytes a caller sends, both protocols and the decoder answer rows or an error for people, never a crash."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.errors import InvalidInput, LockgateError
from lockgate.gateway.decode import Decoder, key_cells
from lockgate.gateway.protocols import invocations, oip
from lockgate.gateway.protocols.answer import Answered
from lockgate.gateway.protocols.tensors import binary_of, from_binary
from lockgate.gateway.protocols.wishes import wishes_of
from lockgate.gateway.sent import Sent
from lockgate.registry.signature import DataType, Field, Signature

OUT = (Field(name="prediction", datatype=DataType.INT64),)
DECODERS = [
    Decoder(Signature(inputs=tuple(Field(name=name, datatype=DataType.FP32) for name in "ab"), outputs=OUT)),
    Decoder(
        Signature(
            inputs=(
                Field(name="a", datatype=DataType.INT8),
                Field(name="b", datatype=DataType.BYTES, nullable=True),
                Field(name="c", datatype=DataType.BOOL, required=False),
                Field(name="d", datatype=DataType.FP64, nullable=True, required=False, shape=(2,)),
            ),
            outputs=OUT,
        )
    ),
]
CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("1"),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["a", "b", "c", "d", "x"]), "shape": st.lists(st.integers(-1, 3), max_size=3)},
    optional={
        "datatype": st.sampled_from(["FP32", "INT8", "BYTES", "BOOL", "nonsense"]),
        "data": st.lists(CELLS, max_size=4),
        "parameters": st.dictionaries(st.just("binary_data_size"), st.integers(-1, 9) | st.text(max_size=2)),
    },
)
INFERS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=4)}, optional={"parameters": CELLS, "id": CELLS, "outputs": CELLS}
)
FORMS = st.dictionaries(st.sampled_from([*invocations.FORMS, "other"]), CELLS, min_size=1, max_size=2)


def understood(sent: Sent) -> None:
    """Every decoder makes rows of it, or says what is wrong."""
    for decoder in DECODERS:
        try:
            rows = decoder.decode(sent, "d")
        except InvalidInput:
            continue
        assert {len(cells) for cells in decoder.layout.columns(rows).values()} == {rows.n}
        decoder.layout.blocks(rows)
    key_cells(sent, "a")


@settings(max_examples=300, deadline=None)
@given(body=INFERS, tail=st.binary(max_size=12))
def test_any_infer_request_is_understood_or_refused(body: dict[str, Any], tail: bytes) -> None:
    """JSON of the right shape with anything inside, and any bytes behind it."""
    head = json.dumps(body).encode()
    for content, length in (
        (head, None),
        (head + tail, str(len(head))),
        (head, "99999"),
        (head, "x"),
        (head, "\xb2"),
        (head, "9" * 5000),
    ):
        try:
            sent, _ = oip.read(content, length)
        except InvalidInput:
            continue
        understood(sent)


@settings(max_examples=300, deadline=None)
@given(body=FORMS | CELLS)
def test_any_invocation_is_understood_or_refused(body: Any) -> None:
    """The four forms with anything inside."""
    try:
        sent = invocations.read(json.dumps(body).encode(), "application/json")
    except InvalidInput:
        return
    understood(sent)


@settings(max_examples=150, deadline=None)
@given(body=st.binary(max_size=60) | st.text(alphabet="ab,\n\"1.x'", max_size=40).map(str.encode))
def test_any_bytes_are_understood_or_refused(body: bytes) -> None:
    """As JSON of either protocol, and as CSV."""
    for kind in ("application/json", "text/csv", "text/csv; charset=utf-8", "image/png"):
        try:
            sent = invocations.read(body, kind)
        except LockgateError:
            continue
        understood(sent)
    with pytest.raises(InvalidInput):
        oip.read(body, None)


def test_numbers_without_end_are_refused_and_a_time_without_end_is_none() -> None:
    """JSON's whole numbers may be longer than any float: the cell is named, the time-out never comes."""
    huge = 10**400
    body = {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32", "data": [huge]}]}
    body["inputs"] += [{"name": "b", "shape": [1], "datatype": "FP32", "data": [1]}]
    for raw in (json.dumps(body), json.dumps({"inputs": {"a": [huge], "b": [math.nan]}})):
        sent = oip.read(raw.encode(), None)[0] if "shape" in raw else invocations.read(raw.encode(), "")
        with pytest.raises(InvalidInput):
            DECODERS[0].decode(sent)
    timeout_s = wishes_of({"timeout": huge}, []).timeout_s
    assert timeout_s is not None
    assert timeout_s > 1e9


def test_half_a_character_is_no_text_beside_nan_either() -> None:
    """Nothing goes on that could not be written down; a whole pair is one character."""
    body = b'{"inputs": {"a": [NaN], "b": ["\\ud83d%s"]}}'
    with pytest.raises(InvalidInput):
        invocations.read(body % b"", "application/json")
    assert invocations.read(body % b"\\ude00", "application/json").columns["b"] == ["\U0001f600"]


def test_rows_with_a_name_each_do_not_fill_the_memory() -> None:
    """Two thousand rows of one cell would be millions of cells; a few that are left out are missing values."""
    few = [{"a": 1}, {"b": 2}]
    assert invocations.read(json.dumps(few_as(few)).encode(), "").columns == {"a": [1, None], "b": [None, 2]}
    with pytest.raises(InvalidInput, match="names in common"):
        invocations.read(json.dumps(few_as([{f"n{n}": 1} for n in range(2_100)])).encode(), "")


def few_as(rows: list[dict[str, int]]) -> dict[str, object]:
    """Rows with names, as MLflow sends them."""
    return {"dataframe_records": rows}


@given(texts=st.lists(st.text(max_size=5), min_size=1, max_size=5))
def test_texts_survive_the_binary_form(texts: list[str]) -> None:
    """Length and UTF-8, there and back."""
    array = np.array([None, *texts], dtype=object)[1:]
    back = from_binary("x", "BYTES", [len(texts)], memoryview(binary_of(array)))
    assert back.tolist() == texts


def test_a_csv_parted_by_semicolons_is_told_so() -> None:
    """What a spreadsheet with a decimal comma writes: the error names the separator, not a missing input."""
    for body in (b"a;b\n1,5;2\n", b"a\tb\n1\t2\n"):
        with pytest.raises(InvalidInput, match="separator of the CSV is not a comma"):
            invocations.read(body, "text/csv")
    assert invocations.read(b"a,b\n1,2\n", "text/csv").columns == {"a": ["1"], "b": ["2"]}


def test_outputs_are_written_as_they_were_asked_for() -> None:
    """One as JSON, one binary, one not at all; an unknown one is refused."""
    columns = {
        "p": np.float32([0.25, 0.75]),
        "label": np.array(["a", "b"], dtype=object),
        "more": np.int64([1, 2]),
    }
    answered = Answered(columns, "churn", 3, "id-1", "label")
    request = {
        "inputs": [],
        "outputs": [{"name": "label"}, {"name": "p", "parameters": {"binary_data": True}}],
    }
    body = oip.read(json.dumps(request).encode(), None)[1](answered)
    length = int(dict(body.headers)[oip.HEADER_LENGTH])
    head = json.loads(body.content[:length])
    assert [output["name"] for output in head["outputs"]] == ["label", "p"]
    assert head["outputs"][0]["data"] == ["a", "b"]
    assert np.frombuffer(body.content[length:], "<f4").tolist() == [0.25, 0.75]
    with pytest.raises(InvalidInput, match="no output 'q'"):
        oip.read(b'{"inputs": [], "outputs": [{"name": "q"}]}', None)[1](answered)


ANSWERED = Answered(
    {"p": np.float32([0.25, 0.75]), "label": np.array(["a", None], dtype=object)}, "churn", 3, "id-1", "label"
)


def written(**request: Any) -> tuple[dict[str, Any], bytes]:
    """The JSON and the raw bytes of an answer to a request that asks so."""
    body = oip.read(json.dumps({"inputs": [], **request}).encode(), None)[1](ANSWERED)
    length = int(dict(body.headers).get(oip.HEADER_LENGTH, len(body.content)))
    return json.loads(body.content[:length]), body.content[length:]


def test_the_form_of_all_outputs_holds_where_none_is_said() -> None:
    """binary_data_output is the rule, binary_data the exception; the order is the caller's; null parameters ask for nothing."""
    whole = {"binary_data_output": True}
    head, raw = written(parameters=whole)
    assert [one["parameters"]["binary_data_size"] for one in head["outputs"]] == [8, 9]
    assert raw == np.float32([0.25, 0.75]).tobytes() + b"\1\0\0\0a\0\0\0\0"
    named = [{"name": "label", "parameters": {"binary_data": False}}, {"name": "p"}]
    head, raw = written(parameters=whole, outputs=named)
    assert (head["outputs"][0]["data"], raw) == (["a", None], np.float32([0.25, 0.75]).tobytes())
    head, raw = written(parameters=None, outputs=[{"name": "p", "parameters": None}])
    assert (head["outputs"], raw) == (
        [{"name": "p", "datatype": "FP32", "shape": [2], "data": [0.25, 0.75]}],
        b"",
    )
    assert head["id"] == "id-1"
    assert written(id="mine", outputs=None)[0]["id"] == "mine"


def columns(*tensors: dict[str, Any], tail: bytes = b"") -> Any:
    """What is read of these tensors."""
    head = json.dumps({"inputs": tensors}).encode()
    return oip.read(head + tail, str(len(head)) if tail else None)[0].columns


@pytest.mark.parametrize(
    "data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]], [[[1], [2], [3]], [[4], [5], [6]]]]
)
def test_flat_and_nested_data_are_one(data: list[Any]) -> None:
    """The shape says how they lie."""
    found = columns({"name": "x", "shape": [2, 3], "datatype": "INT32", "data": data})
    assert found["x"].tolist() == [[1, 2, 3], [4, 5, 6]]


@pytest.mark.parametrize(
    ("tensor", "tail", "words"),
    [
        ({"datatype": "FP23", "data": [1]}, b"", "a type that is not known"),
        ({"datatype": "FP32", "data": [1, 2]}, b"", r"do not fill its shape \[1\]"),
        ({"datatype": "FP32"}, b"", "has no data"),
        ({"datatype": "FP32", "data": [1], "parameters": {"binary_data_size": 4}}, b"1234", "both data and"),
        ({"datatype": "FP32", "parameters": {"binary_data_size": True}}, b"1234", "is not all there"),
        ({"datatype": "FP32", "parameters": {"binary_data_size": 5}}, b"12345", "end inside a value"),
        ({"datatype": "BOOL", "parameters": {"binary_data_size": 1}}, b"\2", "a byte that is no truth value"),
        ({"datatype": "BYTES", "parameters": {"binary_data_size": 5}}, b"\1\0\0\0\xff", "not UTF-8"),
        ({"datatype": "BYTES", "parameters": {"binary_data_size": 5}}, b"\2\0\0\0a", "end inside a text"),
        ({"datatype": "FP32", "data": [1]}, b"more", "4 bytes follow the last tensor"),
        ({"datatype": "FP32", "parameters": {"shared_memory_region": "r"}}, b"", "shared memory"),
    ],
)
def test_a_tensor_that_is_not_right_is_named(tensor: dict[str, Any], tail: bytes, words: str) -> None:
    """One sentence for each way to be wrong."""
    with pytest.raises(InvalidInput, match=words):
        columns({"name": "x", "shape": [1], **tensor}, tail=tail)


def test_wishes_that_cannot_be_are_refused() -> None:
    """Parameters of other types, of other servers' extensions; a body of raw bytes alone."""
    for request, words in (
        ({"parameters": {"timeout": "soon"}}, "'timeout' must be a number of microseconds"),
        ({"parameters": {"binary_data_output": 1}}, "'binary_data_output' must be true or false"),
        ({"parameters": {"sequence_id": 7}}, "sequences of requests"),
        ({"outputs": [{"name": "p", "parameters": {"classification": 2}}]}, "likeliest classes"),
    ):
        with pytest.raises(InvalidInput, match=words):
            written(**request)
    with pytest.raises(InvalidInput, match="raw bytes alone"):
        oip.read(b"\0\0\0\0", "0")
    sent, _ = oip.read(b'{"inputs": [], "parameters": {"timeout": 250000, "key": 17}}', None)
    assert (sent.timeout_s, sent.key) == (0.25, "17")


@pytest.mark.parametrize(
    "cells",
    ["1.5, 2, -3e5", "1.5, true, 2", "1, 2, 3", "1, 2.5", "0.1, null", '0.1, "a"', "0.1, 123456789012345678901234567890",
     "true, false", "[1.5, 2], [3, 4]"],
)  # fmt: skip
def test_numbers_come_as_numpy_would_read_them(cells: str) -> None:
    """The quick way for fractions gives the same cells as the way that takes everything."""
    wanted = np.array(json.loads(f"[{cells}]"))
    shape = [1, *wanted.shape]
    body = f'{{"inputs": [{{"name": "x", "shape": {shape}, "datatype": "FP32", "data": [{cells}]}}]}}'
    found = oip.read(body.encode(), None)[0].columns["x"]
    huge = (
        wanted.dtype == object and None not in wanted.tolist()
    )  # whole numbers beyond 64 bits end as fractions
    assert found.ravel().tolist() == (wanted.astype(float) if huge else wanted).ravel().tolist()
    assert huge or found.dtype == wanted.dtype
