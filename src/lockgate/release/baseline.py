"""What a model's traffic is like: rate, keys, heavy keys, latency, errors; small enough to keep for every model.

One `Baseline` per model is folded from the prediction log, whoever is being released. A plan is computed from its
`Traffic`, and thresholds of slow requests are frozen from it before a canary starts.
"""

from __future__ import annotations

import bisect
import math
from hashlib import blake2b

import msgspec

from lockgate.clock import DAY_US, HOUR_US, SECOND_US
from lockgate.predictions.record import SLOW, Record

BIN_RATIO = 1.02  # width of a latency bin: thresholds are exact to 2 %
SKETCH_HASHES = 1024  # k smallest hashes: distinct keys to about 3 %
HEAVY_SHARE = 0.01
HEAVY_COUNTERS = 400  # Misra & Gries (1982): counts of keys above 1/400 are at most n/400 too low
HEAVY_SLACK = 1 / HEAVY_COUNTERS
MEMORY_US = 14 * DAY_US  # older traffic counts half
DAY_HOURS = 24
RATE_HOURS = 72  # the rate is that of the last three days
KEYS_US = 7 * DAY_US  # keys are counted over the last one to two weeks
AHEAD_US = 60 * SECOND_US  # hosts' clocks may differ by this much
T99_REQUESTS = 20_000
T95_REQUESTS = 2_000


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """Traffic in numbers. Latencies are microseconds of the live version; None: too few requests to say."""

    requests: int = 0
    span_s: float = 0.0
    keyed_share: float = 0.0
    keys: int = 0
    heavy: tuple[str, ...] = ()  # keys with more than 1 % of the traffic
    error_share: float = 0.0
    longest_gap_s: float = 0.0
    p50_us: int | None = None
    t95_us: int | None = None
    t99_us: int | None = None
    latencies: int = 0

    @property
    def per_s(self) -> float:
        """Requests per second; 0 when nothing was measured."""
        return self.requests / self.span_s if self.span_s > 0 else 0.0


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """The last 24 hours of a model's callers, by full hours and the one that runs."""

    requests: int = 0
    errors: int = 0

    @property
    def error_share(self) -> float:
        """Of requests that got no answer through no fault of the caller; 0 without any request."""
        return self.errors / self.requests if self.requests else 0.0


class Baseline(msgspec.Struct, kw_only=True):
    """The state behind `Traffic`: grows record by record, is snapshot as one value."""

    requests: int = 0
    keyed: int = 0
    errors: int = 0
    first_us: int = 0
    last_us: int = 0
    longest_gap_us: int = 0
    digest: str = ""  # of the live version that the latencies belong to
    hours: dict[int, int] = {}  # hour since 1970 -> requests, the last RATE_HOURS
    failed_hours: dict[int, int] = {}  # and those that failed
    latency: dict[int, int] = {}
    latencies: int = 0
    smallest: list[int] = []  # sorted, the smallest hashes of keys
    smallest_before: list[int] = []  # of the week before
    keys_us: int = 0  # when the present week of keys began
    counters: dict[str, int] = {}

    def add(self, record: Record) -> None:
        """Count one request that a caller sent."""
        self._time(record.at_us)
        self.requests += 1
        failed = is_error(record) or (record.failed is not None and record.failed.reason != SLOW)
        self.errors += failed
        if is_error(record):  # the caller saw it: a canary that live answered for is none
            hour = record.at_us // HOUR_US
            self.failed_hours[hour] = self.failed_hours.get(hour, 0) + 1
        if record.key is not None:
            self.keyed += 1
            self._key(record.key)
        if record.weight == 0.0 and not failed and record.digest:
            self._latency(record)

    def set_back(self, now_us: int) -> None:
        """Forget times that lie ahead of now: the clock had stepped, and rate and silence would be wrong until then."""
        if self.last_us <= now_us + AHEAD_US:
            return
        self.hours, self.failed_hours = (
            {hour: n for hour, n in held.items() if hour * HOUR_US <= now_us}
            for held in (self.hours, self.failed_hours)
        )
        self.first_us, self.keys_us = min(self.first_us, now_us), min(self.keys_us, now_us)
        self.last_us, self.longest_gap_us = now_us, 0

    def traffic(self) -> Traffic:
        """The numbers so far."""
        since_us = max(self.first_us, min(self.hours, default=0) * HOUR_US)
        return Traffic(
            requests=sum(self.hours.values()),
            span_s=(self.last_us - since_us) / SECOND_US,
            keyed_share=self.keyed / self.requests if self.requests else 0.0,
            keys=distinct(sorted({*self.smallest, *self.smallest_before})[:SKETCH_HASHES]),
            heavy=self._heavy(),
            error_share=self.errors / self.requests if self.requests else 0.0,
            longest_gap_s=self.longest_gap_us / SECOND_US,
            p50_us=self.within_us(0.5) if self.latencies else None,
            t95_us=self.within_us(0.95) if self.latencies >= T95_REQUESTS else None,
            t99_us=self.within_us(0.99) if self.latencies >= T99_REQUESTS else None,
            latencies=self.latencies,
        )

    def day(self, now_us: int) -> Day:
        """What came in the last 24 hours."""
        since = now_us // HOUR_US - DAY_HOURS
        return Day(
            requests=sum(n for hour, n in self.hours.items() if hour > since),
            errors=sum(n for hour, n in self.failed_hours.items() if hour > since),
        )

    def within_us(self, share: float) -> int:
        """The time within which that share of the live version's answers came; there must be some."""
        left = share * self.latencies
        for place in sorted(self.latency):
            left -= self.latency[place]
            if left <= 0:
                break
        return math.ceil(BIN_RATIO**place)

    def _time(self, at_us: int) -> None:
        if not self.requests:
            self.first_us = self.last_us = at_us
        if at_us > self.last_us:
            self.longest_gap_us = max(self.longest_gap_us, at_us - self.last_us)
            self.last_us = at_us
        hour = at_us // HOUR_US
        self.hours[hour] = self.hours.get(hour, 0) + 1
        if min(self.hours) <= hour - RATE_HOURS:
            self.hours = {held: n for held, n in self.hours.items() if held > hour - RATE_HOURS}
            self.failed_hours = {held: n for held, n in self.failed_hours.items() if held > hour - RATE_HOURS}
        if at_us - self.keys_us > KEYS_US:
            self.keys_us, self.smallest_before, self.smallest = at_us, self.smallest, []
        if self.last_us - self.first_us > MEMORY_US:
            self.first_us += (self.last_us - self.first_us) // 2
            self.longest_gap_us //= 2
            self.requests, self.keyed, self.errors = self.requests // 2, self.keyed // 2, self.errors // 2
            self.counters = {key: n // 2 for key, n in self.counters.items() if n > 1}

    def _latency(self, record: Record) -> None:
        if record.digest != self.digest:
            self.digest, self.latency, self.latencies = record.digest, {}, 0
        place = math.ceil(math.log(max(record.latency_us, 1)) / math.log(BIN_RATIO))
        self.latency[place] = self.latency.get(place, 0) + 1
        self.latencies += 1

    def _key(self, key: str) -> None:
        hashed = key_number(key)
        place = bisect.bisect_left(self.smallest, hashed)
        known = place < len(self.smallest) and self.smallest[place] == hashed
        if not known and (len(self.smallest) < SKETCH_HASHES or place < SKETCH_HASHES):
            self.smallest.insert(place, hashed)
            del self.smallest[SKETCH_HASHES:]
        if key in self.counters or len(self.counters) < HEAVY_COUNTERS:
            self.counters[key] = self.counters.get(key, 0) + 1
        else:
            self.counters = {held: n - 1 for held, n in self.counters.items() if n > 1}

    def _heavy(self) -> tuple[str, ...]:
        least = max((HEAVY_SHARE - HEAVY_SLACK) * self.requests, 10)
        return tuple(sorted(key for key, n in self.counters.items() if n > least))


def distinct(smallest: list[int]) -> int:
    """How many keys there are, from the k smallest of their hashes (Bar-Yossef et al., 2002).

    >>> distinct([2**61, 2**62])
    2
    """
    if len(smallest) < SKETCH_HASHES:
        return len(smallest)
    return round((SKETCH_HASHES - 1) / (smallest[-1] / 2.0**63))


def key_number(key: str) -> int:
    """A key as 63 bits, the same in every process; not the hash that assigns arms, which is salted per release."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") >> 1


def is_error(record: Record) -> bool:
    """Whether the caller got no answer through no fault of their own: failed, timed out, overloaded."""
    return record.status >= 500 or record.status == 429
