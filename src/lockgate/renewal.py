"""Replacing children one after the other: the next is asked to stop only when the one before does its work again."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from lockgate.running import Running

LOOK_S = 0.1  # between looks at a child that is being replaced
PATIENCE_S = 60.0  # a successor that is not ready by then holds up the others no longer


class Renewal:
    """Which children are still to be replaced, and which one is now."""

    def __init__(self) -> None:
        self._left: deque[Running] = deque()
        self._now: Running | None = None
        self._before, self._since_s = 0, 0.0

    def begin(self, running: Iterable[Running]) -> None:
        """Replace these, as far as they say when they are ready. Asked again meanwhile: once more for all."""
        self._left = deque(one for one in running if one.child.ready is not None)

    def step(self, now_s: float) -> bool:
        """Go on as far as possible; whether there is something to wait for. `now_s`: of the monotonic clock."""
        if self._now is not None:
            if not self._is_done(self._now, now_s):
                return True
            self._now = None
        while self._left and self._now is None:
            one = self._left.popleft()
            if one.pid is not None:  # a dead one is started anew in any case
                self._now, self._before, self._since_s = one, one.pid, now_s
                one.renew()
        return self._now is not None

    def _is_done(self, one: Running, now_s: float) -> bool:
        if one.pid == self._before:
            if now_s - self._since_s > one.child.stop_s:
                one.end_hard()
            return False
        assert one.child.ready is not None  # noqa: S101  seen in begin
        return (one.pid is not None and one.child.ready(one.pid)) or now_s - self._since_s > PATIENCE_S
