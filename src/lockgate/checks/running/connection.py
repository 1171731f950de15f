"""The connection to a Ray cluster: one a process, shared by everything that computes there now, gone with the last of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING

from lockgate.checks.running.node import versions
from lockgate.errors import Busy, Conflict, MissingExtra, Unavailable
from lockgate.late import late

if TYPE_CHECKING:
    import ray
else:
    ray = late("ray")

# Ray reads it when it is imported, at the first connection: without it, what is asked after a connection was lost would begin a
# cluster of its own on this machine, and go on there.
os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")

CONNECTIONS = 3
START_S = 300.0  # as long may a cluster be silent: machines may have to be started first
_NAMESPACE = "lockgate"


@dataclass
class _Shared:
    """`users`: the address, once for each who is connected; `ours`: nobody else had connected this process before."""

    users: list[str] = field(default_factory=list)
    ours: bool = True


_lock, _shared = threading.Lock(), _Shared()


@contextmanager
def connected(address: str) -> Iterator[None]:
    """A connection to a cluster that can run our code, for the length of a block.

    Raises MissingExtra, Unavailable when there is no cluster, Conflict for another lockgate there, Busy while this process
    computes on another cluster.
    """
    try:
        _join(address)
        try:
            yield
        finally:
            _leave(address)
    except ImportError as error:
        if isinstance(error, MissingExtra) or (error.name or "").partition(".")[0] != "ray":
            raise
        raise MissingExtra("computing on a Ray cluster needs Ray", got=str(error),
                           fix="install lockgate[ray], with the Ray of the cluster") from error  # fmt: skip
    except ConnectionError as error:
        raise _unreachable(address, error) from error
    except Exception as error:
        if type(error).__name__ != "RaySystemError":
            raise
        raise _unreachable(address, error) from error


def _join(address: str) -> None:
    with _lock:
        users = _shared.users
        if users and users[0] != address:
            raise Busy(
                "this process computes on another cluster now",
                got=address,
                allowed=users[0],
                fix="wait for its end",
            )
        if not users:
            _shared.ours = not ray.is_initialized()
            if _shared.ours:
                _connect(address)
        users.append(address)
    try:
        _refuse_another_lockgate(address)
    except BaseException:
        _leave(address)
        raise


def _leave(address: str) -> None:
    with _lock:
        _shared.users.remove(address)
        if not _shared.users and _shared.ours:
            ray.shutdown()


def _unreachable(address: str, error: Exception) -> Unavailable:
    return Unavailable(f"the Ray cluster at {address} cannot be reached", got=str(error)[:300],
                       fix="see that it runs, with this Ray and this Python; or --compute local")  # fmt: skip


def _connect(address: str) -> None:
    """A busy head needs more than one try: it starts a server for each who connects, and waits for that half a minute."""
    for left in reversed(range(CONNECTIONS)):
        try:
            ray.init(address, namespace=_NAMESPACE, log_to_driver=False, logging_level="ERROR")
        except ConnectionError:
            if not left:
                raise
        else:
            return


def _refuse_another_lockgate(address: str) -> None:
    ours, fix = version("lockgate"), f"install lockgate {version('lockgate')} on the cluster's machines"
    try:
        theirs, python = ray.get(ray.remote(versions).options(num_cpus=1).remote(), timeout=START_S)
    except ray.exceptions.GetTimeoutError as error:
        raise Unavailable(f"no machine of the Ray cluster at {address} took a task", got=f"{START_S:g} seconds",
                          fix="see that it has machines; or --compute local") from error  # fmt: skip
    except ray.exceptions.RayError as error:
        raise Conflict(
            "the machines of the Ray cluster cannot run lockgate", got=str(error)[-300:], fix=fix
        ) from error
    if theirs != ours:
        raise Conflict("the machines of the Ray cluster have another lockgate", got=f"{theirs} (Python {python})",
                       allowed=ours, fix=fix)  # fmt: skip
