"""kill -9 of the service at every place of a retraining, on both databases: another one goes on, and nothing is made twice."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from benchmarks.monitor.told_clock import ToldClock
from tests.retraining.flow import add_rows, ended, live_model, notice, rows
from tests.system.box import wait_for
from tests.wiring.dying_retrainer import HERE

from lockgate.checks.store import history_of
from lockgate.clock import DAY_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.governance.audit import rows as audit_rows
from lockgate.governance.checkpoints import verify
from lockgate.pipelines.run import RunState
from lockgate.pipelines.store import runs_of
from lockgate.registry.store import versions_of
from lockgate.release.phases import Phase
from lockgate.release.store import releases_of
from lockgate.retraining.retraining import RUNNING, Retraining, State
from lockgate.retraining.store import SILENT_S, retrainings_of
from lockgate.wiring.house import House, open_house

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
LIMIT_S = 900.0  # a busy machine trains and checks slowly
T0 = 20_000 * DAY_US


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """A home by a told time, once on each database, whose live model answers worse than promised."""
    home = Home(tmp_path / "home")
    home.root.mkdir()
    if request.param == "postgres":
        database: Database = request.getfixturevalue("postgres")
        url = database.engine.url.render_as_string(hide_password=False)
        (home.root / "config.yaml").write_text(f"database: {url}\n")
    opened = open_house(home, ToldClock(home.root / "told-clock", T0))
    add_rows(opened, rows(0.0))
    live_model(opened, opened.owner, retrain={"when": ["performance"]})
    add_rows(opened, rows(1.2, seed=1))
    notice(opened, 1)
    yield opened
    opened.close()


def test_it_is_killed_at_every_place_and_nothing_is_made_twice(house: House, tmp_path: Path) -> None:
    """Before each step, in it, and between its work and its claim: one cause, one run that is whole, one version, one validation,
    one release; each move is on record once; those whose process died are on record as lost."""
    for state in RUNNING:
        for when in ("before", "after"):
            with service(house, tmp_path, state.value, when) as said:
                wait_for(lambda said=said: HERE in said.read_text(), LIMIT_S, said.read_text)
    with service(house, tmp_path) as said:
        wait_for(lambda: one(house).release is not None, LIMIT_S, said.read_text)
    ended(house, "flow", Phase.DONE)
    with service(house, tmp_path) as said:
        wait_for(lambda: one(house).state is State.RELEASED, LIMIT_S, said.read_text)
    check(house)


def test_it_is_killed_in_the_middle_of_its_work(house: House, tmp_path: Path) -> None:
    """While the pipeline runs, and while checks run: the next one trains and checks again what was not whole, and only that."""
    with service(house, tmp_path) as said:
        wait_for(lambda: runs(house, RunState.RUNNING) or runs(house, RunState.DONE), LIMIT_S, said.read_text)
    with service(house, tmp_path) as said:
        wait_for(lambda: is_trained(house), LIMIT_S, said.read_text)
    with service(house, tmp_path) as said:
        wait_for(lambda: one(house).release is not None, LIMIT_S, said.read_text)
    ended(house, "flow", Phase.DONE)
    with service(house, tmp_path) as said:
        wait_for(lambda: one(house).state is State.RELEASED, LIMIT_S, said.read_text)
    check(house)


def check(house: House) -> None:
    """What must be there once is there once."""
    done = one(house)
    assert (done.state, done.version, done.attempt) == (State.RELEASED, 2, 1)
    assert len(runs(house, RunState.DONE)) == 1
    assert not runs(house, RunState.RUNNING)
    with house.db.read() as tx:
        versions = versions_of(tx, "flow")
        assert [version.author for version in versions] == ["pipeline", house.owner.id]
        assert len(history_of(tx, versions[0].digest, "flow")) == 1
        assert [release.version for release in releases_of(tx, "flow")] == [2, 1]
        acts = [
            row.action.rpartition(":")[2]
            for row in audit_rows(tx, subject="flow", action="retraining:", limit=100)
        ]
    assert acts == ["released", "releasing", "validating", "training", "asked"]
    assert not verify(house.db, house.home).faults


def runs(house: House, state: RunState) -> list[int]:
    """Runs of the pipeline that lockgate began."""
    with house.db.read() as tx:
        return [run.id for run in runs_of(tx, "flow", state=state) if run.author == "pipeline"]


def is_trained(house: House) -> bool:
    """Whether what came out is being checked, or was by the time that somebody looks."""
    return one(house).state not in {State.ASKED, State.TRAINING}


def one(house: House) -> Retraining:
    """The only one there is."""
    with house.db.read() as tx:
        (found,) = retrainings_of(tx, "flow")
    return found


@contextmanager
def service(house: House, folder: Path, *place: str) -> Iterator[Path]:
    """The service in a process of its own, and what it says; it is killed at the end, and nobody hears of it for a minute."""
    said = folder / "service.log"
    argv = [
        sys.executable,
        "-m",
        "tests.wiring.dying_retrainer",
        str(house.home.root),
        str(house.home.root / "told-clock"),
    ]
    with said.open("wb") as log:
        process = subprocess.Popen([*argv, *place], stdout=log, stderr=log, cwd=Path(__file__).parents[2])
    try:
        yield said
        assert process.poll() is None, said.read_text()
    finally:
        process.kill()
        process.wait()
    house.clock.sleep(SILENT_S + 1)
