"""Whatever bytes a caller sends, both protocols and the decoder answer rows or an error for people, never a crash."""

from __future__ import annotations

import json
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
    for content, length in ((head, None), (head + tail, str(len(head))), (head, "99999"), (head, "x")):
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
