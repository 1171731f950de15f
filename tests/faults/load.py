"""Callers at a given pace: one event loop, kept-alive connections, every answer noted by the number of its request.

Open loop: requests fall due by the clock, whether or not earlier ones were answered, and wait for a free connection; the
time of an answer counts from the moment when its request fell due. One that waited for `BEHIND_S` is given up and counted:
then this machine has no time to call at that pace. Without a pace (closed loop) every connection asks again
as soon as it was answered.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

TICK_S = 0.001
HEAD_END = b"\r\n\r\n"
BEHIND_S = 1.0
PATIENCE_S = 30.0  # for the last answers
AGAIN_S = 0.05  # after a connection was refused
BINS = np.geomspace(0.05, 60_000, 400)  # milliseconds; neighbours are 3.6 % apart


@dataclass
class Tally:
    """What callers saw. `answered[n]`: request n has its answer; `late_ms`: how long requests took, as a histogram."""

    statuses: Counter[int] = field(default_factory=Counter)
    gaps: int = 0  # answers that say that they are not on record
    given_up: int = 0  # requests that never left, because no connection was free for them
    broken: int = 0  # connections that ended in the middle of a request
    answered: bytearray = field(default_factory=bytearray)
    late_ms: np.ndarray = field(default_factory=lambda: np.zeros(len(BINS) + 1, dtype=np.int64))
    words: list[str] = field(default_factory=list)  # of the first answers that were not 200

    @property
    def good(self) -> int:
        """How many requests had a 200."""
        return self.statuses[200]

    def quantile_ms(self, share: float) -> float:
        """The time below which this share of answers came, to the upper edge of its bin."""
        place = int(np.searchsorted(np.cumsum(self.late_ms), share * self.late_ms.sum()))
        return float(BINS[min(place, len(BINS) - 1)])


Seen = Callable[[int, float, bytes], None]  # number, when it was sent (monotonic), the answer's head


class Load:
    """Requests numbered from 0 with the id `<name>-<number>`, as `body(id)` writes them."""

    def __init__(
        self,
        port: int,
        path: str,
        key: str,
        body: Callable[[str], bytes],
        *,
        name: str = "load",
        connections: int = 16,
        seen: Seen | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.host, self.port, self.name, self.seen = host, port, name, seen
        self.tally, self.number = Tally(), 0
        self.due: deque[float] = deque()  # open loop: when the requests that wait fell due
        self.free: list[Line] = []
        self.closed_loop = False
        self.stopped = False
        self._body, self._connections = body, connections
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/json\r\ncontent-length: "
        ).encode()

    async def run(self, seconds: float, rate: float | None = None) -> Tally:
        """Call for so long; returns when every request that was sent is answered or broken."""
        self.closed_loop, self.stopped = rate is None, False
        lines = [Line(self) for _ in range(self._connections)]
        await asyncio.gather(*(line.connect() for line in lines))
        end = time.monotonic() + seconds
        await self._pace(end, rate)
        self.stopped = True
        while any(line.sent is not None for line in lines) and time.monotonic() < end + PATIENCE_S:
            await asyncio.sleep(TICK_S)
        for line in lines:
            line.close()
        while any(line.open for line in lines):
            await asyncio.sleep(TICK_S)
        return self.tally

    def stop(self) -> None:
        """End `run` before its time."""
        self.stopped = True

    def request(self) -> tuple[int, bytes]:
        """The next request."""
        number, self.number = self.number, self.number + 1
        self.tally.answered.append(0)
        body = self._body(f"{self.name}-{number}")
        return number, b"%b%d\r\n\r\n%b" % (self._head, len(body), body)

    async def _pace(self, end: float, rate: float | None) -> None:
        start, made = time.monotonic(), 0
        while (now := time.monotonic()) < end and not self.stopped:
            while rate is not None and made < (now - start) * rate:
                self.due.append(start + made / rate)
                made += 1
            while self.due and self.due[0] < now - BEHIND_S:
                self.due.popleft()
                self.tally.given_up += 1
            while self.due and self.free:
                self.free.pop().send(self.due.popleft())
            await asyncio.sleep(TICK_S)


class Line(asyncio.Protocol):
    """One kept-alive connection with at most one request under way; made anew when it breaks."""

    def __init__(self, load: Load) -> None:
        self._load, self._transport, self._found = load, None, b""
        self.sent: tuple[int, float, float] | None = None  # number, fell due, was sent

    async def connect(self) -> None:
        """Connect, as often as it takes."""
        loop = asyncio.get_running_loop()
        while not self._load.stopped:
            try:
                await loop.create_connection(lambda: self, self._load.host, self._load.port)
            except OSError:
                await asyncio.sleep(AGAIN_S)
            else:
                return

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for a request."""
        self._transport = transport  # type: ignore[assignment]
        self._found = b""
        self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Make another; a request that was under way has no answer."""
        if self in self._load.free:
            self._load.free.remove(self)
        if self.sent is not None:
            self._load.tally.broken += 1
        self.sent, self._transport = None, None
        if not self._load.stopped:
            asyncio.get_running_loop().create_task(self.connect())

    def data_received(self, data: bytes) -> None:
        """Note an answer when it is whole."""
        found = self._found + data if self._found else data
        head_end = found.find(HEAD_END)
        if head_end < 0 or self.sent is None:
            self._found = found
            return
        head = found[:head_end].lower()
        place = head.find(b"content-length:")
        length = int(head[place + 15 :].split(b"\r\n", 1)[0])
        if len(found) < head_end + 4 + length:
            self._found = found
            return
        self._found = b""
        self._note(head, found[head_end + 4 :])
        if b"connection: close" in head:
            self.close()
        else:
            self._next()

    def send(self, due: float) -> None:
        """Ask for the next prediction."""
        number, request = self._load.request()
        self.sent = (number, due, time.monotonic())
        assert self._transport is not None
        self._transport.write(request)

    @property
    def open(self) -> bool:
        """Whether the connection stands."""
        return self._transport is not None

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def _next(self) -> None:
        if self._load.stopped:
            return
        if self._load.closed_loop:
            self.send(time.monotonic())
        elif self._load.due:
            self.send(self._load.due.popleft())
        else:
            self._load.free.append(self)

    def _note(self, head: bytes, body: bytes) -> None:
        assert self.sent is not None
        number, due, sent = self.sent
        tally, status = self._load.tally, int(head[9:12])
        self.sent = None
        tally.statuses[status] += 1
        tally.answered[number] = status == 200
        tally.late_ms[np.searchsorted(BINS, (time.monotonic() - due) * 1000)] += 1
        tally.gaps += b"x-lockgate-log: gap" in head
        if status != 200 and len(tally.words) < 20:
            tally.words.append(f"{status} {body.decode(errors='replace')}")
        if self._load.seen is not None:
            self._load.seen(number, sent, head)


def infer_body(rows: list[list[float]], names: list[str]) -> Callable[[str], bytes]:
    """Open Inference bodies of one row each, taken in turn; the id is the request's own."""
    rests = [
        json.dumps(
            [
                {"name": n, "shape": [1], "datatype": "FP32", "data": [v]}
                for n, v in zip(names, row, strict=True)
            ]
        ).encode()
        for row in rows
    ]

    def body(name: str) -> bytes:
        rest = rests[int(name.rpartition("-")[2]) % len(rests)]
        return b'{"id":"%b","inputs":%b}' % (name.encode(), rest)

    return body
