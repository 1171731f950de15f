"""Rounds and acts that are killed (SIGKILL) at the n-th thing they do outside: `python -m tests.release.kill_points`.

What is done outside is every statement that writes to the database, every commit and every publication of a plan, each with the
moment before and the moment after. A line of JSON on standard input names the home, the time, what is to be done and where
it dies; the answer is `killed` or `done`. Each is done by a process of its own, forked from one that has imported everything.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database, open_database
from lockgate.governance.people import get_person
from lockgate.predictions.log import LogReader
from lockgate.release import acts, hands
from lockgate.release.controller import Controller
from lockgate.release.desk import Desk
from lockgate.release.start import start
from lockgate.traffic import PlanShelf

ROOT = Path(__file__).parents[2]


class Countdown:
    """Kills this process at the n-th thing it does."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self) -> None:
        """One more thing is about to be done, or was just done."""
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


class KilledShelf(PlanShelf):
    """The real shelf; before and after each publication the process may die."""

    def __init__(self, folder: Path, step: Countdown) -> None:
        super().__init__(folder)
        self._step = step

    def publish_route(self, route, *, killed=()):
        """Publish, with a death before or after."""
        self._step()
        plan = super().publish_route(route, killed=killed)
        self._step()
        return plan


class KilledDatabase(Database):
    """The real database; before each writing statement, and around each commit, the process may die."""

    def __init__(self, engine: sa.Engine, step: Countdown) -> None:
        super().__init__(engine)
        self._step = step
        sa.event.listen(engine, "before_cursor_execute", self._before)

    def _before(self, _connection, _cursor, statement, *_rest) -> None:
        if not statement.lstrip().upper().startswith(("SELECT", "PRAGMA", "SAVEPOINT", "RELEASE", "BEGIN")):
            self._step()

    @contextmanager
    def write(self):
        """One transaction, with a death before or after its commit."""
        with super().write() as tx:
            yield tx
            self._step()
        self._step()


def told(home: Home) -> Callable[..., None]:
    """An effect handler that leaves a line for each effect it was given."""

    def handler(effect) -> None:
        with (home.root / "effects.log").open("a") as log:
            log.write(f"{effect.release} {effect.seq} {effect.effect}\n")

    return handler


def do(what: str, home: Home, clock: FakeClock, step: Countdown) -> None:
    """A round of a fresh controller, or one act of a person."""
    database = KilledDatabase(open_database(f"sqlite:///{home.database}").engine, step)
    shelf = KilledShelf(home.plan, step)
    if what == "round":
        reader = LogReader(home.log)
        Controller(database, shelf, home.members, reader, clock, handlers={"notify": told(home)}).tick()
        return
    desk = Desk(database, shelf, home.members, clock)
    with database.read() as tx:
        bob, ann = get_person(tx, "bob"), get_person(tx, "ann")
    if what == "rollback":
        acts.rollback(desk, bob, "churn", "complaints", wait=False)
    elif what == "hold":
        acts.hold(desk, bob, "churn", "let me look")
    elif what == "lower":
        hands.weigh(desk, bob, "churn", "a busy hour", weight=0.05, wait=False)
    elif what == "raise":
        hands.weigh(desk, ann, "churn", "it is over", weight=None)
    elif what == "extend":
        hands.give_time(desk, ann, "churn", "month's end", seconds=3_600)
    elif what == "supersede":
        start(desk, ann, "churn/3", "hot fix", supersede=True)
    else:
        raise ValueError(what)


def serve() -> None:
    """Answer one line after the other."""
    for line in sys.stdin:
        asked = json.loads(line)
        pid = os.fork()
        if pid == 0:
            try:
                do(
                    asked["what"],
                    Home(Path(asked["home"])),
                    FakeClock(asked["now_us"]),
                    Countdown(asked["at"]),
                )
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        print({0: "done", -signal.SIGKILL: "killed"}.get(code, f"failed {code}"), flush=True)


class Killer:
    """The waiting process, and a way to ask it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.release.kill_points"], cwd=ROOT, text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip

    def __call__(self, what: str, home: Home, now_us: int, at: int) -> bool:
        """Do it and die at the `at`-th step; False when it had fewer steps and was done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = {"what": what, "home": str(home.root), "now_us": now_us, "at": at}
        self._process.stdin.write(json.dumps(asked) + "\n")
        said = self._process.stdout.readline().strip()
        assert said in ("done", "killed"), said
        return said == "killed"

    def close(self) -> None:
        """Let it end."""
        self._process.communicate()


if __name__ == "__main__":
    serve()
