"""A bound on the bodies that are held at once, over all models of a worker, so that a flood cannot fill the memory.

While several models are served, one of them gets at most half (or one body, however large): a flood of one leaves room
for the others.
"""

from __future__ import annotations

from collections.abc import Callable

from lockgate.gateway.refusals import Limited

SHARE_OF_ONE = 0.5  # of the bound, for one of several models
RETRY_AFTER_S = 1.0  # bodies come and go within a request's time


class BodyMemory:
    """Counts the bytes of bodies from before they are read until they are answered."""

    def __init__(self, limit_bytes: int, models: Callable[[], int]) -> None:
        self._limit_bytes, self._models = limit_bytes, models
        self._of: dict[str, int] = {}
        self.held_bytes = 0

    def take(self, model: str, size_bytes: int) -> None:
        """Reserve room for a body. Raises Limited when there is none."""
        own = self._of.get(model, 0) + size_bytes
        full = self.held_bytes + size_bytes > self._limit_bytes
        greedy = size_bytes < own > SHARE_OF_ONE * self._limit_bytes and self._models() > 1
        if full or greedy:
            raise Limited(
                "the bodies of the requests that are being answered fill the room that there is for them",
                fix="try again in a second, or send fewer large requests at once",
                limit="memory",
                retry_after_s=RETRY_AFTER_S,
            )
        self._of[model] = own
        self.held_bytes += size_bytes

    def give(self, model: str, size_bytes: int) -> None:
        """Let go of what `take` reserved."""
        self.held_bytes -= size_bytes
        left = self._of.get(model, 0) - size_bytes
        if left:
            self._of[model] = left
        else:
            self._of.pop(model, None)


class Room:
    """What one body holds of the memory."""

    __slots__ = ("_memory", "_model", "size_bytes")

    def __init__(self, memory: BodyMemory, model: str) -> None:
        self._memory, self._model, self.size_bytes = memory, model, 0

    def grow(self, more_bytes: int) -> None:
        """Hold that much more; less than nothing gives some back. Raises Limited."""
        if more_bytes > 0:
            self._memory.take(self._model, more_bytes)
        elif more_bytes < 0:
            self._memory.give(self._model, -more_bytes)
        self.size_bytes += more_bytes

    def clear(self) -> None:
        """Give everything back."""
        if self.size_bytes:
            self._memory.give(self._model, self.size_bytes)
            self.size_bytes = 0
