"""A stretch of production through all of lockgate: submitted, validated, live, answered by a real gateway, labels late.

Real parts: the sealed package, its checks and baseline, the gateway's process and HTTP, its log, the archive, labels by request,
the watchers of a box. Compressed is the time alone (`told_clock.py`). The first version goes live in one move, as first versions
may; a newer one goes the whole way (`staged.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
import polars as pl
from benchmarks.monitor.asking import ASK_S, Ask, asked
from benchmarks.monitor.told_clock import ToldClock

import lockgate
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home
from lockgate.monitor.notices import Said, notices_of
from lockgate.monitor.watcher import Watch
from lockgate.predictions.archive import archive
from lockgate.predictions.label_import import Naming
from lockgate.registry.naming import VersionName
from lockgate.registry.store import Version, get_version
from lockgate.release.phases import Phase, Release
from lockgate.release.store import claim, record_release, releases_of
from lockgate.traffic import Arm, Role, Route
from lockgate.wiring.house import House, open_house
from lockgate.wiring.labelling import hand_in
from lockgate.wiring.monitoring import watchers_of
from lockgate.wiring.validating import validate_version

DELAY_US = 30 * DAY_US
MOST_ROUNDS = 1_000
CHECKS = ("performance", "leakage", "importance_shift")


@dataclass(frozen=True, eq=False)
class Case:
    """A fitted estimator on frames, its validation's rows, and what came later in order of time (`at_us`, n).

    `settings`: of the model, beside target and task; `delay_us`: how late labels come; `dense`: from which row on a request holds
    so many rows (before it: those of six hours).
    """

    name: str
    estimator: object
    validation: pl.DataFrame
    rows: pl.DataFrame
    at_us: np.ndarray
    target: str
    task: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    train: pl.DataFrame | None = None
    delay_us: int = DELAY_US
    dense: tuple[int, int] | None = None


@dataclass
class Opened:
    """A notice, with the rows that had been asked when it was first said."""

    row: int
    said: Said


@dataclass
class Through:
    """What was said, and what became of the releases, the newest first."""

    requests: int = 0
    looks: int = 0
    labels: int = 0
    opened: list[Opened] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    cpu_s: float = 0.0

    def subjects(self, source: str) -> list[tuple[int, str]]:
        """Of one watcher: row and subject of each notice."""
        return [
            (each.row, each.said.notice.subject) for each in self.opened if each.said.notice.source == source
        ]


class Beside(Protocol):
    """Somebody who acts in a house while rows come. Both are told how many were asked so far."""

    def asked(self, row: int) -> None:
        """After each request."""
        ...

    def looked(self, row: int) -> None:
        """After each look of the watchers."""
        ...


def through(
    case: Case, folder: Path, *, look_days: float = 1.0, beside: Callable[[House], AbstractContextManager[Beside]] | None = None
) -> Through:  # fmt: skip
    """Submit, validate, go live, ask every row by the day's time, hand labels in late, let the watchers look."""
    began, done = time.process_time(), Through()
    submit(case, case.estimator, folder)
    clock = ToldClock(folder / "told-clock", int(case.at_us[0]))
    house = open_house(Home(folder), clock)
    try:
        _go_live(house, validated(house, case.name, 1))
        with ExitStack() as stack:
            ask = stack.enter_context(asked(house, case.name))
            others = [stack.enter_context(beside(house))] if beside is not None else []
            _Stage(case, house, clock, done, others).play(ask, look_days)
        with house.db.read() as tx:
            done.phases = [each.phase.value for each in releases_of(tx, case.name)]
    finally:
        house.close()
    done.cpu_s = time.process_time() - began
    return done


def submit(case: Case, estimator: object, folder: Path) -> None:
    """The next version of a case's model."""
    lockgate.submit(
        estimator, case.name, train=case.train, test=case.validation, target=case.target, task=case.task, home=folder,
        suites={"low": list(CHECKS)}, **case.settings,
    )  # fmt: skip


def validated(house: House, model: str, number: int) -> Version:
    """A version with its checks done."""
    with house.db.read() as tx:
        version = get_version(tx, VersionName(model, number))
    validate_version(house, house.owner, version, None, lambda *_said, **_more: None)
    return version


@dataclass(eq=False)
class _Stage:
    """One case on its way."""

    case: Case
    house: House
    clock: ToldClock
    done: Through
    beside: Sequence[Beside] = ()
    late: list[tuple[int, pl.DataFrame]] = field(default_factory=list)

    def play(self, ask: Ask, look_days: float) -> None:
        """Every row; a look whenever so many days have passed, and a last one when every label has come."""
        case, clock = self.case, self.clock
        apart = {case.target, *case.settings.get("leave_out", ())}
        names = [name for name in case.validation.columns if name not in apart]
        watch = Watch(self.house.db, clock, watchers_of(self.house))
        looked_us = int(case.at_us[0])
        for start, end in _parts(case):
            clock.tell(int(case.at_us[start]))
            part = case.rows[start:end]
            name = ask(part.select(names))
            self.done.requests += 1
            told = pl.DataFrame(
                {"id": [name] * part.height, "row": range(part.height), "label": part[case.target]}
            )
            self.late.append((int(case.at_us[end - 1]) + case.delay_us, told))
            for each in self.beside:
                each.asked(end)
            if case.at_us[end - 1] - looked_us >= look_days * DAY_US:
                looked_us = int(case.at_us[end - 1])
                self.look(watch, row=end)
        clock.tell(clock.now_us() + case.delay_us + 2 * DAY_US)
        self.look(watch, row=len(case.at_us))

    def look(self, watch: Watch, *, row: int) -> None:
        """Labels whose time has come, then every watcher until there is nothing more; what was said first after so many rows."""
        house, model, now_us = self.house, self.case.name, self.clock.now_us()
        due = [told for at_us, told in self.late if at_us <= now_us]
        self.late = [each for each in self.late if each[0] > now_us]
        if due:
            naming = Naming("label", on="id", key="id", row="row")
            self.done.labels += hand_in(
                house, house.owner, model, pl.concat(due), naming, source="replay"
            ).recorded
        for _ in range(MOST_ROUNDS):
            if not watch.round():
                break
        with house.db.read() as tx:
            history = {said.id: said for said in notices_of(tx, model, limit=1_000)}
        for each in self.done.opened:
            each.said = history.pop(each.said.id)
        self.done.opened += [Opened(row, said) for _, said in sorted(history.items())]
        self.done.looks += 1
        if self.done.looks % 10 == 0:
            archive(house.home.log, house.blobs, house.db)
        for other in self.beside:
            other.looked(row)


def _go_live(house: House, version: Version) -> None:
    now_us = house.clock.now_us()
    draft = Release(id=0, model=version.model, version=version.number, digest=version.digest, author=version.author,
                    created_us=now_us, phase_us=now_us)  # fmt: skip
    with house.db.write() as tx:
        made = record_release(tx, draft, actor=version.author, at_us=now_us)
    over = msgspec.structs.replace(
        made, phase=Phase.DONE, seq=made.seq + 1, reason="compressed", phase_us=now_us, finished_us=now_us
    )
    with house.db.write() as tx:
        claim(tx, made, over, actor="controller", at_us=now_us)
    arm = Arm(version=version.number, digest=version.digest, role=Role.LIVE)
    house.plan.publish_route(Route(model=version.model, arms=(arm,), deadline_ms=ASK_S * 1_000))


def _parts(case: Case) -> Iterator[tuple[int, int]]:
    """Which rows one request holds: those that came within six hours, and from the dense ones on so many."""
    first, rows = case.dense or (case.at_us.size, 1)
    turns = case.at_us[:first] // (6 * HOUR_US)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(turns) != 0])).tolist() if first else []
    starts += range(first, case.at_us.size, rows)
    yield from zip(starts, [*starts[1:], case.at_us.size], strict=True)
