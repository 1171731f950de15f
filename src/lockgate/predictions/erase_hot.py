"""Erasing in the hot log: ended segments are written anew, frame by frame at its place, so that offsets stay valid."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.errors import Unavailable
from lockgate.predictions import writers
from lockgate.predictions.record import Frame
from lockgate.predictions.removal import Gone, change, smaller_frame
from lockgate.predictions.segment import REWRITTEN, SUFFIX, is_ended, rewrite

ROLL_S = 10.0  # a running writer ends its segment within about a second of being asked
_decoder = msgspec.msgpack.Decoder(Frame)


@dataclass
class ErasedFrames:
    """What was done to the hot log. `others`: records with other people's rows that could not be kept."""

    segments: int = 0
    records: int = 0
    others: int = 0


def erase_in_segments(log: Path, model: str, gone: Mapping[str, Gone]) -> ErasedFrames:
    """Take requests (by id), or rows of them, and the shadow answers to them out of every ended segment."""
    done = ErasedFrames()

    def changed(payload: bytes) -> bytes | None:
        frame = _decoder.decode(payload)
        new = [change(record, gone) if record.model == model else record for record in frame.records]
        touched = sum(after is not before for before, after in zip(frame.records, new, strict=True))
        if not touched:
            return None
        done.records += touched
        body, dropped = smaller_frame(frame.records, frame.read, new, len(payload))
        done.others += dropped
        return body

    for left in log.glob(f"*/*{REWRITTEN}"):  # of an erasure that was killed
        left.unlink(missing_ok=True)
    for segment in sorted(writers.segments_in(log)) if gone else []:
        path = log / f"{segment}{SUFFIX}"
        try:
            if is_ended(path, segment):
                done.segments += rewrite(path, segment, changed)
        except FileNotFoundError:
            continue  # archived and removed in between
    return done


def end_segments(log: Path) -> None:
    """Have every segment ended that was begun before now: only ended ones can be written anew.

    Raises Unavailable when a writer does not.
    """
    request_rolls(log)  # writers without an open segment too: they forget the keys of people
    waiting = open_before(log)
    deadline = time.monotonic() + ROLL_S
    while waiting:
        request_rolls(log)
        if time.monotonic() > deadline:
            raise Unavailable(
                "a writer does not end its segment of the log", got=", ".join(sorted(waiting)),
                fix="is its process hanging? The archiver goes on with the erasure as soon as it can",
            )  # fmt: skip
        time.sleep(0.05)
        waiting &= open_before(log)


def open_before(log: Path) -> set[str]:
    """The segments that are not ended now; those of writers that died are ended first."""
    writers.end_abandoned(log)
    found = set()
    for segment in writers.segments_in(log):
        try:
            if not is_ended(log / f"{segment}{SUFFIX}", segment):
                found.add(segment)
        except FileNotFoundError:
            continue
    return found


def request_rolls(log: Path) -> None:
    """Ask every writer that runs to end its segment at its next rest."""
    idle = set(writers.end_abandoned(log))
    for folder in log.iterdir():
        if folder.is_dir() and folder.name not in idle:
            writers.roll_wanted(folder).touch()
