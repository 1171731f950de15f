"""Where a long history is counted: in this process, in several of this box, or on a Ray cluster; what comes of it is the same.

Orders go out as they are read and are taken in the same order, so that what is committed never runs ahead of what is counted.
What cannot be counted elsewhere (a process that died, a cluster that is away) is counted here, and that is said; so is what was
on its way beside it, since what it went to was let go.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Protocol

from lockgate.checks.running.connection import START_S, connected
from lockgate.errors import LockgateError, Unavailable
from lockgate.late import late
from lockgate.monitor.counted import Counted, Order, count_records

if TYPE_CHECKING:
    import ray
else:
    ray = late("ray")

TRIES = 2  # more, of an order whose machine went away
CLUSTER_ORDERS = 8  # on their way to a cluster at once: some forty megabytes each
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Waiting:
    """An order on its way. `take`: what it came to, waited for; raises nothing that counting it here would not."""

    take: Callable[[], Counted]


class Elsewhere(Protocol):
    """Somewhere to count. `most`: orders that may be on their way at once; `far`: on other machines, where no personal input
    goes."""

    most: int
    far: bool

    def begin(self, order: Order) -> Waiting:
        """Send an order out."""
        ...

    def trouble(self) -> str:
        """Why orders are counted here since the last time that this was asked; empty where none is."""
        ...

    def close(self) -> None:
        """Let processes and connections go; the next order starts them anew."""
        ...


class _Elsewhere:
    """What both kinds have in common: what fails there is done here."""

    def __init__(self) -> None:
        self._trouble = ""

    def trouble(self) -> str:
        """See `Elsewhere`."""
        said, self._trouble = self._trouble, ""
        return said

    def _or_here(self, order: Order, take: Callable[[], Counted]) -> Counted:
        try:
            return take()
        except (LockgateError, BrokenProcessPool, OSError) as error:
            return self._here(order, error)

    def _here(self, order: Order, error: Exception) -> Counted:
        said = error.sentence() if isinstance(error, LockgateError) else f"{type(error).__name__}: {error}"
        self._trouble = f"counted here: {said}"
        _log.warning("a piece of the log is %s", self._trouble)
        self.close()
        return count_records(order)

    def close(self) -> None:
        """See `Elsewhere`."""


class LocalProcesses(_Elsewhere):
    """Several processes of this box, for the length of a pass."""

    far = False

    def __init__(self, processes: int) -> None:
        super().__init__()
        self.most, self._processes = processes + 1, processes
        self._pool: ProcessPoolExecutor | None = None

    def begin(self, order: Order) -> Waiting:
        """See `Elsewhere`."""
        if self._pool is None:  # spawned: the monitor has threads
            self._pool = ProcessPoolExecutor(self._processes, mp_context=get_context("spawn"))
        pool = self._pool
        try:
            going: Future[Counted] = pool.submit(count_records, order)
        except BrokenProcessPool as error:
            found = self._here(order, error)
            return Waiting(lambda: found)
        return Waiting(
            lambda: self._or_here(order, going.result) if self._pool is pool else count_records(order)
        )

    def close(self) -> None:
        """See `Elsewhere`."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)


class RayProcesses(_Elsewhere):
    """A task an order on the cluster at `address` (`ray://HOST:10001`)."""

    far = True

    def __init__(self, address: str) -> None:
        super().__init__()
        self.most, self._address = CLUSTER_ORDERS, address
        self._connection: ExitStack | None = None

    def begin(self, order: Order) -> Waiting:
        """See `Elsewhere`."""
        try:
            if self._connection is None:
                with ExitStack() as stack:
                    stack.enter_context(connected(self._address))
                    self._connection = stack.pop_all()
            connection = self._connection
            going = ray.remote(count_records).options(num_cpus=1, max_retries=TRIES).remote(order)
        except (LockgateError, ConnectionError) as error:
            found = self._here(order, error)
            return Waiting(lambda: found)
        return Waiting(
            lambda: (
                self._or_here(order, lambda: self._taken(going))
                if self._connection is connection
                else count_records(order)
            )
        )

    def close(self) -> None:
        """See `Elsewhere`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _taken(self, going: Any) -> Counted:
        """What a task came to. Raises Unavailable where the cluster lost it."""
        try:
            found: Counted = ray.get(going, timeout=START_S)
        except (ray.exceptions.RayError, ConnectionError) as error:
            raise Unavailable(f"the Ray cluster at {self._address} did not count a piece of the log", got=str(error)[:300],
                              fix="see that it has machines; the piece is counted here") from error  # fmt: skip
        return found
