"""Children are replaced one after the other, each only when the one before does its work again."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lockgate.supervisor import Child, Event, Supervisor

PROGRAM = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
if len(sys.argv) > 2:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
time.sleep(0.3)
import os
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(120)
"""


def child(folder: Path, name: str, *more: str, stop_s: float = 30.0) -> Child:
    """A process that writes its id when it is ready, a moment after its start."""
    path = folder / f"{name}.ready"

    def ready(pid: int) -> bool:
        return path.exists() and path.read_text() == str(pid)

    return Child(name, (sys.executable, "-c", PROGRAM, str(path), *more), ready=ready, stop_s=stop_s)


def until(what: Callable[[], object], limit_s: float = 60.0) -> None:
    """Wait for something."""
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_ready(folder: Path, one: Child, told: list[Event]) -> bool:
    """Whether the newest process of a child is ready."""
    assert one.ready is not None
    started = [event.pid for event in told if event.name == one.name and event.what == "started"]
    return bool(started) and one.ready(started[-1])


def test_one_after_the_other_and_only_those_that_say_when_they_are_ready(tmp_path: Path) -> None:
    """Three are renewed in turn, a fourth without a word about being ready stays; nothing counts as a death."""
    told: list[Event] = []
    folk = [child(tmp_path, f"worker-{number}") for number in range(3)]
    plain = Child("plain", (sys.executable, "-c", "import time; time.sleep(120)"))
    supervisor = Supervisor([*folk, plain], tmp_path / "run", tell=told.append)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        until(lambda: all(is_ready(tmp_path, one, told) for one in folk))
        first = len(told)
        supervisor.renew()
        until(lambda: len(told) >= first + 6)
        until(lambda: all(is_ready(tmp_path, one, told) for one in folk))
    finally:
        supervisor.stop()
        thread.join(60)
    steps = [(event.name, event.what, event.detail) for event in told[first : first + 6]]
    names = [name for name, _, _ in steps]
    assert names == ["worker-0"] * 2 + ["worker-1"] * 2 + ["worker-2"] * 2
    assert [what for _, what, _ in steps] == ["stopped", "started"] * 3
    assert {detail for _, what, detail in steps if what == "stopped"} == {"for a successor"}


def test_one_that_does_not_make_room_is_killed(tmp_path: Path) -> None:
    """After `stop_s`, and its successor is started."""
    told: list[Event] = []
    stubborn = child(tmp_path, "stubborn", "ignores", stop_s=0.5)
    supervisor = Supervisor([stubborn], tmp_path / "run", tell=told.append)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        until(lambda: is_ready(tmp_path, stubborn, told))
        supervisor.renew()
        until(lambda: len([event for event in told if event.what == "started"]) == 2)
        until(lambda: is_ready(tmp_path, stubborn, told))
    finally:
        supervisor.stop()
        supervisor.stop()
        thread.join(60)


def test_a_signal_renews(tmp_path: Path) -> None:
    """SIGUSR1 to the process that runs the supervisor, as `kill -USR1 $(cat run/lockgate.pid)` sends it."""
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from test_renewal import child; from lockgate.supervisor import Supervisor\n"
        "folder = Path(sys.argv[2]); Supervisor([child(folder, 'one')], folder / 'run').run()"
    )
    pid = os.spawnv(
        os.P_NOWAIT,
        sys.executable,
        [sys.executable, "-c", program, str(Path(__file__).parent), str(tmp_path)],
    )
    path = tmp_path / "one.ready"
    try:
        until(path.exists)
        before = path.read_text()
        os.kill(pid, signal.SIGUSR1)
        until(lambda: path.read_text() not in ("", before))
    finally:
        os.kill(pid, signal.SIGTERM)
        assert os.waitpid(pid, 0)[1] == 0
