"""Applications that never stop calling: with what benchmarks and tests of faults keep a box under load."""

from __future__ import annotations

import itertools
import random
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, Self, TypeVar

import httpx

PAUSE_S = 0.05  # after a connection that broke
Line = TypeVar("Line")


class Callers(ABC, Generic[Line]):
    """`with Mine(...) as callers:` calls from so many threads until the block ends; what a call sees its `call` keeps.

    `line` opens a connection, for so many `calls` (None: as long as it holds). One that ends with an error of `breaks` is counted
    in `broken`, and another is opened.
    """

    def __init__(
        self,
        line: Callable[[], AbstractContextManager[Line]],
        *,
        threads: int = 4,
        pause_s: float = 0.01,
        calls: int | None = None,
        breaks: tuple[type[Exception], ...] = (httpx.TransportError,),
    ) -> None:
        self._line, self._pause_s, self._calls, self._breaks = line, pause_s, calls, breaks
        self._done = threading.Event()
        self.broken = 0
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"caller-{n}") for n in range(threads)
        ]

    @abstractmethod
    def call(self, line: Line, name: str, rng: random.Random) -> None:
        """One request, under a name that no other has; `rng` is the caller's own."""

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()

    def _run(self, number: int) -> None:
        rng, count = random.Random(number), itertools.count(1)
        while not self._done.is_set():
            try:
                with self._line() as line:
                    for _ in itertools.count() if self._calls is None else range(self._calls):
                        self.call(line, f"{number}-{next(count)}", rng)
                        if self._done.wait(self._pause_s):
                            return
            except self._breaks:
                self.broken += 1
                self._done.wait(PAUSE_S)
