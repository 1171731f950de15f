"""The access log: a JSON line for each request, never a word of what was asked or answered.

Lines are kept for a moment and written together, so a request pays for making one and not for the disk.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lockgate.rotating import RotatingLog

KEPT_LINES = 100_000  # between two writes; more are counted instead of kept


class Line(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One request. `at`: seconds since 1970; `route`: the path's pattern; `bytes`: of the answer; `ms`: until it was out."""

    at: float
    method: str
    route: str  # empty: no address of ours
    status: int
    ms: float
    bytes: int
    model: str = ""
    version: str = ""
    arm: str = ""
    caller: str = ""  # a person's or an application's id
    id: str = ""  # of the record in the prediction log
    trace: str = ""


class AccessLog:
    """One worker's lines, in a file of its own that is rotated."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file, self._encode = RotatingLog(path), msgspec.json.Encoder().encode
        self._lines: list[bytes] = []
        self._left_out = 0

    def note(self, line: Line) -> None:
        """Keep a line for the next write."""
        if len(self._lines) < KEPT_LINES:
            self._lines.append(self._encode(line))
        else:
            self._left_out += 1

    def flush(self) -> None:
        """Write what was kept; how many lines did not fit is a line too."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        if self._left_out:
            lines.append(self._encode({"left_out": self._left_out}))
            self._left_out = 0
        lines.append(b"")
        self._file.write(b"\n".join(lines))
