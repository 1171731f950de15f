"""What each gateway worker says of itself to the control plane of its host: one small file per worker.

A worker rewrites its file (temporary file, rename) at every change and at least every `HEARTBEAT_S`. A file older than
`LEASE_S` is that of a dead or cut-off worker: it serves the live version only and holds up nobody.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path

import msgspec

from lockgate.clock import SECOND_US

HEARTBEAT_S = 0.5
LEASE_S = 2.0


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
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            member = msgspec.json.decode(path.read_bytes(), type=Member)
        except FileNotFoundError:
            continue  # it stopped between the listing and the reading
        if now_us - member.beat_us <= LEASE_S * SECOND_US:
            found.append(member)
    return found
