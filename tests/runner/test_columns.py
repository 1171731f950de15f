"""The bytes between lockgate and a runner: what goes in comes out, and torn bytes are refused, not trusted."""

from __future__ import annotations

import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.runner import columns, wire

NUMBERS = st.sampled_from(["?", "u1", "i1", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"])
TEXTS = st.one_of(st.none(), st.text(max_size=8))
NAMES = st.text(min_size=1, max_size=8)


@st.composite
def tables(draw: st.DrawFn) -> columns.Columns:
    """A few columns of any types and shapes, n rows each."""
    rows = draw(st.integers(0, 5))
    made: columns.Columns = {}
    for name in draw(st.lists(NAMES, max_size=5, unique=True)):
        if draw(st.booleans()):
            array = np.empty(rows, dtype=object)
            array[:] = draw(st.lists(TEXTS, min_size=rows, max_size=rows))
        else:
            shape = (rows, *draw(st.lists(st.integers(0, 3), max_size=2)))
            raw = draw(st.binary(min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
            array = np.frombuffer(raw, dtype="u1").reshape(shape).astype(draw(NUMBERS))
        made[name] = array
    return made


@given(tables())
def test_round_trip(table: columns.Columns) -> None:
    """Columns of any type and shape, with missing text, come back equal and in order."""
    back = columns.decode(columns.encode(table))
    assert list(back) == list(table)
    for name, array in table.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert back[name].tolist() == array.tolist()


@given(tables(), st.data())
def test_torn_bytes_are_refused(table: columns.Columns, data: st.DataObject) -> None:
    """Cut anywhere, or with any byte changed, a body decodes to something or raises BadFrame: nothing else."""
    body = bytearray(columns.encode(table))
    place = data.draw(st.integers(0, len(body) - 1))
    body[place] ^= data.draw(st.integers(1, 255))
    for broken in (bytes(body), columns.encode(table)[:place]):
        try:
            columns.decode(broken)
        except wire.BadFrame:
            continue


def test_numbers_lie_raw_and_little_endian() -> None:
    """The documented example: one FP64 column `x` of one row."""
    assert columns.encode({"x": np.array([1.0])}).hex() == (
        "0100000000000000" "0800010001000000" "03000000" "010078" "00" "000000000000f03f")  # fmt: skip


def test_unknown_types_are_named() -> None:
    """A type that the protocol does not know is refused with the column's name."""
    with pytest.raises(TypeError, match="'when' has type datetime64"):
        columns.encode({"when": np.array(["2026-01-01"], dtype="datetime64[D]")})


def test_a_header_alone_reserves_no_memory() -> None:
    """A frame that promises more than allowed is refused by its header; a peer that leaves is noticed."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(wire.header(wire.Kind.ANSWER, 1, 1 << 40))
        with pytest.raises(wire.BadFrame, match="allowed are 1000"):
            wire.receive(wire.Inbox(ours.fileno()), 1000)
        theirs.close()
        with pytest.raises(wire.Closed):
            wire.receive(wire.Inbox(ours.fileno()))


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=4), st.integers(1, 70_000))
@settings(max_examples=25, deadline=None)
def test_frames_arrive_however_they_are_cut(bodies: list[bytes], piece: int) -> None:
    """Frames that were written from parts come out whole, whatever pieces the descriptor gives."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        inbox = wire.Inbox(theirs.fileno())
        for number, body in enumerate(bodies):
            cut = [body[start : start + piece] for start in range(0, len(body), piece)]
            writer = threading.Thread(
                target=wire.send, args=(ours.fileno(), wire.Kind.ANSWER, number, [*cut, np.arange(3)])
            )
            writer.start()
            frame = wire.receive(inbox)
            writer.join()
            assert (frame.kind, frame.request) == (wire.Kind.ANSWER, number)
            assert bytes(frame.body) == body + np.arange(3).tobytes()


def test_arrays_are_not_copied() -> None:
    """Contiguous numbers go to the socket as they lie, and come out as views into what was received."""
    table = {name: np.arange(4.0) for name in "abc"}
    sent = columns.parts(table)
    assert all(any(part is array for part in sent) for array in table.values())
    body = columns.encode(table)
    assert all(np.shares_memory(array, np.frombuffer(body, "u1")) for array in columns.decode(body).values())


def test_the_page_shows_the_bytes() -> None:
    """The request and the answer in docs/runner-protocol.md are, byte for byte, what both ends write."""
    page = Path(__file__).parents[2].joinpath("docs", "runner-protocol.md").read_text()
    example = page.split("The whole of request 7")[1].split("```")[1]
    frames = [
        "".join(re.split(r" {3,}", line)[0] for line in one.splitlines()) for one in example.split("\n\n")
    ]
    shown = [bytes.fromhex(frame) for frame in frames]
    answer = columns.parts({"prediction": np.array(["hi", None], dtype=object),
                            "probability": np.array([[0.25, 0.75], [0.5, 0.5]])})  # fmt: skip
    asked = wire.frame_of(wire.Kind.PREDICT, 7, columns.parts({"x": np.array([1.0])}))
    assert shown == [b"".join(asked), b"".join(wire.frame_of(wire.Kind.ANSWER, 7, answer))]
