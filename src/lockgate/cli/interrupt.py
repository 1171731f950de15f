"""Ctrl-C: said once, at once, and the command ends, whatever library is in the middle of what."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STATUS = 130
LAST_WAIT_S = 5.0  # for what is closed on the way out


class Interrupted:
    """Whether Ctrl-C was pressed. True from then on."""

    def __init__(self, last_wait_s: float = LAST_WAIT_S) -> None:
        self._pressed, self._last_wait_s = False, last_wait_s

    def __bool__(self) -> bool:
        return self._pressed

    def press(self, _number: int, _frame: FrameType | None) -> None:
        """The first unwinds, so that uploads and temporary files go; a second one, or five seconds, end it there."""
        if self._pressed:
            leave()
        self._pressed = True
        os.write(2, b"\ninterrupted\n")
        last = threading.Timer(self._last_wait_s, leave)  # some library may swallow the exception
        last.daemon = True
        last.start()
        raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[Interrupted]:
    """Take Ctrl-C for the length of a block; only the main thread can, elsewhere nothing changes."""
    pressed = Interrupted()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    former = signal.signal(signal.SIGINT, pressed.press)
    try:
        yield pressed
    finally:
        if not pressed:
            signal.signal(signal.SIGINT, former)


def leave() -> None:
    """End here: work that still runs in a thread is left as by a kill, and nothing of it is half-made."""
    os._exit(STATUS)
