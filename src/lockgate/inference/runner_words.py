"""What a model's process prints: the last lines are kept for errors, however much comes.

A model that prints without end must not cost its owner more than a little time and memory: what comes faster than
MOST_BYTES_S waits in the pipe, and the model with it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import IO

KEPT_LINES = 200  # a trace through a deep library is a hundred lines
LINE_LETTERS = 500
READ_BYTES = 65_536
MOST_BYTES_S = 4 << 20


class RunnerWords:
    """Reads a stream in a thread of its own until it ends."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._rest = b""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(stream,), daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """The last lines, the newest last."""
        return [*self._lines, _line(self._rest)] if self._rest else list(self._lines)

    def wait(self, limit_s: float) -> None:
        """Until all that was printed is here, the process having ended; at most `limit_s`."""
        self._thread.join(limit_s)

    def close(self, limit_s: float) -> None:
        """Stop holding back what comes, and wait for the end of the stream."""
        self._closing.set()
        self._thread.join(limit_s)

    def _listen(self, stream: IO[bytes] | None) -> None:
        if stream is None:
            return
        with stream:
            while True:
                began_s = time.monotonic()
                chunk = stream.read1(READ_BYTES)  # type: ignore[attr-defined]
                if not chunk:
                    return
                self._keep(chunk)
                self._closing.wait(max(0.0, began_s + len(chunk) / MOST_BYTES_S - time.monotonic()))

    def _keep(self, chunk: bytes) -> None:
        *whole, rest = (self._rest + chunk).split(b"\n")
        self._lines.extend(_line(one) for one in whole[-KEPT_LINES:])
        self._rest = rest[:LINE_LETTERS]


def _line(raw: bytes) -> str:
    return raw[:LINE_LETTERS].decode(errors="replace").rstrip()
