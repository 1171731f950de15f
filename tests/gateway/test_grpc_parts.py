"""The gRPC form without a wire: messages as the public definition has them, tensors both ways, what is missing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from lockgate.errors import InvalidInput, MissingExtra
from lockgate.gateway.grpc.installed import require_grpc
from lockgate.gateway.grpc.messages import MESSAGES, messages
from lockgate.gateway.grpc.tensors import CONTENTS, RAW_ONLY, read
from lockgate.gateway.protocols.answer import Answered
from lockgate.gateway.protocols.tensors import binary_of, from_binary
from lockgate.registry.signature import NUMPY_TYPES, DataType

NUMBERS = [kind for kind in DataType if kind is not DataType.BYTES]


def described(message: Any) -> dict[str, Any]:
    """A message's fields by name, with everything that travels; messages within it too."""
    fields = {
        field.name: (
            field.number,
            field.type,
            field.is_repeated,
            field.message_type and field.message_type.full_name,
            field.containing_oneof and field.containing_oneof.name,
        )
        for field in message.fields
    }
    return fields | {f"{inner.name}.": described(inner) for inner in message.nested_types}


@pytest.mark.parametrize("name", [name for name in MESSAGES if "." not in name])
def test_messages_are_those_of_the_public_definition(name: str) -> None:
    """Every name, number and type as in the classes that tritonclient was generated with."""
    public = service_pb2.DESCRIPTOR.message_types_by_name[name]
    assert described(messages().classes[name].DESCRIPTOR) == described(public)


def infer(kind: str, values: list[Any], *, raw: bytes | None = None) -> Any:
    """A request with one tensor, in its list or raw."""
    request = messages().ModelInferRequest(model_name="m")
    tensor = request.inputs.add(name="x", datatype=kind, shape=[len(values)])
    if raw is not None:
        request.raw_input_contents.append(raw)
    else:
        getattr(tensor.contents, CONTENTS[kind]).extend(values)
    return request


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_of_every_type_travel_both_ways(kind: DataType) -> None:
    """Largest and smallest values, as raw bytes and in the list of the type; the answer has the form of the question."""
    dtype = np.dtype(NUMPY_TYPES[kind])
    if dtype.kind in "iu":
        array = np.array([np.iinfo(dtype).min, np.iinfo(dtype).max, 1], dtype=dtype)
    else:
        array = np.array([0, 1, 1] if dtype.kind == "b" else [-1.5, 0.25, 1], dtype=dtype)
    forms = [infer(kind, array.tolist(), raw=binary_of(array))]
    forms += [] if kind in RAW_ONLY else [infer(kind, array.tolist())]
    for request in forms:
        sent, write = read(request)
        assert sent.columns["x"].tolist() == array.tolist()
        body = write(Answered({"y": array}, "m", 1, "id", "y")).content
        answer = messages().ModelInferResponse.FromString(body)
        (tensor,) = answer.outputs
        assert (tensor.datatype, list(tensor.shape), answer.id) == (kind, [3], "id")
        if request.raw_input_contents or kind in RAW_ONLY:
            back = from_binary("y", kind, [3], memoryview(answer.raw_output_contents[0]))
            assert back.tolist() == array.tolist()
        else:
            assert list(getattr(tensor.contents, CONTENTS[kind])) == array.tolist()


@given(texts=st.lists(st.text(max_size=5), min_size=1, max_size=4))
def test_texts_travel_both_ways(texts: list[str]) -> None:
    """As UTF-8 in bytes_contents."""
    sent, write = read(infer("BYTES", [text.encode() for text in texts]))
    assert sent.columns["x"].tolist() == texts
    body = write(Answered({"y": sent.columns["x"]}, "m", 1, "id", "y")).content
    (tensor,) = messages().ModelInferResponse.FromString(body).outputs
    assert [value.decode() for value in tensor.contents.bytes_contents] == texts


def test_bf16_is_read_as_the_fp32_that_it_is() -> None:
    """The upper halves of 1.0, -2.0 and 0.15625; there is no list for them."""
    raw = bytes.fromhex("803f00c0203e")
    sent, _ = read(infer("BF16", [0, 0, 0], raw=raw))
    assert sent.columns["x"].tolist() == [1.0, -2.0, 0.15625]
    assert sent.columns["x"].dtype == np.float32


@given(content=st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    """Whatever parses is read or refused in words."""
    try:
        request = messages().ModelInferRequest.FromString(content)
    except Exception:
        return
    try:
        read(request)
    except InvalidInput:
        return


def test_a_texts_bytes_must_be_utf8() -> None:
    """Named, not guessed."""
    with pytest.raises(InvalidInput, match="'x' holds a text that is not UTF-8"):
        read(infer("BYTES", [b"\xff"]))


def test_without_the_extra_the_setting_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """`lockgate up` with grpc_port and no grpcio."""
    require_grpc()
    for name in [name for name in sys.modules if name.partition(".")[0] == "grpc"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sys.path", [])
    monkeypatch.setattr("sys.meta_path", [finder for finder in sys.meta_path if "Path" in str(finder)])
    with pytest.raises(MissingExtra, match=r"lockgate\[grpc\]"):
        require_grpc()
