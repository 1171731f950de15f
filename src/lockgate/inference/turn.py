"""One after the other: models that are loaded beside those that serve take turns on a host, by the lock of a file.

Loading a model keeps a processor busy for seconds. Were all workers of a host to load the same new version at once, callers of
the live one would feel it. The kernel lets go of the lock of whoever dies.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

# The file, asked at each start: None for what serves by then, which waits for nobody.
Where = Callable[[], Path | None]
LOOK_S = 0.02
PATIENCE_S = (
    10.0  # then it is loaded all the same: one that hangs while it loads must hold up no other for long
)


@contextmanager
def turn(
    path: Path | None, over: Callable[[float], bool], *, patience_s: float = PATIENCE_S
) -> Iterator[bool]:
    """Hold the turn while the block runs; whether it is held. No path: nobody else is waited for.

    `over(seconds)` waits so long, and says whether there is nothing to load any more: then the block runs at once.
    """
    if path is None:
        yield False
        return
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield _taken(lock, over, time.monotonic() + patience_s)
    finally:
        os.close(lock)


def _taken(lock: int, over: Callable[[float], bool], until_s: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if over(LOOK_S) or time.monotonic() >= until_s:
                return False
        else:
            return True
