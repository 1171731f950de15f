"""Applications that call the gateway: real rows, in time order, over plain HTTP, and a tally of what they saw."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pandas as pd

RETRIES = 20
RETRY_PAUSE_S = 0.05


@dataclass
class Tally:
    """What callers saw: answers by HTTP status, by version, and every request id that was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    answered: set[str] = field(default_factory=set)
    connections_lost: int = 0
    lost_for_good: int = 0

    @property
    def failed(self) -> int:
        """Requests that ended without a good answer."""
        return sum(n for status, n in self.statuses.items() if status != 200) + self.lost_for_good


class Callers:
    """A few callers that share one stream of rows. `run()` starts them, `stop()` waits for the last answer."""

    def __init__(
        self,
        url: str,
        key: str,
        model: str,
        rows: pd.DataFrame,
        *,
        time_column: str,
        rate: float,
        callers: int,
    ) -> None:
        self.tally, self.now = Tally(), rows[time_column].iloc[0]
        self._rows, self._time = _endless(rows), time_column
        self._url, self._model, self._key = f"{url}/v2/models/{model}/infer", model, key
        self._pause_s, self._callers = callers / rate, callers
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._until: pd.Timestamp | None = None
        self._threads: list[threading.Thread] = []

    def run(self) -> Callers:
        """Start calling."""
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(self._callers)]
        for thread in self._threads:
            thread.start()
        return self

    def until(self, time: str | None) -> None:
        """Let the stream run up to a time of the data and wait there; None: let it run on."""
        self._until = None if time is None else pd.Timestamp(time)

    def stop(self) -> Tally:
        """Let every caller finish its request, then return what they saw."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout=30)
        return self.tally

    def _call(self) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {self._key}"}, timeout=15) as client:
            while not self._stopping.is_set():
                if self._until is not None and self.now >= self._until:
                    self._stopping.wait(RETRY_PAUSE_S)
                    continue
                with self._lock:
                    row = next(self._rows)
                    self.now = row[self._time]
                started = time.monotonic()
                self._one(client, row)
                self._stopping.wait(max(0.0, self._pause_s - (time.monotonic() - started)))

    def _one(self, client: httpx.Client, row: pd.Series) -> None:
        body = {"inputs": [_tensor(str(name), value) for name, value in row.items() if name != self._time]}
        for _ in range(RETRIES):
            try:
                answer = client.post(self._url, json=body)
            except httpx.TransportError:
                with self._lock:
                    self.tally.connections_lost += 1
                time.sleep(RETRY_PAUSE_S)
                continue
            with self._lock:
                self.tally.statuses[answer.status_code] += 1
                self.tally.versions[answer.headers.get("x-lockgate-version", "?")] += 1
                if answer.status_code == 200:
                    self.tally.answered.add(answer.headers["x-lockgate-request-id"])
            return
        with self._lock:
            self.tally.lost_for_good += 1


def _endless(rows: pd.DataFrame) -> Iterator[pd.Series]:
    while True:
        for _, row in rows.iterrows():
            yield row


def _tensor(name: str, value: object) -> dict[str, object]:
    if isinstance(value, str):
        return {"name": name, "datatype": "BYTES", "shape": [1], "data": [value]}
    number = float(value)  # type: ignore[arg-type]
    if number != number:  # noqa: PLR0124 - a missing word is sent as null
        return {"name": name, "datatype": "BYTES", "shape": [1], "data": [None]}
    return {"name": name, "datatype": "FP64", "shape": [1], "data": [number]}
