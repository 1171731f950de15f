"""The supervisor: restarts what dies for ever, stops in order, leaves no orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lockgate.errors import Conflict
from lockgate.rotating import RotatingLog
from lockgate.running import KEPT_DEATHS, deaths_of
from lockgate.supervisor import Child, Event, Supervisor, delay_s

SLEEPER = (sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)")
PROGRAM = """
import sys
from pathlib import Path
from lockgate.supervisor import Child, Supervisor
Supervisor([Child(name="a", argv=(sys.executable, "-c", "import time; time.sleep(600)"))], Path(sys.argv[1])).run()
"""


def wait_for(what: Callable[[], object], limit_s: float = 60.0) -> object:
    """Poll until `what` gives something true."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Running:
    """A supervisor in a thread of this process, with what it told."""

    def __init__(self, children: list[Child], folder: Path) -> None:
        self.events: list[Event] = []
        self.supervisor = Supervisor(children, folder, tell=self.events.append)
        self.thread = threading.Thread(target=self.supervisor.run)

    def __enter__(self) -> Running:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.supervisor.stop()
        self.thread.join(60)
        assert not self.thread.is_alive()

    def told(self, what: str, name: str | None = None) -> list[Event]:
        """The events of one kind, perhaps of one child."""
        return [event for event in self.events if event.what == what and name in (None, event.name)]


@pytest.mark.parametrize("kills", [30, pytest.param(200, marks=pytest.mark.faults)])
def test_a_child_is_started_as_often_as_it_is_killed(tmp_path: Path, kills: int) -> None:
    """Random kill -9 never ends the supervisor, and a child that ran is back quickly."""
    child = Child(name="worker", argv=("/bin/sleep", "600"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lockgate.running.LONGEST_DELAY_S", 0.05)
        with Running([child], tmp_path) as running:
            for number in range(kills):
                wait_for(lambda count=number: len(running.told("started")) > count)
                os.kill(running.told("started")[-1].pid, signal.SIGKILL)
            wait_for(lambda: len(running.told("started")) == kills + 1)
            assert running.thread.is_alive()
            assert len(running.told("died")) == kills
            assert "SIGKILL" in running.told("died")[0].detail


def test_waiting_grows_and_is_made_up_for_by_living() -> None:
    """A crash loop is slowed down to one start in five seconds, never to none."""
    assert [delay_s(deaths) for deaths in range(5)] == [0.05, 0.1, 0.2, 0.4, 0.8]
    assert delay_s(10_000) == 5.0


def test_a_program_that_does_not_exist_is_tried_again_and_harms_nobody(tmp_path: Path) -> None:
    """One child that cannot start leaves the others running."""
    children = [Child(name="bad", argv=("/no/such/program",)), Child(name="good", argv=SLEEPER)]
    with Running(children, tmp_path) as running:
        wait_for(lambda: len(running.told("could not be started:")) >= 2)
        assert alive(running.told("started", "good")[0].pid)


def test_the_last_deaths_are_noted(tmp_path: Path) -> None:
    """With their words, the oldest first, no more than a few; of a child that is alive and well there are none."""
    dies = Child(name="dies", argv=(sys.executable, "-c", "raise SystemExit(3)"))
    (tmp_path / "dies.deaths").write_text("".join(f"{n} long ago\n" for n in range(1, KEPT_DEATHS + 1)))
    with Running([dies, Child(name="lives", argv=SLEEPER)], tmp_path) as running:
        wait_for(lambda: len(running.told("died", "dies")) >= 2)
    found = deaths_of(tmp_path, "dies")
    assert len(found) == KEPT_DEATHS
    assert [death.words for death in found[-2:]] == ["exit status 3"] * 2
    assert deaths_of(tmp_path, "lives") == []


def test_a_death_that_cannot_be_noted_is_told_and_harms_nobody(tmp_path: Path) -> None:
    """Where the notes of earlier deaths cannot be read: the supervisor lives, and starts the child again."""
    (tmp_path / "dies.deaths").mkdir()
    with Running(
        [Child(name="dies", argv=(sys.executable, "-c", "raise SystemExit(3)"))], tmp_path
    ) as running:
        wait_for(lambda: len(running.told("started", "dies")) >= 2)
        assert running.told("died, which cannot be noted:")


def test_stopping_follows_the_ranks_and_removes_the_pid_files(tmp_path: Path) -> None:
    """Lower ranks are gone before higher ones are asked."""
    children = [Child(name="database", argv=SLEEPER, rank=2), Child(name="gateway", argv=SLEEPER, rank=1)]
    with Running(children, tmp_path) as running:
        wait_for(lambda: len(running.told("started")) == 2)
        assert int((tmp_path / "gateway.pid").read_text()) == running.told("started", "gateway")[0].pid
        wait_for(
            lambda: (tmp_path / "gateway.log").exists() and b"up" in (tmp_path / "gateway.log").read_bytes()
        )
    assert [event.name for event in running.told("stopped")] == ["gateway", "database"]
    assert list(tmp_path.glob("*.pid")) == []
    assert not any(alive(event.pid) for event in running.told("started"))


def test_a_child_that_ignores_the_request_is_killed_with_its_own_children(tmp_path: Path) -> None:
    """After `stop_s` the whole process group goes."""
    stubborn = "trap '' TERM; sleep 600 & echo $! ; while true; do sleep 1; done"
    with Running([Child(name="stubborn", argv=("/bin/sh", "-c", stubborn), stop_s=0.3)], tmp_path) as running:
        log = tmp_path / "stubborn.log"
        grandchild = int(str(wait_for(lambda: log.exists() and log.read_text())).split()[0])
    assert [event.name for event in running.told("killed")] == ["stubborn"]
    wait_for(lambda: not alive(grandchild))


def test_kill_minus_nine_of_the_supervisor_leaves_no_orphan(tmp_path: Path) -> None:
    """The kernel ends the children, and the next supervisor may start."""
    owner = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], stderr=subprocess.DEVNULL)
    child = int(str(wait_for(lambda: (tmp_path / "a.pid").exists() and (tmp_path / "a.pid").read_text())))
    owner.kill()
    owner.wait()
    wait_for(lambda: not alive(child))
    with Running([Child(name="a", argv=SLEEPER)], tmp_path) as running:
        wait_for(lambda: running.told("started"))


def test_a_signal_stops_it_in_order(tmp_path: Path) -> None:
    """SIGTERM to the supervisor ends with exit status 0 and nothing left."""
    owner = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stderr=subprocess.PIPE, text=True
    )
    child = int(str(wait_for(lambda: (tmp_path / "a.pid").exists() and (tmp_path / "a.pid").read_text())))
    owner.terminate()
    _, words = owner.communicate(timeout=60)
    assert owner.returncode == 0
    assert "a stopped" in words
    assert not alive(child)


def test_a_second_supervisor_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    """ErrConflict names the process that is there."""
    with Running([Child(name="a", argv=SLEEPER)], tmp_path), pytest.raises(Conflict, match=str(os.getpid())):
        Supervisor([], tmp_path)


def test_a_log_is_moved_aside_when_it_is_full(tmp_path: Path) -> None:
    """Three older files are kept, in order."""
    log = RotatingLog(tmp_path / "a.log", limit_bytes=10, keep=3)
    for number in range(6):
        log.write(f"line {number}...".encode())
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {
        "a.log": "line 5...",
        "a.log.1": "line 4...",
        "a.log.2": "line 3...",
        "a.log.3": "line 2...",
    }
