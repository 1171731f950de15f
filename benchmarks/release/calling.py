"""Applications that call a model all the time and note how long each answer took: a process of its own, at high priority.

    python -m benchmarks.release.calling GATEWAY KEY MODEL FILE

One thread and plain sockets, so that the caller is not what is measured. A line on standard input with the name of a trouble has
all callers ask for it from then on; when standard input ends, what was noted is left in FILE, a row a request, as `CALL` says.
"""

from __future__ import annotations

import heapq
import json
import os
import random
import selectors
import socket
import sys
import time
from contextlib import suppress

import numpy as np
from benchmarks.release.troubled import request

CONNECTIONS, PAUSE_S, SEED = 8, 0.04, 7
PRIORITY = -15  # of processes; for root alone
CALL = np.dtype(
    [("at_s", "f8"), ("seconds", "f8"), ("status", "i4"), ("canary", "?"), ("trouble", "?")]
)  # wall clock when it was sent; 0: the connection broke


class Line:
    """One application: a connection, and the request that is under way."""

    def __init__(self, where: tuple[str, int]) -> None:
        self._where = where
        self.socket = socket.create_connection(where)
        self.began_s, self.at_s, self.trouble = 0.0, 0.0, False
        self._came = b""

    def ask(self, body: bytes, head: bytes, *, trouble: bool) -> None:
        """Send one request."""
        self.trouble, self._came = trouble, b""
        self.at_s, self.began_s = time.time(), time.perf_counter()
        self.socket.sendall(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))

    def take(self) -> bytes | None:
        """The head of the answer once all of it is there. Raises OSError when the connection broke."""
        more = self.socket.recv(65_536)
        if not more:
            raise ConnectionResetError
        self._came += more
        head, found, body = self._came.partition(b"\r\n\r\n")
        if not found:
            return None
        _, _, rest = head.lower().partition(b"content-length:")
        return head if len(body) >= int(rest.split(b"\r\n", 1)[0]) else None

    def again(self) -> None:
        """Another connection in place of one that broke."""
        self.socket.close()
        self.socket = socket.create_connection(self._where)


class Caller:
    """All applications in turns; `calls` grows by one row an answer."""

    def __init__(self, gateway: str, key: str, model: str) -> None:
        host, _, port = gateway.partition("://")[2].rpartition(":")
        self._lines = [Line((host, int(port))) for _ in range(CONNECTIONS)]
        self._head = (
            f"POST /v2/models/{model}/infer HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {key}\r\n"
            "content-type: application/json\r\n"
        ).encode()
        self._version = f"x-lockgate-version: {model}/2\r\n".encode()
        self._rng, self._count = random.Random(SEED), 0
        self._trouble: str | None = None
        self.calls: list[tuple[float, float, int, bool, bool]] = []

    def run(self) -> None:
        """Call until standard input ends."""
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ, None)
            for line in self._lines:
                selector.register(line.socket, selectors.EVENT_READ, line)
            due = [(time.perf_counter() + self._pause_s(), number) for number in range(CONNECTIONS)]
            heapq.heapify(due)
            while True:
                for key, _ in selector.select(max(due[0][0] - time.perf_counter(), 0.0) if due else None):
                    if key.data is not None:
                        self._heard(key.data, selector, due)
                    elif not self._told():
                        return
                while due and due[0][0] <= time.perf_counter():
                    self._ask(self._lines[heapq.heappop(due)[1]])

    def _told(self) -> bool:
        words = os.read(sys.stdin.fileno(), 4096)
        if words:
            self._trouble = words.decode().splitlines()[-1]
        return bool(words)

    def _ask(self, line: Line) -> None:
        self._count += 1
        body = json.dumps(request(self._rng, f"k{self._count}", self._trouble)).encode()
        line.ask(body, self._head, trouble=self._trouble is not None)

    def _heard(self, line: Line, selector: selectors.BaseSelector, due: list[tuple[float, int]]) -> None:
        status, head = 0, b""
        try:
            came = line.take()
            if came is None:
                return
            head, status = came + b"\r\n", int(came[9:12])
        except OSError:
            selector.unregister(line.socket)
            line.again()
            selector.register(line.socket, selectors.EVENT_READ, line)
        seconds = time.perf_counter() - line.began_s
        self.calls.append((line.at_s, seconds, status, self._version in head, line.trouble))
        heapq.heappush(due, (time.perf_counter() + self._pause_s(), self._lines.index(line)))

    def _pause_s(self) -> float:
        return PAUSE_S * (0.5 + self._rng.random())


def main(gateway: str, key: str, model: str, file: str) -> None:
    """Call, then leave what was noted."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, PRIORITY)
    caller = Caller(gateway, key, model)
    caller.run()
    np.save(file, np.array(caller.calls, dtype=CALL))


if __name__ == "__main__":
    main(*sys.argv[1:])
