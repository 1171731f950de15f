"""What each gateway worker says of itself to the control plane of its host: one small file per worker.

A worker rewrites its file (temporary file, rename) at every change and at least every `HEARTBEAT_S`. A file older than
`LEASE_S` is that of a dead or cut-off worker: it holds up nobody.

Workers on the control plane's own host share the plan's word with it, so they may serve a canary as long as the plan says.
On any other host the right to serve a canary is a lease of `LEASE_S` that the host's agent renews (`CanaryLease`): when
contact is lost it runs out, and the host serves live alone.
"""

from __future__ import annotations

import mmap
import os
import time
from enum import StrEnum
from pathlib import Path

import msgspec

from lockgate.clock import SECOND_US

HEARTBEAT_S = 0.5
LEASE_S = 2.0
LEASE_NAME = "canary.lease"
WORD_BYTES = 8


class LoadState(StrEnum):
    """How far a worker is with a package that the plan names."""

    LOADING = "loading"
    READY = "ready"  # loaded, warmed, golden predictions equal those recorded at registration
    FAILED = "failed"


class Loaded(msgspec.Struct, frozen=True, kw_only=True):
    """One package in one worker."""

    state: LoadState
    error: str | None = None
    load_ms: float = 0.0
    memory_mb: float = 0.0
    executor: str = ""  # "compiled" | "isolated"
    confined: str | None = None  # what could not be confined, in words; None: nothing to say


class Tripped(msgspec.Struct, frozen=True, kw_only=True):
    """A local breaker that dropped a canary to weight 0."""

    release: int
    reason: str
    at_us: int


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One gateway worker."""

    worker: str
    pid: int
    host: str
    port: int
    started_us: int
    beat_us: int
    epoch: int  # the newest plan that this worker obeys
    packages: dict[str, Loaded] = {}  # by digest
    tripped: tuple[Tripped, ...] = ()
    log_gap: int = 0  # requests whose record could not be written since start
    ready: bool = False  # every live arm is loaded


def report(folder: Path, member: Member) -> None:
    """Put a worker's newest word about itself in place, whole or not at all."""
    temporary = folder / f".{member.worker}.{os.getpid()}"
    temporary.write_bytes(msgspec.json.encode(member))
    temporary.rename(folder / f"{member.worker}.json")


def retire(folder: Path, worker: str) -> None:
    """Take a worker's file away, when it stops in good order."""
    (folder / f"{worker}.json").unlink(missing_ok=True)


def members(folder: Path, now_us: int) -> list[Member]:
    """Every worker with a current lease, sorted by name."""
    return [member for member in all_members(folder) if now_us - member.beat_us <= LEASE_S * SECOND_US]


def all_members(folder: Path) -> list[Member]:
    """Every worker that ever reported and did not stop in good order, sorted by name."""
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(msgspec.json.decode(path.read_bytes(), type=Member))
        except FileNotFoundError:
            continue  # it stopped between the listing and the reading
    return found


class CanaryLease:
    """Until when a host away from the control plane may serve canaries: one shared word, in nanoseconds since boot.

    The clock of the lease (CLOCK_BOOTTIME) neither jumps with the time of day nor stands still while the machine sleeps.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEASE_NAME
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            os.ftruncate(handle, WORD_BYTES)
            self._map = mmap.mmap(handle, WORD_BYTES)
        finally:
            os.close(handle)
        self._until = memoryview(self._map).cast("Q")

    def holds(self) -> bool:
        """Whether a canary may be served now. One aligned load and one look at the clock."""
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) < self._until[0]

    def renew(self, from_ns: int) -> None:
        """Lengthen it to `LEASE_S` after `from_ns`: the moment at which the host asked, not that of the answer."""
        self._until[0] = max(self._until[0], from_ns + round(LEASE_S * 1e9))

    def end(self) -> None:
        """No canary from now on. Whoever starts the host's workers calls it: the word outlives the clock of a reboot."""
        self._until[0] = 0

    def close(self) -> None:
        """Let go of the shared word."""
        self._until.release()
        self._map.close()


def lease_clock_ns() -> int:
    """The time that leases count in."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def follows(folder: Path) -> bool:
    """Whether this home's workers need a lease: those of a host that follows a far control plane."""
    return (folder / LEASE_NAME).exists()
