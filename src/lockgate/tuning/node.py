"""What a machine of a Ray cluster does for a search: it keeps files, runs a pipeline's process, passes on what its steps report.

Workers of one search on one machine share the results of steps; who is gone leaves nothing behind for long.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import queue
import shutil
import tempfile
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import msgspec

from lockgate.config import EnvironmentConfig, Home
from lockgate.late import late
from lockgate.pipelines.cache import StepCache
from lockgate.pipelines.interpreter import interpreter_for
from lockgate.pipelines.machine import memory_bytes
from lockgate.tuning.crew import Ended, Event, reported
from lockgate.tuning.work import Bench, Job, Workload

if TYPE_CHECKING:
    import ray
else:
    ray = late("ray")

HEAR_S = 1.0  # the owner hears from a worker that often at least
PREFIX, LOCK = "lockgate-tuning-", ".lock"
Files = Mapping[str, Mapping[str, bytes]]  # by digest: path below it ("": the file itself) -> bytes


@dataclass(frozen=True)
class Heard:
    """What a worker did since it was last heard; nothing: it is still at it."""

    event: Event | None = None


class Worker:
    """One process's room on this machine. `search` names what its workers share."""

    def __init__(self, search: str, load: bytes, files: Files) -> None:
        workload = msgspec.msgpack.decode(load, type=Workload)
        self._node = str(ray.get_runtime_context().get_node_id())[:8]
        _sweep()
        self._root, self._lock = _shared_folder(search)
        self._own = self._root / f"worker-{uuid.uuid4().hex[:12]}"
        self._own.mkdir()
        python, environment = interpreter_for(
            workload.pins, workload.libraries, Home(self._root / "home"), _quiet, EnvironmentConfig()
        )
        placed = {digest: _placed(self._root / "files", digest, parts) for digest, parts in files.items()}
        share = memory_bytes() // max(1, len(os.sched_getaffinity(0)))
        self._bench = Bench(
            workload, StepCache(self._root / "steps"), python, environment, placed, share, threads=1
        )
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def ready(self) -> Heard:
        """It lives."""
        return Heard()

    def begin(self, job: bytes) -> Heard:
        """Start a run."""
        threading.Thread(
            target=self._work, args=(msgspec.msgpack.decode(job, type=Job),), daemon=True
        ).start()
        return Heard()

    def hear(self, goes_on: bool | None) -> Heard:
        """Pass on whether the run goes on, and wait, a second at most, for what happens next."""
        if goes_on is not None:
            self._answers.put(goes_on)
        try:
            return Heard(self._events.get(timeout=HEAR_S))
        except queue.Empty:
            return Heard()

    def close(self) -> None:
        """Take this worker's files away, and what is shared with the last one."""
        shutil.rmtree(self._own, ignore_errors=True)
        self._lock.close()
        _sweep()

    def _work(self, job: Job) -> None:
        def replies(asked: Mapping[str, Any]) -> Mapping[str, object]:
            self._events.put(reported(job.run, asked))
            return {"go": self._answers.get()}

        folder = self._own / f"run-{job.run}"
        folder.mkdir(exist_ok=True)
        came = self._bench.run(job, folder, replies)
        shutil.rmtree(folder, ignore_errors=True)
        machine = msgspec.structs.replace(came.machine, host=f"{came.machine.host} {self._node}".strip())
        self._events.put(Ended(job.run, msgspec.structs.replace(came, machine=machine)))


def packed(path: Path) -> dict[str, bytes]:
    """A file or a folder as bytes."""
    if path.is_file():
        return {"": path.read_bytes()}
    return {
        str(each.relative_to(path)): each.read_bytes() for each in sorted(path.rglob("*")) if each.is_file()
    }


def _placed(folder: Path, digest: str, parts: Mapping[str, bytes]) -> Path:
    """The file of a digest on this machine; workers that write the same at once write the same bytes."""
    folder.mkdir(exist_ok=True)
    target = folder / hashlib.sha256(digest.encode()).hexdigest()
    if not target.exists():
        beside = target.with_name(f"{target.name}.{uuid.uuid4().hex}")
        for name, body in parts.items():
            path = beside / name if name else beside
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        try:
            beside.rename(target)
        except OSError:  # another worker was first with this folder
            shutil.rmtree(beside, ignore_errors=True)
    return target


def _shared_folder(search: str) -> tuple[Path, IO[str]]:
    """The folder of a search on this machine, with a lock on it that ends with this process."""
    root = Path(tempfile.gettempdir()) / f"{PREFIX}{search}"
    while True:
        root.mkdir(mode=0o700, exist_ok=True)
        try:
            lock = (root / LOCK).open("w")
        except FileNotFoundError:
            continue  # swept away at this moment
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            if os.fstat(lock.fileno()).st_ino == (root / LOCK).stat().st_ino:
                return root, lock
        except FileNotFoundError:
            lock.close()


def _sweep() -> None:
    """Take away folders of searches that nobody on this machine works for any more."""
    for root in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            with (root / LOCK).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(root, ignore_errors=True)
        except OSError:  # somebody works there, or it is somebody else's
            continue


def _quiet(_line: str) -> None:
    """Nobody reads how an environment is made over there; what fails is an error."""
