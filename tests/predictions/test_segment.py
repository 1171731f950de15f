"""The frame format: torn and flipped at every byte, found again after damage."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lockgate.predictions.record import Frame, Record
from lockgate.predictions.segment import (
    HEADER,
    Damage,
    Ended,
    Whole,
    checksum,
    end_mark,
    end_torn,
    frames,
    is_ended,
    seed_of,
    whole_end,
)

SEGMENT = "w/0001-abcd"
RECORDS = [Record(id=f"r{n}", at_us=n, model="churn", key="k" * n) for n in range(5)]


def frame(record: Record, segment: str = SEGMENT) -> bytes:
    """The bytes of a frame with one record."""
    payload = msgspec.msgpack.encode(Frame([record]))
    return HEADER.pack(len(payload), checksum(seed_of(segment), payload)) + payload


def ids(path: Path) -> list[str]:
    """The records that can be read from a file."""
    whole = [found for found in frames(path, SEGMENT) if isinstance(found, Whole)]
    return [
        record.id for found in whole for record in msgspec.msgpack.decode(found.payload, type=Frame).records
    ]


@pytest.fixture
def body() -> bytes:
    """Five frames without an end mark."""
    return b"".join(frame(record) for record in RECORDS)


def test_every_tear_leaves_whole_frames_only(tmp_path: Path, body: bytes) -> None:
    """A file cut at any byte reads as the frames that are whole, and can be ended and read again."""
    path = tmp_path / "s.seg"
    ends = [0]
    for record in RECORDS:
        ends.append(ends[-1] + len(frame(record)))
    for cut in range(len(body) + 1):
        path.write_bytes(body[:cut])
        whole = sum(end <= cut for end in ends[1:])
        assert ids(path) == [record.id for record in RECORDS[:whole]]
        end_torn(path, SEGMENT)
        assert is_ended(path, SEGMENT)
        assert path.stat().st_size == ends[whole] + HEADER.size
        assert list(frames(path, SEGMENT))[-1] == Ended(ends[whole])
        assert ids(path) == [record.id for record in RECORDS[:whole]]


def test_every_flip_is_noticed_and_stepped_over(tmp_path: Path, body: bytes) -> None:
    """In an ended file a flipped byte costs the frame it lies in, and no other; the place is reported."""
    path = tmp_path / "s.seg"
    for place in range(len(body)):
        damaged = bytearray(body + end_mark(seed_of(SEGMENT)))
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        start, lost = 0, 0
        while start + len(frame(RECORDS[lost])) <= place:
            start += len(frame(RECORDS[lost]))
            lost += 1
        hit = Damage(SEGMENT, start, start + len(frame(RECORDS[lost])))
        assert ids(path) == [r.id for n, r in enumerate(RECORDS) if n != lost]
        assert [found for found in frames(path, SEGMENT) if isinstance(found, Damage)] == [hit]


def test_flips_in_an_open_segment_are_never_read(tmp_path: Path, body: bytes) -> None:
    """Without an end mark, nothing after an unreadable byte is read: it may still be being written."""
    path = tmp_path / "s.seg"
    for place in range(len(body)):
        damaged = bytearray(body)
        damaged[place] ^= 0x01
        path.write_bytes(damaged)
        read = ids(path)
        assert read == [record.id for record in RECORDS[: len(read)]]
        assert sum(len(frame(record)) for record in RECORDS[: len(read)]) <= place


def test_ending_keeps_whole_frames_behind_damage(tmp_path: Path, body: bytes) -> None:
    """When a dead writer's file is ended, a damaged frame in the middle does not cost those after it."""
    path = tmp_path / "s.seg"
    damaged = bytearray(body + b"torn")
    damaged[len(frame(RECORDS[0])) + 20] ^= 0xFF
    path.write_bytes(damaged)
    assert whole_end(path, SEGMENT) == (len(body), False)
    end_torn(path, SEGMENT)
    assert ids(path) == ["r0", "r2", "r3", "r4"]


def test_bytes_of_a_caller_cannot_pass_for_a_frame(tmp_path: Path) -> None:
    """A frame that a caller hides in a text is not read, even when the frame around it is damaged."""
    forged = frame(Record(id="forged", at_us=0, model="m"), segment="guessed").decode("latin-1")
    outer = bytearray(frame(Record(id="outer", at_us=0, model="m", error=forged)))
    outer[-1] ^= 0xFF
    path = tmp_path / "s.seg"
    path.write_bytes(bytes(outer) + frame(RECORDS[1]) + end_mark(seed_of(SEGMENT)))
    assert ids(path) == ["r1"]


def test_a_frame_longer_than_a_chunk(tmp_path: Path) -> None:
    """A frame of many megabytes is read whole, and so is what follows it."""
    path = tmp_path / "s.seg"
    large = Record(id="large", at_us=0, model="m", error="x" * 9_000_000)
    path.write_bytes(frame(large) + frame(RECORDS[1]))
    assert ids(path) == ["large", "r1"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(max_size=300), max_size=20), junk=st.binary(max_size=60))
def test_any_records_and_any_torn_tail(tmp_path: Path, texts: list[str], junk: bytes) -> None:
    """Whatever was written is read back; whatever garbage follows is cut off."""
    path = tmp_path / "s.seg"
    records = [Record(id=str(n), at_us=n, model="m", error=text) for n, text in enumerate(texts)]
    path.write_bytes(b"".join(frame(record) for record in records) + junk)
    assert ids(path) == [record.id for record in records]
    end_torn(path, SEGMENT)
    assert ids(path) == [record.id for record in records]
