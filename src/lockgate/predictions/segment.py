"""One segment of the log: a file of checksummed frames, ended by a mark.

A frame is `length u32, crc u32, payload` (little-endian); the payload is the msgpack of `record.Frame`, the checksum
runs over the segment's name, the length and the payload. The name holds random digits, so bytes that a caller sends
can never pass for a frame. The end mark is a header of length 0: nothing follows it, ever.

A frame is whole or it is not there: in a segment without an end mark an unreadable rest is a write under way (or the
torn tail of a writer that died); in an ended one it is damage, which readers step over, count and report.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

SUFFIX = ".seg"
REWRITTEN = ".rewritten"  # a segment on its way to take the place of the one that it was made from
HEADER = struct.Struct("<II")
CHUNK_BYTES = 4 * 1024 * 1024  # read at once; a longer frame is read whole
_FRAME_STARTS = re.compile(rb"[\x92\x93][\x90-\x9f\xdc\xdd]")  # msgpack: an array, its first element an array


@dataclass(frozen=True)
class Whole:
    """One whole frame: the payload and the byte after it."""

    payload: bytes
    end: int


@dataclass(frozen=True)
class Damage:
    """Bytes of an ended segment that hold no whole frame."""

    segment: str
    start: int
    end: int


@dataclass(frozen=True)
class Ended:
    """The end mark was reached: the segment holds nothing after this position."""

    end: int


def seed_of(segment: str) -> int:
    """Where the checksums of a segment start; `segment` is `<writer>/<name>` without suffix."""
    return crc32(segment.encode())


def checksum(seed: int, payload: bytes | memoryview) -> int:
    """The checksum of a frame: over its length and its payload, from the segment's seed."""
    return crc32(payload, crc32(len(payload).to_bytes(4, "little"), seed))


def end_mark(seed: int) -> bytes:
    """The eight bytes after the last frame of an ended segment."""
    return HEADER.pack(0, checksum(seed, b""))


def frames(path: Path, segment: str, start: int = 0) -> Iterator[Whole | Damage | Ended]:
    """What can be read from a byte position on, in order, up to what is not yet whole.

    `start` must be 0 or the end of a frame. Raises FileNotFoundError when the segment is gone.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        yield from _scan(handle, segment, start)
    finally:
        os.close(handle)


def whole_end(path: Path, segment: str) -> tuple[int, bool]:
    """The byte after the last whole frame, and whether the segment is ended. Steps over damage in the middle."""
    handle = os.open(path, os.O_RDONLY)
    try:
        end = 0
        for found in _scan(handle, segment, 0):
            if isinstance(found, Ended):
                return found.end, True
            end = found.end
        for found in _after_damage(handle, segment, end, os.fstat(handle).st_size):
            end = found.end
        return end, False
    finally:
        os.close(handle)


def is_ended(path: Path, segment: str) -> bool:
    """Whether the segment bears its end mark. Raises FileNotFoundError when it is gone."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return _ends_with_mark(handle, end_mark(seed_of(segment)))
    finally:
        os.close(handle)


def write_whole(handle: int, data: memoryview, position: int) -> None:
    """One write of all bytes; when they do not all fit, the file is cut back to `position`."""
    try:
        written = os.write(handle, data)
        while written < len(data):
            written += os.write(handle, data[written:])
    except OSError:
        os.ftruncate(handle, position)
        raise


def end_torn(path: Path, segment: str) -> None:
    """End a dead writer's segment: cut off what is half-written after the last whole frame, put the end mark."""
    if is_ended(path, segment):
        return
    end, _ = whole_end(path, segment)
    handle = os.open(path, os.O_WRONLY)
    try:
        os.ftruncate(handle, end)
        os.pwrite(handle, end_mark(seed_of(segment)), end)
        os.fdatasync(handle)
    finally:
        os.close(handle)


def rewrite(path: Path, segment: str, change: Callable[[bytes], bytes | None]) -> bool:
    """Change frames of an ended segment, all at once; whether there was anything to change.

    `change` gets a payload and returns another of the same length, or None. Readers that have the file open go on reading
    the old one; offsets stay valid. Raises FileNotFoundError when the segment is gone.
    """
    seed, body, changed = seed_of(segment), bytearray(path.read_bytes()), False
    for found in frames(path, segment):
        if not isinstance(found, Whole):
            continue
        new = change(found.payload)
        if new is None:
            continue
        if len(new) != len(found.payload):
            raise ValueError("a changed frame must keep its length")
        start = found.end - len(new) - HEADER.size
        body[start : found.end] = HEADER.pack(len(new), checksum(seed, new)) + new
        changed = True
    if changed:
        temporary = path.with_suffix(REWRITTEN)
        with temporary.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    return changed


def sync_folder(folder: Path) -> None:
    """Put a folder's list of files on the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _scan(handle: int, segment: str, position: int) -> Iterator[Whole | Damage | Ended]:
    seed = seed_of(segment)
    window, base = b"", position
    while True:
        head = window[position - base : position - base + HEADER.size]
        length = HEADER.unpack(head)[0] if len(head) == HEADER.size else 0
        need = HEADER.size + length
        if len(window) - (position - base) < need:
            size = os.fstat(handle).st_size
            if position + need <= size:
                window, base = (
                    os.pread(handle, max(need, min(CHUNK_BYTES, size - position)), position),
                    position,
                )
                if len(window) < need:
                    return  # cut shorter between the two calls
                continue
        found = _frame_at(window, position - base, seed)
        if found is None:
            damage = _damage(handle, segment, position)
            if damage is None:
                return
            yield damage
            position = damage.end
            window, base = b"", position
        elif found:
            position += need
            yield Whole(found, position)
        else:
            yield Ended(position)
            return


def _frame_at(window: bytes, place: int, seed: int) -> bytes | None:
    """The payload of the frame there (empty for the end mark), or None when there is no whole frame."""
    if len(window) - place < HEADER.size:
        return None
    length, crc = HEADER.unpack_from(window, place)
    payload = window[place + HEADER.size : place + HEADER.size + length]
    return payload if len(payload) == length and checksum(seed, payload) == crc else None


def _ends_with_mark(handle: int, mark: bytes) -> bool:
    last = os.fstat(handle).st_size - len(mark)
    return last >= 0 and os.pread(handle, len(mark), last) == mark


def _damage(handle: int, segment: str, position: int) -> Damage | None:
    """The unreadable stretch that starts there, if the segment is ended: else it is a write under way."""
    last = os.fstat(handle).st_size - HEADER.size
    if position > last or not _ends_with_mark(handle, end_mark(seed_of(segment))):
        return None
    following = next(_after_damage(handle, segment, position, last), None)
    start = last if following is None else following.end - len(following.payload) - HEADER.size
    return Damage(segment, position, start) if start > position else None


def _after_damage(handle: int, segment: str, position: int, last: int) -> Iterator[Whole]:
    """Whole frames after an unreadable place, found by trying every byte where one could start."""
    seed, rest = seed_of(segment), os.pread(handle, max(last - position, 0), position)
    candidate = _FRAME_STARTS.search(rest, HEADER.size)
    while candidate:
        following = candidate.start() + 1
        payload = _frame_at(rest, candidate.start() - HEADER.size, seed)
        if payload:
            end = candidate.start() + len(payload)
            yield Whole(payload, position + end)
            following = end + HEADER.size
        candidate = _FRAME_STARTS.search(rest, following)
