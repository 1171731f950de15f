"""The shadow scorer: a reader of the log that lets other versions answer recorded requests, each exactly once.

Its answers and its offsets go into one frame of its own segment, so whatever dies, nothing is scored twice and nothing
is left out. It never meets a live request: it may fall behind, it cannot slow anyone down. It registers as a reader,
so that the archiver keeps what it has not read, and copies its offsets into the database now and then.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from lockgate.blobs import Blobs
from lockgate.clock import SECOND_US, Clock, SystemClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import LockgateError
from lockgate.inference.executor import Executor
from lockgate.predictions.flat import record_of
from lockgate.predictions.history import archived_requests
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.offsets import commit_offsets, offsets_of, register_reader
from lockgate.predictions.record import Record
from lockgate.predictions.segment import SUFFIX
from lockgate.predictions.table import Archive
from lockgate.release.shadow_progress import READ, Progress, merged, progress_of
from lockgate.release.shadow_score import ShadowJob, score, wants

READER = WRITER = "shadow"
CHUNK = 500  # requests in one frame
CHUNK_S = 2.0  # of a slow model fewer: a pause, a stop and other models wait no longer than this
PAST_REQUESTS = 100_000  # of recorded history, the newest
COMMIT_S = 2.0
SEEN_S = 30.0  # at least so often, so that a dead scorer shows
RETRY_S = 5.0
KEPT_JOBS = 100  # places of jobs that are no longer wanted: they may come back
NO_ROOM = "it needs more memory than the shadow scorer may have; next: raise shadow.memory_mb in config.yaml"
_log = logging.getLogger(__name__)


@dataclass
class ShadowStatus:
    """How one job fares. `behind_us`: age of the newest request read, 0 when it has read all there is. `pause`: why it
    waits for live, `error`: what went wrong. `pace_s`: how long one request takes."""

    job: ShadowJob
    scored: int = 0
    failed: int = 0
    behind_us: int = 0
    error: str | None = None
    retry_us: int = 0
    pause: str | None = None
    pace_s: float = 0.0

    @property
    def chunk(self) -> int:
        """How many requests are scored at once."""
        return CHUNK if self.pace_s * CHUNK <= CHUNK_S else max(int(CHUNK_S / self.pace_s), 1)


class Scorer:
    """Scores for all jobs of one home. Only one process at a time: the second raises Conflict."""

    def __init__(
        self,
        home: Home,
        blobs: Blobs,
        database: Database,
        open_executor: Callable[[ShadowJob], Executor],
        *,
        clock: Clock | None = None,
        deadline_s: float = 5.0,
    ) -> None:
        self._home, self._database = home, database
        self._archive, self._keys = Archive(home.log, blobs), Keyring(home, database)
        self._open, self._clock, self._deadline_s = open_executor, clock or SystemClock(), deadline_s
        self._writer = SegmentWriter(home.log, WRITER, clock=self._clock)
        self._reader = LogReader(home.log)
        self._executors: dict[str, Executor] = {}
        self._past: dict[str, pl.DataFrame] = {}
        self._progress = self._recovered()
        self._committed: dict[str, int] | None = None
        self._committed_us = self._looked_us = 0
        self.status: dict[str, ShadowStatus] = {}

    def step(self, jobs: Sequence[ShadowJob], waits: Callable[[str], bool] = lambda _model: False) -> int:
        """One chunk for each job; returns how many requests were read. A job that cannot go on stops no other.

        `waits`: whether nothing is to be scored for a model now.
        """
        wanted = {job.name: job for job in jobs if job.pure}
        self._tidy(wanted)
        self._begin(wanted)
        read = 0
        for job in wanted.values():
            status = self.status.setdefault(job.name, ShadowStatus(job))
            if status.retry_us > self._clock.now_us() or waits(job.model):
                continue
            try:
                read += self._advance(job, status)
                status.error = None
            except LockgateError as error:
                _log.error("shadow of %s/%d waits: %s", job.model, job.version, error)
                self._wait(status, error.sentence())
            except MemoryError:  # nothing was written: the same requests come again, when there is room
                _log.error("shadow of %s/%d needs more memory than it may have", job.model, job.version)
                self._let_go(job)
                self._wait(status, NO_ROOM)
        if self._clock.now_us() - self._looked_us > COMMIT_S * SECOND_US:
            self.commit(list(wanted))
            self._looked_us = self._clock.now_us()
        return read

    def _wait(self, status: ShadowStatus, why: str) -> None:
        status.error, status.retry_us = why, self._clock.now_us() + round(RETRY_S * SECOND_US)

    def _let_go(self, job: ShadowJob) -> None:
        """Give back what a job holds; it is opened anew."""
        self._past.pop(job.name, None)
        executor = self._executors.pop(job.digest, None)
        if executor is not None:
            executor.close()

    def commit(self, active: Sequence[str], *, hold: bool = False) -> None:
        """Copy the offsets into the database; the archiver may remove what every active job has read.

        `hold`: it may remove nothing more for now, because a job is about to begin.
        """
        places = [self._progress[name].hot for name in active if name in self._progress]
        offsets = {
            offset.segment: offset.position
            for name, p in self._progress.items()
            for offset in p.offsets(name)
        }
        if not hold:
            self._writer.roll_if_due()
            for segment in self._reader.segments():
                offsets[segment] = min((place.get(segment, 0) for place in places), default=READ)
        now_us = self._clock.now_us()
        if offsets != self._committed or now_us - self._committed_us > SEEN_S * SECOND_US:
            with self._database.write() as tx:
                register_reader(tx, READER, now_us)
                commit_offsets(tx, READER, offsets, now_us)
            self._committed, self._committed_us = offsets, now_us

    def close(self) -> None:
        """End the segment and let the models go."""
        self._writer.close()
        for executor in self._executors.values():
            executor.close()
        self._executors.clear()

    def _advance(self, job: ShadowJob, status: ShadowStatus) -> int:
        """Score the job's next chunk, history first; answers and the new place become one frame."""
        progress = self._progress[job.name]
        past = self._history(job, progress)
        if progress.past < past.height:
            rows = past.slice(progress.past, status.chunk)
            found = [record_of(row) for row in rows.iter_rows(named=True)]
            after = Progress(progress.pin, progress.past + rows.height, progress.hot)
            behind = True
        else:
            batch = self._reader.read(progress.hot, status.chunk)
            found = [record for record, _ in batch.records]
            after = Progress(progress.pin, progress.past, batch.offsets)
            behind = len(found) >= status.chunk
        todo = [self._keys.open(record) for record in found if wants(job, record)]
        if todo:
            self._score(job, todo, after, status)
        self._progress[job.name] = after
        status.behind_us = max(self._clock.now_us() - found[-1].at_us, 0) if behind else 0
        return len(found)

    def _score(self, job: ShadowJob, todo: list[Record], after: Progress, status: ShadowStatus) -> None:
        if job.digest not in self._executors:
            self._executors[job.digest] = self._open(job)
        began = time.monotonic()
        answers = score(job, self._executors[job.digest], todo, self._deadline_s)
        status.pace_s = (time.monotonic() - began) / len(todo)
        self._writer.append(answers, read=after.offsets(job.name))
        status.scored += len(answers)
        status.failed += sum(answer.status >= 400 for answer in answers)

    def _history(self, job: ShadowJob, progress: Progress) -> pl.DataFrame:
        if progress.pin < 0:
            return pl.DataFrame()
        if job.name not in self._past:
            self._past[job.name] = archived_requests(
                self._archive, progress.pin, job.model, job.since_us, PAST_REQUESTS
            )
        return self._past[job.name]

    def _begin(self, wanted: dict[str, ShadowJob]) -> None:
        """Draw the border between history and what comes, for jobs that are new."""
        new = [name for name in wanted if name not in self._progress]
        if not new:
            return
        self.commit([name for name in wanted if name not in new], hold=True)
        look = self._archive.look()
        read = {segment: READ for segment in self._reader.segments() if look.holds(segment)}
        pin = look.table.version() if look.table is not None else -1
        for name in new:
            self._progress[name] = Progress(pin, hot=dict(read))

    def _tidy(self, wanted: dict[str, ShadowJob]) -> None:
        """Let go of models, history and status of jobs that are no longer wanted."""
        digests = {job.digest for job in wanted.values()}
        for digest in [digest for digest in self._executors if digest not in digests]:
            self._executors.pop(digest).close()
        for kept in (self._past, self.status):
            for name in [name for name in kept if name not in wanted]:
                del kept[name]
        gone = [name for name in self._progress if name not in wanted]
        for name in gone[:-KEPT_JOBS]:
            del self._progress[name]

    def _recovered(self) -> dict[str, Progress]:
        """Where a scorer that died was: what the database knows, and the frames written since."""
        with self._database.read() as tx:
            sources = [offsets_of(tx, READER)]
        for path in sorted((self._home.log / WRITER).glob(f"*{SUFFIX}")):
            for frame in self._reader.frames_of(f"{WRITER}/{path.stem}"):
                sources.append({offset.segment: offset.position for offset in frame.read})
        return progress_of(merged(sources))


def run(
    scorer: Scorer,
    wanted: Callable[[], Sequence[ShadowJob]],
    stop: threading.Event,
    *,
    poll_s: float = 0.2,
    waits: Callable[[str], bool] = lambda _model: False,
    report: Callable[[Sequence[ShadowStatus]], None] = lambda _: None,
) -> None:
    """Score until told to stop. `waits` is asked before each chunk of a model, `report` is told after each step.

    A failing database or a full disk costs time, never a request: the step is tried again.
    """
    try:
        while not stop.is_set():
            read = 0
            try:
                read = scorer.step(wanted(), waits)
                report(list(scorer.status.values()))
            except (LockgateError, OSError) as error:
                _log.error("shadow scoring waits %g s: %s", RETRY_S, error)
                stop.wait(RETRY_S)
            if not read or not any(status.behind_us for status in scorer.status.values()):
                stop.wait(poll_s)
    finally:
        scorer.close()
