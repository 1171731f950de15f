"""Limits of callers: how many requests a key may send, counted over all workers of the box together.

The generic cell rate algorithm: a key's whole state is one number, the time at which it has used up what it sent so far.
So the state is one aligned 64-bit word in a file that every worker maps, and a key has its limit whichever workers its
connections reach. Reading and writing a word is done under a lock on its bytes, which the kernel drops with a process that
dies: a worker that was put to sleep between the two would write an old time back and let a whole burst in again.

Source: ITU-T I.371 (generic cell rate algorithm, virtual scheduling).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path

from lockgate.access import Caller, rate_words
from lockgate.gateway.refusals import Limited

WORDS_NAME = "limits.words"
SLOTS = 65_536  # keys that are told apart; the file has holes, so unused ones cost nothing
_WORD_BYTES = 8
_SECOND_NS = 1_000_000_000


class Words:
    """One shared 64-bit word for each key of the box."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.handle = os.open(folder / WORDS_NAME, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if os.fstat(self.handle).st_size < SLOTS * _WORD_BYTES:
                os.ftruncate(self.handle, SLOTS * _WORD_BYTES)
            self._map = mmap.mmap(self.handle, SLOTS * _WORD_BYTES)
        except BaseException:
            os.close(self.handle)
            raise
        self.view = memoryview(self._map).cast("Q")

    def close(self) -> None:
        """Let go of the mapping."""
        self.view.release()
        self._map.close()
        os.close(self.handle)


class Limit:
    """The limit of one key. `take` is called once for each request."""

    __slots__ = ("_apart_ns", "_clock", "_early_ns", "_handle", "_person", "_slot", "_view")

    def __init__(
        self,
        words: Words,
        caller: Caller,
        rate_per_s: float,
        burst: int | None,
        clock: Callable[[], int] = time.monotonic_ns,  # the machine's own: the same in every process
    ) -> None:
        self._view, self._handle, self._slot = words.view, words.handle, caller.number % SLOTS
        self._apart_ns = round(_SECOND_NS / rate_per_s)
        self._early_ns = (max(burst or round(rate_per_s), 1) - 1) * self._apart_ns
        self._person, self._clock = caller.person, clock

    @property
    def burst(self) -> int:
        """How many requests may come at once after a rest."""
        return self._early_ns // self._apart_ns + 1

    def take(self) -> None:
        """Count one request. Raises Limited when it comes too early."""
        at = self._slot * _WORD_BYTES
        fcntl.lockf(self._handle, fcntl.LOCK_EX, _WORD_BYTES, at)
        try:
            now = self._clock()
            used = self._view[self._slot]
            if used < now or used > now + self._early_ns + self._apart_ns:
                used = now  # rested; or the word is from before the machine was started anew
            early_ns = used - now - self._early_ns
            if early_ns <= 0:
                self._view[self._slot] = used + self._apart_ns
                return
        finally:
            fcntl.lockf(self._handle, fcntl.LOCK_UN, _WORD_BYTES, at)
        raise self._refusal(early_ns / _SECOND_NS)

    def _refusal(self, wait_s: float) -> Limited:
        rate = rate_words(_SECOND_NS / self._apart_ns)
        return Limited(
            f"the key of {self._person} sends more than it may",
            allowed=f"{rate}, {self.burst} at once",
            fix="wait, or ask an admin: lockgate key limit",
            limit="key",
            retry_after_s=wait_s,
        )


class KeyLimits:
    """Makes the limits of keys: a key's own, else the gateway's default, else none."""

    def __init__(self, words: Words, rate_per_s: float | None, burst: int | None) -> None:
        self._words, self._rate_per_s, self._burst = words, rate_per_s, burst

    def of(self, caller: Caller) -> Limit | None:
        """The limit of a caller's key. All callers without a key share one."""
        if caller.rate_per_s is not None:
            return Limit(self._words, caller, caller.rate_per_s, caller.burst)
        if self._rate_per_s is not None:
            return Limit(self._words, caller, self._rate_per_s, self._burst)
        return None
