"""Request ids: UUIDv7 in hex, so that ids sort by time and never meet, whatever process made them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable


def id_maker() -> Callable[[], str]:
    """A function that makes the next id. Each process makes its own: the random bits start from the kernel's.

    >>> make = id_maker()
    >>> one = make()
    >>> len(one), one[12], one < make() or "same millisecond"
    (32, '7', True)
    """
    bits = random.SystemRandom().getrandbits(256)
    source = random.Random(bits)  # noqa: S311  ids must be unique, not secret
    last = 0

    def make() -> str:
        nonlocal last
        # The 12 bits after the time count on inside a millisecond: ids of one process keep their order.
        stamp = max((time.time_ns() // 1_000_000) << 12, last + 1)
        last = stamp
        high = (stamp >> 12) << 16 | 0x7000 | (stamp & 0xFFF)
        return f"{high << 64 | 0x8000000000000000 | source.getrandbits(62):032x}"

    return make
