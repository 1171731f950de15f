"""How fast a queue empties, so that who is turned away hears when to come back."""

from __future__ import annotations

WINDOW_S = 1.0  # over which the pace is taken
SHORTEST_S, LONGEST_S = 0.1, 60.0


class Drain:
    """The pace of one queue: requests that left it in the present window, or in the one before while that is young."""

    __slots__ = ("_count", "_pace", "_since_s")

    def __init__(self) -> None:
        self._count, self._since_s, self._pace = 0, 0.0, 0.0

    def left(self, count: int, now_s: float) -> None:
        """Note that requests left the queue. `now_s`: of the monotonic clock."""
        past_s = now_s - self._since_s
        if past_s >= WINDOW_S:
            # a window that nobody looked at for long was one of rest, and says nothing of the pace under load
            self._pace = self._count / past_s if past_s < 2 * WINDOW_S else 0.0
            self._count, self._since_s = 0, now_s
        self._count += count

    def wait_s(self, waiting: int, now_s: float) -> float:
        """How long until so many are through, at the present pace; the longest that is ever said when nothing moves."""
        past_s = now_s - self._since_s
        pace = max(self._count / past_s if past_s >= WINDOW_S / 4 else 0.0, self._pace)
        return min(max(waiting / pace, SHORTEST_S), LONGEST_S) if pace > 0 else LONGEST_S
