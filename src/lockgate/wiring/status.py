"""What runs on a box now: gateway workers, services, what is live, what is released, what waits."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lockgate.config import Home
from lockgate.membership import LoadState, Member, members
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import offsets_of, reader_names
from lockgate.wiring.house import House
from lockgate.wiring.inventory import ModelStanding, inventory
from lockgate.wiring.ports import Addresses, read_addresses
from lockgate.wiring.summary import Summary, summary_of


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One process behind the box."""

    name: str
    pid: int


class ReaderLag(msgspec.Struct, frozen=True, kw_only=True):
    """How far a reader of the log is behind, in bytes of hot segments."""

    name: str
    behind_bytes: int


class BoxStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Everything at a glance. `told`: each model in three sentences, by name; `worries`: what somebody should look at besides, in
    words; empty when all is well."""

    addresses: Addresses | None
    processes: list[Process]
    gateways: list[Member]
    epoch: int
    models: list[ModelStanding]
    told: dict[str, Summary]
    readers: list[ReaderLag]
    disk_free_bytes: int
    worries: list[str]


ARCHIVER_NOTE = "archiver.trouble"
LEAST_FREE_BYTES = 1_000_000_000


def status_of(tx: sa.Connection, house: House) -> BoxStatus:
    """What runs now. Reads files of the home and the database; asks no process."""
    there = members(house.home.members, house.clock.now_us())
    epoch = house.plan.word()
    models = inventory(tx, house.clock.now_us())
    free = shutil.disk_usage(house.home.root).free
    processes = running(house.home)
    return BoxStatus(
        addresses=read_addresses(house.home) if processes else None,
        processes=processes,
        gateways=there,
        epoch=epoch,
        models=models,
        told={model.name: summary_of(tx, model, house.clock.now_us()) for model in models},
        readers=lags(tx, house),
        disk_free_bytes=free,
        worries=[*_worries(processes, there, epoch, free), *_archiving(house.home, processes)],
    )


def note_trouble(home: Home, trouble: str | None) -> None:
    """Leave word of what keeps the archiver from its work, or that nothing does any more."""
    note = home.run / ARCHIVER_NOTE
    with suppress(OSError):  # a full disk is told by its own worry
        if trouble is None:
            note.unlink(missing_ok=True)
        else:
            note.write_text(trouble)


def running(home: Home) -> list[Process]:
    """Processes of this home that are alive, by the files in which the supervisor notes them.

    In a copy of a home the files name processes of the other one, or whatever has their numbers now: those are left out.
    """
    found = []
    for path in sorted(home.run.glob("*.pid")):
        pid = _pid(path)
        if pid is not None and _works_for(pid, home):
            found.append(Process(name=path.stem, pid=pid))
    return found


def _pid(path: Path) -> int | None:
    try:
        pid = int(path.read_text())
        os.kill(pid, 0)
    except (ValueError, FileNotFoundError, ProcessLookupError):
        return None  # it stopped in between, or died with its file left behind
    except PermissionError:
        return pid  # alive, under another account
    return pid


def _works_for(pid: int, home: Home) -> bool:
    """Whether a process was started for this home, or holds files of its run/ open, as the supervisor does its lock."""
    process = Path("/proc") / str(pid)
    try:
        if os.fsencode(home.root) in (process / "cmdline").read_bytes().split(b"\0"):
            return True
        return any(_held(file).is_relative_to(home.run) for file in (process / "fd").iterdir())
    except PermissionError:
        return True  # of another account: it cannot be told, so the note is believed
    except FileNotFoundError:
        return False  # it ended in between


def _held(descriptor: Path) -> Path:
    try:
        return descriptor.readlink()
    except FileNotFoundError:
        return descriptor  # closed in between


def lags(tx: sa.Connection, house: House) -> list[ReaderLag]:
    """How far each registered reader of the log is behind."""
    log = LogReader(house.home.log)
    return [
        ReaderLag(name=name, behind_bytes=log.backlog_bytes(offsets_of(tx, name)))
        for name in reader_names(tx)
    ]


def archiver_trouble(home: Home) -> str | None:
    """What kept the archiver from its work when it last looked, some seconds ago; None: nothing."""
    try:
        return (home.run / ARCHIVER_NOTE).read_text()
    except FileNotFoundError:
        return None


def _archiving(home: Home, processes: list[Process]) -> list[str]:
    trouble = archiver_trouble(home) if processes else None
    if trouble is None:
        return []
    return [f"nothing is archived now, the log stays in files of this machine: {trouble}"]


def _worries(processes: list[Process], there: list[Member], epoch: int, free: int) -> list[str]:
    worries = []
    if not processes:
        worries.append("nothing runs here; next: lockgate up")
    elif not there:
        worries.append("no gateway worker answers; see gateway-*.log in run/ of the home folder")
    for member in there:
        if member.epoch < epoch:
            worries.append(f"{member.worker} obeys plan {member.epoch}, the newest is {epoch}")
        if member.log_gap:
            worries.append(
                f"{member.worker} answered {member.log_gap} requests without a record: is the disk full?"
            )
        for digest, loaded in member.packages.items():
            if loaded.state is LoadState.FAILED:
                worries.append(f"{member.worker} cannot load {digest[:19]}: {loaded.error}")
            if loaded.confined:
                worries.append(f"{member.worker}: {loaded.confined}")
        worries += [
            f"{member.worker} dropped the canary of release {t.release}: {t.reason}" for t in member.tripped
        ]
    if free < LEAST_FREE_BYTES:
        worries.append(f"only {free / 1e6:.0f} MB are free on the disk of the home folder")
    return list(dict.fromkeys(worries))
