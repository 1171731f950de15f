"""The prediction log: segments that one writer appends to and any number of readers tail.

`write` returns when the frame is in the kernel (it survives kill -9 of any process), `append` also waits for the disk where
the durability is `power`. Readers keep their own offsets, never block the writer, and never see half a frame.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock

import msgspec

from lockgate.clock import SECOND_US, Clock, SystemClock
from lockgate.config_gateway import Durability
from lockgate.errors import Conflict
from lockgate.predictions import writers
from lockgate.predictions.disk import Disk
from lockgate.predictions.personal import KEYS_SUFFIX, Protector
from lockgate.predictions.record import Batch, Frame, Offset, Record
from lockgate.predictions.segment import (
    HEADER,
    SUFFIX,
    Damage,
    Ended,
    Whole,
    checksum,
    end_mark,
    frames,
    seed_of,
    whole_end,
    write_whole,
)

SEGMENT_BYTES = 64 * 1024 * 1024
SEGMENT_S = 300.0
LOOK_US = SECOND_US // 4  # how often a writer looks whether somebody wants its segment ended
_KEPT_BUFFER_BYTES = 4 * 1024 * 1024  # a larger frame's buffer is given back
_log = logging.getLogger(__name__)


class SegmentWriter:
    """Appends frames to the segments of one writer (`<folder>/<writer>/<name>.seg`). Safe to call from many threads.

    On start it ends the segments that a killed writer of the same name left. Raises Conflict when another process
    writes under this name now.
    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        *,
        durability: Durability = Durability.PROCESS,
        segment_bytes: int = SEGMENT_BYTES,
        segment_s: float = SEGMENT_S,
        clock: Clock | None = None,
        protector: Protector | None = None,
    ) -> None:
        self._protector = protector
        self._folder, self._writer = folder / writer, writer
        self._roll_wanted = writers.roll_wanted(self._folder)
        self._segment_bytes, self._segment_us = segment_bytes, round(segment_s * SECOND_US)
        self._clock = clock or SystemClock()
        self._encoder, self._buffer = msgspec.msgpack.Encoder(), bytearray()
        self._write_lock = Lock()
        self._handle = -1
        self._segment, self._position, self._seed, self._opened_us, self._looked_us = "", 0, 0, 0, 0
        self._folder.mkdir(parents=True, exist_ok=True)
        self._lock = writers.claim(self._folder)
        if self._lock is None:
            raise Conflict(
                f"another process writes the log as '{writer}'", fix="stop it, or write under another name"
            )
        self._disk = Disk(self._folder, self._lock) if durability is Durability.POWER else None
        self._number = writers.last_number(self._lock)
        self._left_over = True
        self._end_left_over()

    @property
    def must_sync(self) -> bool:
        """Whether a frame counts only when it is on the disk."""
        return self._disk is not None

    def append(self, records: Sequence[Record], read: Sequence[Offset] = ()) -> Offset:
        """Write, and wait for the disk where that is asked for; returns the place after the frame. Raises OSError."""
        written = self.write(records, read)
        self.sync()
        return written

    def write(self, records: Sequence[Record], read: Sequence[Offset] = ()) -> Offset:
        """Commit records, and the offsets of the reader that made them, in one frame; returns the place after it.

        Raises OSError (no room, file too large, ...): then nothing of the frame is in the log, and later calls
        write valid frames again.
        """
        with self._write_lock:
            self._roll_if_due()
            if self._handle < 0:
                self._start()
            if self._protector is not None:
                records = self._protector.protect(records, self._keys)
            self._write(self._encode(records, read))
            return Offset(self._segment, self._position)

    def sync(self) -> None:
        """With durability `power`: return when everything written before is on the disk. Else at once. Raises OSError."""
        if self._disk is not None:
            self._disk.sync()

    def roll_if_due(self) -> None:
        """End the segment if it is old enough or somebody asked for it: for writers with nothing to write. Raises OSError."""
        with self._write_lock:
            self._roll_if_due()

    def roll(self) -> None:
        """End the segment now; the next append starts another. Raises OSError."""
        with self._write_lock:
            self._end()

    def close(self) -> None:
        """End the segment and let another process write under this name."""
        with self._write_lock:
            try:
                self._end()
                self.sync()
            finally:
                if self._lock is not None:
                    os.close(self._lock)
                    self._lock = None

    def __enter__(self) -> SegmentWriter:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()

    def _encode(self, records: Sequence[Record], read: Sequence[Offset]) -> memoryview:
        if len(self._buffer) > _KEPT_BUFFER_BYTES:
            self._buffer = bytearray()
        self._encoder.encode_into(Frame(list(records), list(read)), self._buffer, HEADER.size)
        return memoryview(self._buffer)

    def _write(self, frame: memoryview) -> None:
        with frame, frame[HEADER.size :] as payload:
            HEADER.pack_into(frame, 0, len(payload), checksum(self._seed, payload))
            write_whole(self._handle, frame, self._position)
            self._position += len(frame)
        if self._disk is not None:
            self._disk.wrote()

    def _end_left_over(self) -> None:
        """End what a killed writer left; on a full disk later, for a writer must start even then."""
        try:
            writers.end_segments(self._folder)
            self._left_over = False
        except OSError as error:
            _log.error("old segments of the log in %s wait for room: %s", self._folder, error)

    def _start(self) -> None:
        if self._left_over:
            self._end_left_over()
        self._opened_us = self._clock.now_us()
        if self._lock is None:
            raise Conflict(f"the log of '{self._writer}' is closed", fix="open another writer")
        # numbers only grow, even if the clock steps back: the archive knows by them what it holds
        self._number = max(self._opened_us, self._number + 1)
        writers.note_number(self._lock, self._number)
        name = f"{self._number:0{writers.NUMBER_DIGITS}d}-{secrets.token_hex(4)}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._path = self._folder / f"{name}{SUFFIX}"
        self._keys = self._path.with_suffix(KEYS_SUFFIX)  # here and not in every write, where it cost a tenth
        self._handle = os.open(self._path, flags, 0o640)
        self._segment = f"{self._writer}/{name}"
        self._position, self._seed = 0, seed_of(self._segment)
        if self._protector is not None:
            self._protector.begin_segment()
        if self._disk is not None:
            self._disk.began(self._handle)

    def _roll_if_due(self) -> None:
        now_us = self._clock.now_us()  # which may step back
        if self._position >= self._segment_bytes or not 0 <= now_us - self._opened_us < self._segment_us:
            self._end()
        elif not 0 <= now_us - self._looked_us < LOOK_US:
            self._looked_us = now_us
            if self._roll_wanted.exists():
                self._end()
                if self._protector is not None:
                    self._protector.forget()
                self._roll_wanted.unlink(missing_ok=True)

    def _end(self) -> None:
        if self._handle < 0:
            return
        write_whole(self._handle, memoryview(end_mark(self._seed)), self._position)
        if self._disk is not None:
            self._disk.ended()
        else:
            os.close(self._handle)
        self._handle = -1


class LogReader:
    """Reads the segments of all writers below a folder. Several readers and processes may read at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._decoder = msgspec.msgpack.Decoder(Frame)
        self._ended: dict[str, int] = {}  # segments known to be ended, and where

    def segments(self) -> list[str]:
        """All segments that are there, in the order in which they were begun."""
        return sorted(writers.segments_in(self._folder), key=lambda segment: segment.partition("/")[::-1])

    def read(self, offsets: Mapping[str, int], limit: int = 10_000) -> Batch:
        """Whole frames after `offsets` (segment -> byte position; a segment not named is read from its start).

        Stops after the frame that reaches `limit` records. Segments that were removed are dropped from the offsets.
        Order holds within a writer, not between writers.
        """
        there = self.segments()
        self._ended = {segment: self._ended[segment] for segment in there if segment in self._ended}
        batch = Batch(offsets={segment: offsets[segment] for segment in there if segment in offsets})
        for segment in there:
            if len(batch.records) >= limit:
                break
            if offsets.get(segment, 0) < self._ended.get(segment, sys.maxsize):
                self._read_segment(segment, batch, limit)
        return batch

    def placed(self, segments: Sequence[str]) -> Iterator[tuple[Record, Offset]]:
        """Every record of whole segments with the place after its frame. Raises FileNotFoundError when one is gone."""
        for segment in segments:
            for found in frames(self._path(segment), segment):
                if isinstance(found, Whole):
                    place = Offset(segment, found.end)
                    yield from ((record, place) for record in self._decoder.decode(found.payload).records)

    def frames_of(self, segment: str) -> Iterator[Frame]:
        """The whole frames of one segment, in order. Raises FileNotFoundError when it is gone."""
        for found in frames(self._path(segment), segment):
            if isinstance(found, Whole):
                yield self._decoder.decode(found.payload)

    def ends(self) -> dict[str, int]:
        """Offsets after everything that is there now: where a reader starts that wants only what comes."""
        found = {}
        for segment in self.segments():
            try:
                found[segment] = whole_end(self._path(segment), segment)[0]
            except FileNotFoundError:
                continue  # archived between the listing and the look
        return found

    def backlog_bytes(self, offsets: Mapping[str, int]) -> int:
        """How many bytes of the log a reader with these offsets has still to read."""
        behind = 0
        for segment in self.segments():
            try:
                behind += max(self._path(segment).stat().st_size - offsets.get(segment, 0) - HEADER.size, 0)
            except FileNotFoundError:
                continue  # archived between the listing and the look
        return behind

    def _path(self, segment: str) -> Path:
        return self._folder / f"{segment}{SUFFIX}"

    def _read_segment(self, segment: str, batch: Batch, limit: int) -> None:
        start = batch.offsets.get(segment, 0)
        path = self._path(segment)
        try:
            if path.stat().st_size <= start:
                return
            for found in frames(path, segment, start):
                if isinstance(found, Ended):
                    self._ended[segment] = found.end
                    break
                batch.offsets[segment] = found.end
                if isinstance(found, Damage):
                    _log.error(
                        "the log segment %s is damaged from byte %d to %d", segment, found.start, found.end
                    )
                    batch.damage.append(found)
                    continue
                place = Offset(segment, found.end)
                batch.records.extend(
                    (record, place) for record in self._decoder.decode(found.payload).records
                )
                if len(batch.records) >= limit:
                    break
        except FileNotFoundError:
            batch.offsets.pop(segment, None)  # archived and removed: every reader was past it
