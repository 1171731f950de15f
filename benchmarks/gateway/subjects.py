"""A running server that is measured: started on its core, asked until it answers, looked at with all its processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.gateway.load import Asked

START_S = 120.0
STOP_S = 30.0
SERVER_CORES = frozenset({0})
_TICKS = os.sysconf("SC_CLK_TCK")


class NoStart(Exception):
    """A server that did not come up; the sentence holds its last words."""


@dataclass(frozen=True)
class Subject:
    """One running server. `start_s`: from the start of its process to its first answer."""

    name: str
    url: str
    pid: int
    start_s: float
    more: tuple[int, ...] = ()  # further processes that share its port

    def cpu_s(self) -> float:
        """Processor time that all its processes have used."""
        return sum(_cpu_s(pid) for root in (self.pid, *self.more) for pid in tree(root))

    def memory_mb(self) -> dict[str, float]:
        """Memory of its first process: resident, and proportional (shared pages divided among those who share)."""
        words = Path(f"/proc/{self.pid}/smaps_rollup").read_text().split()
        return {name: int(words[words.index(f"{name}:") + 1]) * 1024 / 1e6 for name in ("Rss", "Pss")}


def tree(root: int) -> list[int]:
    """A process and everything that it started, and they."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            fields = _stat(int(entry.name))
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found, places = [root], [root]
    while places:
        children = parents.get(places.pop(), [])
        found += children
        places += children
    return found


@contextmanager
def running(
    name: str,
    argv: Sequence[str],
    port: int,
    asked: Asked,
    words: Path,
    *,
    cores: frozenset[int] = SERVER_CORES,
    more: dict[str, str] | None = None,
) -> Iterator[Subject]:
    """A server on its core, from its first answer until the block ends. Raises NoStart. Its words go to a file."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **(more or {})}
    begun = time.monotonic()
    with words.open("wb") as out:
        process = subprocess.Popen(
            list(argv), env=environment, stdout=out, stderr=out, start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores))  # fmt: skip  # noqa: PLW1509
    url = f"http://127.0.0.1:{port}"
    try:
        while not _answers(url, asked):
            if process.poll() is not None or time.monotonic() - begun > START_S:
                last = " ".join(words.read_text(errors="replace").split())[-300:]
                raise NoStart(f"{name} gave no answer (status {process.poll()}; {last})")
            time.sleep(0.005)
        yield Subject(name, url, process.pid, time.monotonic() - begun)
    finally:
        _stop(process)


def _answers(url: str, asked: Asked) -> bool:
    request = urllib.request.Request(url + asked.path, asked.body, asked.headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a server with all that it started: some leave children behind.

    A process is known by its number and the time of its start: the number alone may be another's by then.
    """
    everything = {pid: _begun(pid) for pid in tree(process.pid)}
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(STOP_S)
    for pid, begun in everything.items():
        if begun is not None and _begun(pid) == begun:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    process.wait()


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process after its name; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _begun(pid: int) -> str | None:
    fields = _stat(pid)
    return fields[19] if fields else None


def _cpu_s(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else 0.0
