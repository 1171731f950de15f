"""A stretch of production through all of lockgate: submitted, validated, live, answered by a real gateway, labels late.

Real parts: the sealed package, its checks and baseline, the gateway's process and HTTP, its log, the archive, labels by request,
the watchers of a box. Compressed is the time alone (`told_clock.py`); the version goes live in one move, as a first version does.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec
import numpy as np
import polars as pl
from benchmarks.monitor.told_clock import ToldClock

import lockgate
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home
from lockgate.gateway.port import free_port
from lockgate.governance.keys import create_key
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
START_S, ASK_S = 300.0, 120.0
MOST_ROUNDS = 1_000
CHECKS = ("performance", "leakage", "importance_shift")


@dataclass(frozen=True, eq=False)
class Case:
    """A fitted estimator on frames, its validation's rows, and what came later in order of time (`at_us`, n)."""

    name: str
    estimator: object
    validation: pl.DataFrame
    rows: pl.DataFrame
    at_us: np.ndarray
    target: str
    task: str


@dataclass
class Opened:
    """A notice, with the rows that had been asked when it was first said."""

    row: int
    said: Said


@dataclass
class Through:
    """What was said, and what became of the release."""

    requests: int = 0
    labels: int = 0
    opened: list[Opened] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    cpu_s: float = 0.0

    def subjects(self, source: str) -> list[tuple[int, str]]:
        """Of one watcher: row and subject of each notice."""
        return [
            (each.row, each.said.notice.subject) for each in self.opened if each.said.notice.source == source
        ]


def through(case: Case, folder: Path, *, look_days: float = 1.0) -> Through:
    """Submit, validate, go live, ask every row by the day's time, hand labels in a month later, let the watchers look."""
    began, done = time.process_time(), Through()
    lockgate.submit(
        case.estimator, case.name, test=case.validation, target=case.target, task=case.task, home=folder,
        suites={"low": list(CHECKS)},
    )  # fmt: skip
    clock = ToldClock(folder / "told-clock", int(case.at_us[0]))
    house = open_house(Home(folder), clock)
    try:
        with house.db.read() as tx:
            version = get_version(tx, VersionName(case.name, 1))
        validate_version(house, house.owner, version, None, lambda *_said, **_more: None)
        _go_live(house, version)
        with _gateway(house, case.name) as ask:
            _Stage(case, house, clock, done).play(ask, look_days)
        with house.db.read() as tx:
            done.phases = [each.phase.value for each in releases_of(tx, case.name)]
    finally:
        house.close()
    done.cpu_s = time.process_time() - began
    return done


@dataclass(eq=False)
class _Stage:
    """One case on its way."""

    case: Case
    house: House
    clock: ToldClock
    done: Through
    late: list[tuple[int, pl.DataFrame]] = field(default_factory=list)

    def play(self, ask: Ask, look_days: float) -> None:
        """Every row, six hours in a request; a look whenever so many days have passed, and a last one a month later."""
        case, clock = self.case, self.clock
        names = [name for name in case.validation.columns if name != case.target]
        watch = Watch(self.house.db, clock, watchers_of(self.house))
        looked_us, looks = int(case.at_us[0]), 0
        for start, end in _hours(case.at_us, 6):
            clock.tell(int(case.at_us[start]))
            part = case.rows[start:end]
            name = ask(part.select(names))
            self.done.requests += 1
            told = pl.DataFrame(
                {"id": [name] * part.height, "row": range(part.height), "label": part[case.target]}
            )
            self.late.append((int(case.at_us[end - 1]) + DELAY_US, told))
            if case.at_us[end - 1] - looked_us >= look_days * DAY_US:
                looked_us, looks = int(case.at_us[end - 1]), looks + 1
                if looks % 10 == 0:
                    archive(self.house.home.log, self.house.blobs, self.house.db)
                self.look(watch, row=end)
        clock.tell(clock.now_us() + DELAY_US + 2 * DAY_US)
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


class Ask:
    """Asks the gateway over HTTP."""

    def __init__(self, client: httpx.Client, model: str) -> None:
        self._client, self._path = client, f"/v2/models/{model}/infer"

    def __call__(self, rows: pl.DataFrame) -> str:
        """One request of these rows; its id. Raises RuntimeError for a refusal."""
        inputs = [_tensor(rows[name]) for name in rows.columns]
        answer = self._client.post(self._path, content=msgspec.json.encode({"inputs": inputs}))
        if answer.status_code != httpx.codes.OK:
            raise RuntimeError(f"the gateway refused {rows.height} rows: {answer.text[:500]}")
        return str(answer.json()["id"])


def _tensor(series: pl.Series) -> dict[str, object]:
    kind, values = "FP64", series
    if series.dtype == pl.String:
        kind = "BYTES"
    elif series.dtype == pl.Boolean:
        kind = "BOOL"
    elif series.dtype.is_integer():
        kind = "INT64"
    else:
        values = series.cast(pl.Float64)
    return {"name": series.name, "datatype": kind, "shape": [len(series)], "data": values.to_list()}


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


@contextmanager
def _gateway(house: House, model: str) -> Iterator[Ask]:
    with house.db.write() as tx:
        key, _ = create_key(tx, house.owner, label="replay", by=house.owner, at_us=house.clock.now_us())
    house.publish_access()
    port, words = free_port(), house.home.run / "replay.words"
    argv = [sys.executable, "-m", "benchmarks.monitor.told_clock", str(house.home.root / "told-clock"), "--home",
            str(house.home.root), "--port", str(port), "--host", "127.0.0.1", "--name", "gateway-0"]  # fmt: skip
    with words.open("wb") as said:
        process = subprocess.Popen(argv, stdout=said, stderr=said, cwd=Path(__file__).parents[2])
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"authorization": f"Bearer {key}"}, timeout=ASK_S
        ) as client:
            _wait(client, model, process, words)
            yield Ask(client, model)
    finally:
        process.terminate()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(client: httpx.Client, model: str, process: subprocess.Popen[bytes], words: Path) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            if client.get(f"/v2/models/{model}/ready").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"the gateway did not begin to serve {model}: {words.read_text()[-2_000:]}")
        time.sleep(0.1)


def _hours(at_us: np.ndarray, hours: int) -> Iterator[tuple[int, int]]:
    """Rows that came within so many hours."""
    turns = at_us // (hours * HOUR_US)
    starts = np.flatnonzero(np.concatenate([[True], np.diff(turns) != 0]))
    yield from zip(starts.tolist(), [*starts[1:].tolist(), at_us.size], strict=True)
