"""Long work with progress: it runs in threads of the console, people poll it, and a lost job says that it is lost."""

from __future__ import annotations

import logging
import queue
import secrets
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from lockgate.checks.running.pool import Step
from lockgate.clock import HOUR_US, Clock
from lockgate.errors import Busy, LockgateError, NotFound
from lockgate.web.answers import plain, unforeseen
from lockgate.web.places import Places, sweep

WORKERS = 2
MOST_WAITING = 50
MOST_APART = 4  # works of hours, such as searches, each in a thread of its own
LAST_WAIT_S = 10.0
KEPT_US = HOUR_US  # how long a finished job can still be asked for
log = logging.getLogger("lockgate.web.jobs")


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(msgspec.Struct, kw_only=True):
    """One piece of long work. `done` of `total` steps of `phase`; `total` 0: not known. `parts`: what runs side by side."""

    id: str
    kind: str  # "submit" | "validate" | "score"
    subject: str  # "churn/3"
    person: str
    state: JobState = JobState.WAITING
    phase: str = "waiting for its turn"
    done: int = 0
    total: int = 0
    message: str = ""
    parts: tuple[Step, ...] = ()
    started_us: int = 0
    ended_us: int | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    file: bool = False  # a file can be fetched when it is done
    apart: bool = False  # it runs beside the others, for hours


Progress = Callable[..., None]  # progress(phase, done, total, message="", parts=())
Work = Callable[[Progress], object]


class Jobs:
    """All jobs of one console process. What processes that are gone left in `folder` is taken away first."""

    def __init__(self, clock: Clock, folder: Path) -> None:
        sweep(folder)
        self._clock, self._places = clock, Places(folder)
        self._boot = secrets.token_hex(3)
        self._jobs: dict[str, Job] = {}
        self._files: dict[str, Path] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._waiting: queue.SimpleQueue[tuple[Job, Work] | None] = queue.SimpleQueue()
        # daemons: work that outlives its console is lost, as when the console is killed, and leaves nothing half-made
        self._threads = [
            threading.Thread(target=self._work, name=f"job-{number}", daemon=True)
            for number in range(WORKERS)
        ]
        for thread in self._threads:
            thread.start()

    def start(
        self,
        kind: str,
        subject: str,
        person: str,
        work: Work,
        file: Path | None = None,
        *,
        apart: bool = False,
    ) -> Job:
        """Queue work and return its job at once. `file`: what the work will have written. `apart`: it takes hours, so it waits
        for nobody and nobody waits for it. Raises Busy.
        """
        now_us = self._clock.now_us()
        with self._lock:
            self._forget(now_us)
            if sum(job.ended_us is None for job in self._jobs.values()) >= MOST_WAITING:
                raise Busy("too many jobs are waiting", got=MOST_WAITING, fix="try again when some are done")
            job = Job(
                id=f"{self._boot}-{secrets.token_hex(6)}", kind=kind, subject=subject, person=person,
                started_us=now_us, file=file is not None,
            )  # fmt: skip
            if apart:
                self._require_room_apart()
                job.apart = True
            self._jobs[job.id] = job
            if file is not None:
                self._files[job.id] = file
        if apart:
            threading.Thread(target=self._run, args=(job, work), name=f"job-{job.id}", daemon=True).start()
        else:
            self._waiting.put((job, work))
        return job

    def _require_room_apart(self) -> None:
        running = sum(job.apart and job.ended_us is None for job in self._jobs.values())
        if running >= MOST_APART:
            raise Busy(
                "too many long works run", got=running, allowed=MOST_APART, fix="try again when one has ended"
            )

    def get(self, job_id: str) -> Job:
        """A job by id. Raises NotFound, which says whether the job was lost by a restart or never existed."""
        job = self._jobs.get(job_id)
        if job is None:
            raise self.unknown(job_id, lost=job_id.partition("-")[0] != self._boot)
        return job

    @staticmethod
    def unknown(job_id: str, *, lost: bool = False) -> NotFound:
        """The error for a job that cannot be asked for."""
        reason = "it was lost when the console restarted" if lost else "it ended long ago or never was"
        return NotFound(
            f"job {job_id} is not known: {reason}", fix="start the work again; repeating does no harm"
        )

    def file_of(self, job: Job) -> Path:
        """The file that a finished job has written. Raises NotFound."""
        path = self._files.get(job.id)
        if path is None or job.state is not JobState.DONE or not path.exists():
            raise NotFound(f"job {job.id} has no file", got=job.state.value)
        return path

    def list(self) -> list[Job]:
        """Every job that is still known, newest first."""
        return sorted(self._jobs.values(), key=lambda job: -job.started_us)

    def place(self, name: str) -> Path:
        """Where a job may put a file of its own: a path that nothing else uses, gone with this process at the latest."""
        return self._places.new(name)

    def close(self, wait_s: float = LAST_WAIT_S) -> None:
        """Take no more work. What runs is waited for, but not for ever; what waits is dropped."""
        self._closed = True
        for _ in self._threads:
            self._waiting.put(None)
        deadline = time.monotonic() + wait_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._places.close()

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            if not self._closed:
                self._run(*given)

    def _run(self, job: Job, work: Work) -> None:
        def progress(
            phase: str, done: int = 0, total: int = 0, message: str = "", parts: tuple[Step, ...] = ()
        ) -> None:
            job.phase, job.done, job.total, job.message, job.parts = phase, done, total, message, parts

        job.state, job.phase = JobState.RUNNING, "starting"
        try:
            job.result = plain(work(progress))
        except LockgateError as error:
            job.error = error.as_json()
        except BaseException:  # a panic inside polars is no Exception, and must not cost the console a thread
            number = secrets.token_hex(6)
            if not self._closed:  # else it failed because its files were taken away, and nobody asks any more
                log.exception("internal error %s in job %s (%s %s)", number, job.id, job.kind, job.subject)
            job.error = dict(unforeseen(number))
        job.ended_us = self._clock.now_us()
        job.state = JobState.FAILED if job.error else JobState.DONE

    def _forget(self, now_us: int) -> None:
        old = [j.id for j in self._jobs.values() if j.ended_us is not None and now_us - j.ended_us > KEPT_US]
        for job_id in old:
            del self._jobs[job_id]
            path = self._files.pop(job_id, None)
            if path is not None:
                path.unlink(missing_ok=True)
