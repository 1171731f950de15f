"""`lockgate WORDS...` as a process of its own that need not import anything: forked from one that has imported all of it.

Starting Python and importing is most of the time of a short command, and the tests run hundreds. Each is a real process all
the same, with its own environment, folder, output, signals and exit status. What is about the start itself (`up`, kills in the
middle, Ctrl-C, what `--help` imports) starts a fresh Python.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_BYTES = 200_000  # of words and environment
PROGRAM = "lockgate"
LOCKGATE = str(Path(sys.executable).with_name(PROGRAM))
AFRESH = {"up", "gateway"}
# Threads that libraries start when they are imported, and that wait for work which no command gives them.
IDLE = {"jemalloc_bg_thd", "polars-ooc-clea"}


class Commands:
    """The waiting process, and a way to ask it for a command."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
                cwd=ROOT, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env={**os.environ, "OMP_NUM_THREADS": "1"},
            )  # fmt: skip

    def run(
        self, words: tuple[str, ...], *, env: Mapping[str, str], cwd: Path, timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """One command, as `subprocess.run` would: raises TimeoutExpired after killing it. `up` and bare `--help` start afresh."""
        if AFRESH & {*words} or words == ("--help",):
            return subprocess.run(
                [LOCKGATE, *words],
                capture_output=True,
                text=True,
                timeout=timeout_s,
                cwd=cwd,
                env=env,
                check=False,
            )
        asked = json.dumps({"words": words, "env": dict(env), "cwd": str(cwd)}).encode()
        status, told = os.pipe()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            os.fdopen(status, "rb", 0) as ended,
        ):
            socket.send_fds(self._channel, [asked], [out.fileno(), err.fileno(), told])
            os.close(told)
            pid = int(ended.readline())
            if not select.select([ended], [], [], timeout_s)[0]:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired([PROGRAM, *words], timeout_s)
            returned = int(ended.readline())
            said = [_text(each.fileno()) for each in (out, err)]
        return subprocess.CompletedProcess([PROGRAM, *words], returned, *said)

    def close(self) -> None:
        """End the waiting process."""
        self._channel.close()
        self._process.wait(60)


def _text(handle: int) -> str:
    os.lseek(handle, 0, os.SEEK_SET)
    with os.fdopen(handle, encoding="utf-8", closefd=False) as file:
        return file.read()


@cache
def commands() -> Commands:
    """The one of this test process, started when it is first needed."""
    made = Commands()
    atexit.register(made.close)
    return made


def wait_for_commands(channel: socket.socket) -> None:
    """Import what the verbs import; then fork for every command that is asked for, until nobody asks any more."""
    _import_everything()
    with selectors.DefaultSelector() as selector:
        selector.register(channel, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.data is not None:
                    selector.unregister(key.fd)
                    _bury(key.fd, *key.data)
                    continue
                asked, handles, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
                if not asked:
                    return
                out, err, told = handles
                pid = os.fork()
                if pid == 0:
                    selector.close()
                    channel.close()
                    os.close(told)
                    become(**json.loads(asked), out=out, err=err)
                os.close(out)
                os.close(err)
                os.write(told, b"%d\n" % pid)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, told))


def _import_everything() -> None:
    cli = importlib.import_module("lockgate.cli")
    for module in pkgutil.iter_modules(cli.__path__):
        importlib.import_module(f"lockgate.cli.{module.name}")
    importlib.import_module("lockgate.client.near")
    importlib.import_module("alembic.command")
    running = {
        task.joinpath("comm").read_text().strip()
        for task in Path("/proc/self/task").iterdir()
        if task.name != str(os.getpid())
    }
    assert running <= IDLE, f"a fork does not copy these threads: {running - IDLE}"
    gc.freeze()


def become(words: list[str], env: dict[str, str], cwd: str, out: int, err: int) -> None:
    """In the forked process: take the caller's place and be the command; ends with its status."""
    for handle, place in ((out, 1), (err, 2)):
        os.dup2(handle, place)
        os.close(handle)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [PROGRAM, *words]
    sys.exit(importlib.import_module("lockgate.cli.main").main())


def _bury(pidfd: int, pid: int, told: int) -> None:
    os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    os.write(told, b"%d\n" % os.waitstatus_to_exitcode(status))
    os.close(told)


if __name__ == "__main__":
    wait_for_commands(socket.socket(fileno=int(sys.argv[1])))
