"""Applications that never stop calling, and a tally of what each of them saw."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import httpx
from tests.system.box import Box
from tests.system.loans import Loans, infer

CALLS_PER_CONNECTION = 20  # then a new one, which may reach another worker
Change = Callable[[dict[str, object], random.Random], dict[str, object]]


def as_it_is(row: dict[str, object], _rng: random.Random) -> dict[str, object]:
    """Rows go out as they are."""
    return row


class Callers:
    """`with Callers(box, loans, "churn") as callers:` calls until the block ends. Broken connections are counted and
    called again; every id that had an answer is kept."""

    def __init__(
        self, box: Box, loans: Loans, model: str, *, threads: int = 4, pause_s: float = 0.01
    ) -> None:
        self._box, self._loans, self._model, self._pause_s = box, loans, model, pause_s
        self._done = threading.Event()
        self.change: Change = as_it_is  # may be replaced while they call
        self.answered: dict[str, int] = {}  # id that the caller chose -> status
        self.bad: list[str] = []
        self.versions: Counter[str] = Counter()
        self.broken = 0
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"caller-{n}") for n in range(threads)
        ]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, number: int) -> None:
        count, rng = 0, random.Random(number)
        while not self._done.is_set():
            try:
                with self._box.client() as client:
                    for _ in range(CALLS_PER_CONNECTION):
                        if self._done.is_set():
                            return
                        count += 1
                        self._call(client, f"{self._model}-{number}-{count}", rng)
                        time.sleep(self._pause_s)
            except httpx.TransportError:
                self.broken += 1
                time.sleep(0.05)

    def _call(self, client: httpx.Client, name: str, rng: random.Random) -> None:
        place = rng.randrange(len(self._loans.rows))
        asked = infer(self.change(self._loans.row(place), rng), key=f"loan-{name}", name=name)
        response = client.post(f"/v2/models/{self._model}/infer", json=asked)
        self.answered[name] = response.status_code
        self.versions[response.headers.get("x-lockgate-version", "")] += 1
        if response.status_code != 200:
            self.bad.append(f"{response.status_code} {response.text}")
