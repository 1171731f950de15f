"""Who carries runs out: a small interface, so that processes of this box can be exchanged for a cluster's machines."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from lockgate.errors import PredictionFailed
from lockgate.tuning.work import Bench, Came, Job


@dataclass(frozen=True)
class Reported:
    """A step of a run says how good it is so far, and waits to hear whether it goes on."""

    run: int
    at: int
    value: float


@dataclass(frozen=True)
class Ended:
    """A run has ended, one way or another."""

    run: int
    came: Came


@dataclass(frozen=True)
class Lost:
    """The machine of a run went away, and the run with it."""

    run: int
    why: str


Event = Reported | Ended | Lost


def reported(run: int, asked: Mapping[str, Any]) -> Reported:
    """What a pipeline's process reports, which runs foreign code. Raises PredictionFailed for what is no finite number."""
    try:
        at, value = int(asked["at"]), float(asked["value"])
    except (KeyError, TypeError, ValueError) as error:
        raise PredictionFailed("the pipeline's process reports no number", got=error) from error
    if not math.isfinite(value):
        raise PredictionFailed("the pipeline's process reports no finite number", got=value)
    return Reported(run, at, value)


class Crew(Protocol):
    """Carries out the runs of one search. Called from one thread."""

    def room(self) -> int:
        """How many runs may begin now."""
        ...

    def begin(self, job: Job, folder: Path) -> None:
        """Begin a run; what it printed lies in `folder` when it has ended."""
        ...

    def hear(self, timeout_s: float) -> list[Event]:
        """What happened, after that many seconds at most. Raises Unavailable when nothing can run any more."""
        ...

    def answer(self, run: int, *, goes_on: bool) -> None:
        """Tell a run that reported whether it goes on."""
        ...

    def workers(self) -> int:
        """How many runs there is room for now, those under way included."""
        ...

    def close(self) -> None:
        """End what still runs. Twice does no harm."""
        ...


@dataclass
class LocalCrew:
    """Processes of this machine: a pipeline's own process each, with a thread here that listens to it."""

    bench: Bench
    most: int
    _events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    _answers: dict[int, queue.SimpleQueue[bool]] = field(default_factory=dict)

    def room(self) -> int:
        """See `Crew`."""
        return self.most - len(self._answers)

    def workers(self) -> int:
        """See `Crew`."""
        return self.most

    def begin(self, job: Job, folder: Path) -> None:
        """See `Crew`."""
        answers = self._answers[job.run] = queue.SimpleQueue()
        threading.Thread(
            target=self._work, args=(job, folder, answers), name=f"trial-{job.trial}", daemon=True
        ).start()

    def hear(self, timeout_s: float) -> list[Event]:
        """See `Crew`."""
        found: list[Event] = []
        try:
            found.append(self._events.get(timeout=timeout_s))
            while True:
                found.append(self._events.get_nowait())
        except queue.Empty:
            for event in found:
                if isinstance(event, Ended):
                    self._answers.pop(event.run, None)
            return found

    def answer(self, run: int, *, goes_on: bool) -> None:
        """See `Crew`."""
        self._answers[run].put(goes_on)

    def close(self) -> None:
        """See `Crew`. A run between two steps is told to stop when it reports next; its process dies with this one."""
        for run, answers in list(self._answers.items()):
            answers.put(False)
            self.bench.end(run)

    def _work(self, job: Job, folder: Path, answers: queue.SimpleQueue[bool]) -> None:
        def replies(asked: Mapping[str, Any]) -> Mapping[str, object]:
            self._events.put(reported(job.run, asked))
            return {"go": answers.get()}

        self._events.put(Ended(job.run, self.bench.run(job, folder, replies)))
