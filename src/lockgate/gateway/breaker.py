"""The local breaker: after a few canary failures in a row this worker stops sending it requests, asking nobody."""

from __future__ import annotations

from lockgate.clock import Clock
from lockgate.membership import Tripped

FAILURES_IN_ROW = (
    5  # a canary that is right nine times out of ten trips on 1 in 100,000 requests, a dead one at once
)


class Breaker:
    """Counts failures in a row for each release. A release that tripped stays out until the worker starts again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._row: dict[int, int] = {}
        self._tripped: dict[int, Tripped] = {}

    @property
    def tripped(self) -> tuple[Tripped, ...]:
        """What was dropped, for the member's report."""
        return tuple(self._tripped.values())

    def is_open(self, release: int | None) -> bool:
        """Whether that release's canary gets no requests any more."""
        return release in self._tripped

    def succeeded(self, release: int | None) -> None:
        """The canary answered as it should."""
        if release is not None and release in self._row:
            del self._row[release]

    def failed(self, release: int | None, reason: str) -> bool:
        """The canary raised, was too slow or gave an invalid answer; true when this one tripped the breaker."""
        if release is None or release in self._tripped:
            return False
        self._row[release] = self._row.get(release, 0) + 1
        if self._row[release] < FAILURES_IN_ROW:
            return False
        sentence = f"{FAILURES_IN_ROW} failures in a row, the last: {reason}"
        self._tripped[release] = Tripped(release=release, reason=sentence, at_us=self._clock.now_us())
        return True

    def forget(self, releases: set[int]) -> None:
        """Keep only what concerns these releases: the others are over."""
        self._row = {release: count for release, count in self._row.items() if release in releases}
        self._tripped = {release: word for release, word in self._tripped.items() if release in releases}
