"""A time that a file tells, so that a real gateway lives through months in minutes.

    python -m benchmarks.monitor.told_clock FILE --home DIR --port PORT --name gateway-0

runs a gateway worker as it is, but for its clock: what it records, and when it ends a segment, is by the file's time.
"""

from __future__ import annotations

import mmap
import sys
from pathlib import Path

from lockgate import clock
from lockgate.gateway import worker

_BYTES = 8


class ToldClock:
    """The time in a file: eight bytes of microseconds, whoever wrote them last."""

    def __init__(self, path: Path, at_us: int | None = None) -> None:
        if at_us is not None:
            path.write_bytes(at_us.to_bytes(_BYTES, "little"))
        with path.open("r+b") as file:
            self._told = mmap.mmap(file.fileno(), _BYTES)

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC, as told."""
        return int.from_bytes(self._told[:_BYTES], "little")

    def tell(self, at_us: int) -> None:
        """Go on to a time; never back."""
        self._told[:_BYTES] = max(at_us, self.now_us()).to_bytes(_BYTES, "little")

    def sleep(self, seconds: float) -> None:
        """Go on by so long, at once."""
        self.tell(self.now_us() + round(seconds * clock.SECOND_US))


def main() -> int:
    """The worker, by the told time."""
    told = ToldClock(Path(sys.argv[1]))
    clock.SystemClock.now_us = lambda _self: told.now_us()  # type: ignore[method-assign]
    return worker.main(sys.argv[2:])


if __name__ == "__main__":
    sys.exit(main())
