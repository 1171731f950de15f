"""Both ways to a runner, one request at a time: asked by callers that wait, or by one event loop.

The descriptors never block. A caller that waits polls them; on an event loop a request is written at once and costs one
future and one timer, for the descriptor stays registered as long as the runner lives.
"""

from __future__ import annotations

import asyncio
import os
import select
import time
from collections.abc import Sequence

import numpy as np

from lockgate.runner import wire


class NotSent(ConnectionError):
    """The other end was gone before it had the whole request: nothing was computed."""


class Channel:
    """`reading` and `writing` may be one descriptor (a socket); both are closed by `close`."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        for descriptor in {reading, writing}:
            os.set_blocking(descriptor, False)
        self._inbox = wire.Inbox(reading, _room)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answer: asyncio.Future[wire.Frame] | None = None
        self._number, self._most_bytes = 0, 0
        self._left: list[wire.Buffer] = []
        self._closed = False
        self.broken: Exception | None = None

    @property
    def in_loop(self) -> bool:
        """Whether an event loop owns this channel."""
        return self._loop is not None

    def ask(
        self, kind: int, number: int, parts: Sequence[wire.Buffer], ends_s: float, most_bytes: int
    ) -> wire.Frame:
        """Send a request and wait for its answer until `ends_s` (monotonic seconds).

        Raises TimeoutError, NotSent, OSError (the other end is gone) and BadFrame.
        """
        self._write_all(wire.frame_of(kind, number, parts), ends_s)
        while True:
            self._wait(self._reading, select.POLLIN, ends_s)
            try:
                frame = self._inbox.read(most_bytes)
            except BlockingIOError:
                continue
            if frame is not None and frame.request == number:
                return frame

    async def ask_async(
        self, kind: int, number: int, parts: Sequence[wire.Buffer], ends_s: float, most_bytes: int
    ) -> wire.Frame:
        """The same on the running event loop, to which the channel belongs from the first call on."""
        loop = self._loop or self._adopt()
        if self.broken is not None:
            raise NotSent(str(self.broken))
        answer: asyncio.Future[wire.Frame] = loop.create_future()
        self._answer = answer
        self._number, self._most_bytes = number, most_bytes
        timer = loop.call_later(max(ends_s - time.monotonic(), 0.0), self._fail, TimeoutError())
        try:
            self._write(wire.frame_of(kind, number, parts))
            return await answer
        finally:
            self._answer = None
            timer.cancel()

    def close(self) -> None:
        """Let go of the descriptors, on the loop that owns them if one does. From any thread; twice does no harm."""
        loop = self._loop
        if loop is None or loop.is_closed() or _runs_here(loop):
            self._close()
        else:
            loop.call_soon_threadsafe(self._close)

    def _close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._break(wire.Closed("the channel was closed"))
        for descriptor in {self._reading, self._writing}:
            os.close(descriptor)

    def _adopt(self) -> asyncio.AbstractEventLoop:
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reading, self._readable)
        return self._loop

    def _readable(self) -> None:
        """Something came: an answer, a part of one, or the end of the runner."""
        try:
            while True:
                frame = self._inbox.read(self._most_bytes)
                if frame is not None:
                    break
        except BlockingIOError:
            return
        except (OSError, wire.BadFrame) as error:
            self._break(error)
            return
        if self._answer is not None and not self._answer.done() and frame.request == self._number:
            self._answer.set_result(frame)

    def _write(self, frame: list[wire.Buffer]) -> None:
        try:
            self._left = wire.write(self._writing, frame)
        except OSError as error:
            self._break(NotSent(str(error)))
            return
        if self._left and self._loop is not None:
            self._loop.add_writer(self._writing, self._writable)

    def _writable(self) -> None:
        try:
            self._left = wire.write(self._writing, self._left)
        except OSError as error:
            self._left = []
            self._break(NotSent(str(error)))
        if not self._left and self._loop is not None:
            self._loop.remove_writer(self._writing)

    def _break(self, error: Exception) -> None:
        """Nothing will come any more; without this an ended runner would be readable for ever."""
        self.broken = error
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._reading)
            self._loop.remove_writer(self._writing)
        self._fail(NotSent(str(error)) if self._left else error)
        self._left = []

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)

    def _write_all(self, left: list[wire.Buffer], ends_s: float) -> None:
        try:
            while left := wire.write(self._writing, left):
                self._wait(self._writing, select.POLLOUT, ends_s)
        except TimeoutError:
            raise
        except OSError as error:
            raise NotSent(str(error)) from error

    def _wait(self, descriptor: int, event: int, ends_s: float) -> None:
        poll = select.poll()
        poll.register(descriptor, event)
        if not poll.poll(max(ends_s - time.monotonic(), 0.001) * 1000):
            raise TimeoutError


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def _room(size: int) -> wire.Buffer:
    """Memory that is not touched before bytes arrive: a header alone costs nothing."""
    return np.empty(size, dtype=np.uint8)
