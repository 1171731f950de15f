"""Runs of a search on a Ray cluster: a worker a core on whichever machines there are, also on those that join later.

Files go out once, as objects of the cluster; what comes back is what was measured. Records, keys and the test set stay here. A
machine that dies takes its runs along, which the search begins once more; the others go on.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.checks.running.connection import START_S
from lockgate.errors import Unavailable
from lockgate.late import late
from lockgate.tuning.crew import Ended, Event, Lost, Reported
from lockgate.tuning.node import Heard, Worker, packed
from lockgate.tuning.work import Job, Workload

if TYPE_CHECKING:
    import ray
else:
    ray = late("ray")

LOOK_S = 2.0  # how often the cluster is asked how many cores it has
CLOSE_S = 5.0
_GONE = frozenset({"RaySystemError", "RpcError"})
STARTS = 5  # so often may workers die before they said a word


@dataclass(eq=False)
class _Slot:
    """A worker. `ready`: it lives; `job` None: idle; `ref`: what it was asked last, None while it waits for our word; `began`: it
    was heard of this job.
    """

    actor: Any
    ref: Any
    ready: bool = False
    job: Job | None = None
    began: bool = False
    starts: int = 0


def is_gone(error: Exception) -> bool:
    """Whether an error means that nobody answers for the cluster any more. The client's own derive from nothing in common."""
    return isinstance(error, ConnectionError) or bool(_GONE & {kind.__name__ for kind in type(error).__mro__})


def _require_connection() -> None:
    """Raise ConnectionError without one: Ray's functions would begin a cluster of their own on this machine, and go on there."""
    if not ray.is_initialized():
        raise ConnectionError("the connection is lost")


class RayCrew:
    """The workers of one search. Needs a connection (`connection.connected`). `most`: workers at once; None: all cores."""

    def __init__(self, address: str, load: Workload, files: Mapping[str, Path], most: int | None) -> None:
        body = msgspec.msgpack.encode(load, order="deterministic")
        self._address, self._most = address, most
        self._search = hashlib.sha256(body).hexdigest()[:16]
        self._load = ray.put(body)
        self._files = ray.put({digest: packed(path) for digest, path in files.items()})
        self._slots: list[_Slot] = []
        self._waiting: list[
            tuple[Job, int]
        ] = []  # for a worker that lives; how often one died before it began
        self._cores, self._looked_s, self._failed = 0, 0.0, 0
        self._heard_s = time.monotonic()

    def workers(self) -> int:
        """See `Crew`. Machines that join or leave are seen within seconds."""
        now_s = time.monotonic()
        if now_s - self._looked_s > LOOK_S:
            with self._reached():
                self._cores, self._looked_s = int(ray.cluster_resources().get("CPU", 0)), now_s
        return min(self._cores, self._most) if self._most is not None else self._cores

    def room(self) -> int:
        """See `Crew`."""
        return self.workers() - len(self._waiting) - sum(slot.job is not None for slot in self._slots)

    def begin(self, job: Job, folder: Path) -> None:  # noqa: ARG002 - what it prints comes back with its end
        """See `Crew`. A worker that lives and is idle takes it, else the first that becomes so."""
        self._waiting.append((job, 0))
        with self._reached():
            self._give_out()

    def hear(self, timeout_s: float) -> list[Event]:
        """See `Crew`. Raises Unavailable when the cluster went away, or was silent for long, though runs are under way or could
        be.
        """
        with self._reached():
            return self._listened(timeout_s)

    def _listened(self, timeout_s: float) -> list[Event]:
        asked = {slot.ref: slot for slot in self._slots if slot.ref is not None}
        ready = ray.wait(list(asked), num_returns=1, timeout=timeout_s)[0] if asked else []
        if not asked:
            time.sleep(timeout_s)  # no machine is there: one may join
        events = [event for ref in ready if (event := self._heard(asked[ref])) is not None]
        if ready:
            self._heard_s = time.monotonic()
        if time.monotonic() - self._heard_s > START_S:
            raise Unavailable(f"no machine of the Ray cluster at {self._address} said anything", got=f"{START_S:g} seconds",
                              fix="see that it has machines, then lockgate tune MODEL --resume")  # fmt: skip
        return events

    def answer(self, run: int, *, goes_on: bool) -> None:
        """See `Crew`."""
        slot = next(slot for slot in self._slots if slot.job is not None and slot.job.run == run)
        with self._reached():
            slot.ref = slot.actor.hear.remote(goes_on)

    def close(self) -> None:
        """See `Crew`. Of a cluster that is gone there is nobody left to end."""
        slots, self._slots = self._slots, []
        for slot in slots:
            try:
                _require_connection()
                if slot.ready and slot.job is None:
                    ray.wait([slot.actor.close.remote()], timeout=CLOSE_S)
                ray.kill(slot.actor)
            except Exception as error:
                if not is_gone(error):
                    raise
                return

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Raise Unavailable where the cluster itself is gone: its machines' deaths are heard of otherwise."""
        try:
            _require_connection()
            yield
        except Exception as error:
            if not is_gone(error):
                raise
            raise Unavailable(f"the Ray cluster at {self._address} went away", got=str(error)[:300],
                              fix="start it again; lockgate tune MODEL --resume keeps what is finished") from error  # fmt: skip

    def _give_out(self) -> None:
        """Jobs to idle workers; more workers for jobs that find none: where they start is the cluster's to say."""
        for slot in self._slots:
            if self._waiting and slot.ready and slot.job is None:
                slot.job, slot.starts = self._waiting.pop(0)
                slot.began, slot.ref = False, slot.actor.begin.remote(msgspec.msgpack.encode(slot.job))
        coming = sum(not slot.ready for slot in self._slots)
        for _ in range(len(self._waiting) - coming):
            made = ray.remote(Worker).options(num_cpus=1, max_restarts=0, max_task_retries=0)
            actor = made.remote(self._search, self._load, self._files)
            self._slots.append(_Slot(actor, actor.ready.remote()))

    def _heard(self, slot: _Slot) -> Event | None:
        try:
            said: Heard = ray.get(slot.ref)
        except ray.exceptions.RayError as error:
            return self._gone(slot, error)
        slot.ref, slot.ready = None, True
        if slot.job is not None:
            slot.began = True
            if isinstance(said.event, Reported):
                return said.event  # the next question goes out with our word
            if not isinstance(said.event, Ended):
                slot.ref = slot.actor.hear.remote(None)
                return None
            slot.job = None
        self._give_out()
        return said.event

    def _gone(self, slot: _Slot, error: Exception) -> Event | None:
        """A worker took its run along; a run that it had not begun waits for another worker."""
        self._slots.remove(slot)
        lost = None
        if slot.job is not None:
            if slot.began or slot.starts >= STARTS:
                lost = Lost(slot.job.run, type(error).__name__)
            else:
                self._waiting.insert(0, (slot.job, slot.starts + 1))
        elif not slot.ready:
            self._failed += 1
            if self._failed >= STARTS:
                raise Unavailable(f"no worker lives on the Ray cluster at {self._address}", got=str(error)[-300:],
                                  fix="see what its machines say, then lockgate tune MODEL --resume") from error  # fmt: skip
        self._give_out()
        return lost
