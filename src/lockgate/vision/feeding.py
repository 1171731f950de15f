"""Pictures in batches, decoded by threads a few ahead of the network, in an order that seed and epoch decide."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
AHEAD = 2  # batches that are being decoded while one is learned


def batches(count: int, size: int) -> list[tuple[int, int]]:
    """Where batches begin and end. A last one of a single picture joins the one before: batch norm needs two.

    >>> batches(7, 3), batches(8, 3), batches(2, 8)
    ([(0, 3), (3, 7)], [(0, 3), (3, 6), (6, 8)], [(0, 2)])
    """
    starts = list(range(0, count, size))
    if len(starts) > 1 and count - starts[-1] == 1:
        starts.pop()
    return list(zip(starts, [*starts[1:], count], strict=True))


def ahead(
    pool: ThreadPoolExecutor,
    numbers: Sequence[int],
    spans: Sequence[tuple[int, int]],
    make: Callable[[int], Made],
) -> Iterator[list[Made]]:
    """`make` of each number, a list for each span, made by `pool` a few spans ahead. What `make` raises is raised here."""
    waiting: deque[list[Future[Made]]] = deque()
    left = deque(spans)
    while left or waiting:
        while left and len(waiting) <= AHEAD:
            start, stop = left.popleft()
            waiting.append([pool.submit(make, int(number)) for number in numbers[start:stop]])
        yield [future.result() for future in waiting.popleft()]
