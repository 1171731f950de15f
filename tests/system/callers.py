"""Applications that never stop asking about loans, and a tally of what each of them saw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

import httpx
from benchmarks import callers
from tests.system.box import Box
from tests.system.loans import Loans, infer

CALLS_PER_CONNECTION = 20  # then a new one, which may reach another worker
Change = Callable[[dict[str, object], random.Random], dict[str, object]]


def as_it_is(row: dict[str, object], _rng: random.Random) -> dict[str, object]:
    """Rows go out as they are."""
    return row


class Callers(callers.Callers[httpx.Client]):
    """`with Callers(box, loans, "churn") as callers:` every id that had an answer is kept."""

    def __init__(
        self, box: Box, loans: Loans, model: str, *, threads: int = 4, pause_s: float = 0.01
    ) -> None:
        super().__init__(box.client, threads=threads, pause_s=pause_s, calls=CALLS_PER_CONNECTION)
        self._loans, self._model = loans, model
        self.change: Change = as_it_is  # may be replaced while they call
        self.answered: dict[str, int] = {}  # id that the caller chose -> status
        self.bad: list[str] = []
        self.versions: Counter[str] = Counter()

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """Ask about a loan of its own."""
        name = f"{self._model}-{name}"
        place = rng.randrange(len(self._loans.rows))
        asked = infer(self.change(self._loans.row(place), rng), key=f"loan-{name}", name=name)
        response = line.post(f"/v2/models/{self._model}/infer", json=asked)
        self.answered[name] = response.status_code
        self.versions[response.headers.get("x-lockgate-version", "")] += 1
        if response.status_code != 200:
            self.bad.append(f"{response.status_code} {response.text}")
