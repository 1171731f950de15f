"""The pipeline's process from outside: started, told, listened to, and ended; how it died, in words."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from lockgate import pipelines as room
from lockgate.errors import LockgateError, PredictionFailed, TooLarge, Unavailable, error_from
from lockgate.inference.runner_order import THREADS

PACKAGE = Path(room.__path__[0]).parent
LAST_LINES = 8
MOST_LINE_BYTES = 16_000_000  # of one message: names and numbers, never tables
START = (  # -I would hide PYTHONHASHSEED, so the current folder is taken off the path here
    "import sys; sys.path[:] = [*filter(None, sys.path), sys.argv[4]]; "
    "from lockgate.pipelines.inside.enter import enter; enter(*map(int, sys.argv[1:4]), sys.argv[4])"
)
MEMORY_FIX = "let it use less (fewer columns, pieces of the table), or give it more: memory_mb of the model in lockgate.yaml"

Replies = Callable[[Mapping[str, Any]], Mapping[str, object]]  # what the process wonders -> what it is told


class Stopped(LockgateError):
    """A search ended the step early: what it reported was not among the better."""


def unheard(_asked: Mapping[str, Any]) -> Mapping[str, object]:
    """The answer of a run that is no trial: go on."""
    return {"go": True}


class Child:
    """One started process. `words`: where everything that it prints goes."""

    def __init__(self, python: Path, order: Mapping[str, Any], words: Path, library: Path) -> None:
        self._words = words
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        life, self._life = os.pipe()
        arguments = [
            str(python),
            "-s",
            "-S",
            "-B",
            "-c",
            START,
            *map(str, (theirs_in, theirs_out, life)),
            str(library),
        ]
        try:
            with words.open("ab") as file:
                self._process = subprocess.Popen(
                    arguments, pass_fds=(theirs_in, theirs_out, life), stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                    cwd=order["write"][0], env=_environment(python, order), start_new_session=True,
                )  # fmt: skip
        except OSError as error:
            for end in (ours_out, ours_in, self._life):
                os.close(end)
            raise Unavailable(f"the interpreter {python} cannot be started", got=error.strerror) from error
        finally:
            for end in (theirs_in, theirs_out, life):
                os.close(end)
        self._asks, self._hears = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        self._send(order)

    def hear(self, step: str) -> dict[str, Any]:
        """The next message. Raises what the pipeline raised, TooLarge for memory, PredictionFailed when it died."""
        line = self._hears.readline(MOST_LINE_BYTES)
        if not line.endswith(b"\n"):
            if len(line) == MOST_LINE_BYTES:
                raise TooLarge(f"what step '{step}' said of itself is too long", allowed=f"{MOST_LINE_BYTES:,} bytes",
                               fix="return large things as results of steps: metrics are names and numbers")  # fmt: skip
            raise self._died(step)
        said: dict[str, Any] = msgspec.json.decode(line)
        match said["say"]:
            case "refused":
                raise error_from(said["error"])
            case "memory":
                raise TooLarge(f"step '{said['step']}' wanted more memory than it may have", got=said.get("message") or None,
                               fix=MEMORY_FIX)  # fmt: skip
            case "room":
                raise no_room(said["message"], f"step '{said['step']}'")
            case "stopped":
                raise Stopped(f"step '{said['step']}' was ended early", got=said.get("message"))
            case "raised":
                raise _raised(said)
        return said

    def ask(self, step: str, task: Mapping[str, Any], replies: Replies = unheard) -> dict[str, Any]:
        """One task and what came of it; `replies` answers what it wonders meanwhile. Raises as `hear`, and Stopped."""
        message: Mapping[str, Any] = task
        while True:
            try:
                self._send(message)
            except BrokenPipeError as error:
                raise self._died(step) from error
            said = self.hear(step)
            if said["say"] != "wonders":
                return said
            message = replies(said)

    def kill(self) -> None:
        """Kill it and everything that it started; who listens to it hears that it died."""
        with suppress(ProcessLookupError):  # it ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it and everything that it started. Twice does no harm."""
        self.kill()
        self._process.wait()
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        for end in (self._asks, self._hears):
            try:
                end.close()
            except BrokenPipeError:
                continue  # what was not sent yet is not wanted any more

    def _send(self, message: Mapping[str, Any]) -> None:
        self._asks.write(msgspec.json.encode(message) + b"\n")
        self._asks.flush()

    def _died(self, step: str) -> LockgateError:
        status = self._process.wait()
        said = " | ".join(self._words.read_text(errors="replace").strip().splitlines()[-LAST_LINES:]) or None
        if status == -signal.SIGKILL:
            return TooLarge(f"the process was killed during step '{step}': most often the machine had no memory left",
                            got=said, fix=MEMORY_FIX)  # fmt: skip
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return PredictionFailed(f"the process ended during step '{step}' with {how}", got=said,
                                fix="run the step alone in Python; what it printed is above")  # fmt: skip


@contextmanager
def started(python: Path, order: Mapping[str, Any], words: Path, library: Path) -> Iterator[Child]:
    """A process for the length of a block."""
    child = Child(python, order, words, library)
    try:
        yield child
    finally:
        child.end()


def no_room(said: str, who: str) -> Unavailable:
    """The error for a full disk."""
    return Unavailable(f"{who} found no room on the disk", got=said,
                       fix="make room below the home folder (lockgate runs clean), then start "
                           "again: what is done is kept")  # fmt: skip


def _raised(said: Mapping[str, Any]) -> PredictionFailed:
    place = f" ({said['place']})" if said.get("place") else ""
    what = "the pipeline cannot be loaded" if said["step"] == "load" else f"step '{said['step']}' raised"
    return PredictionFailed(
        f"{what}: {said['type']}: {said['message'] or 'no words'}{place}", fix=_remedy(said)
    )


def _remedy(said: Mapping[str, Any]) -> str:
    if said["type"] == "ModuleNotFoundError":
        return "pin the library in the model's requirements, or keep the module in the project"
    if said["type"] in ("FileNotFoundError", "PermissionError"):
        return "a step reads what it is given: declare files under 'data' in lockgate.yaml and take them as parameters"
    return "mend the step and start again: what was done before it is kept"


def _environment(python: Path, order: Mapping[str, Any]) -> dict[str, str]:
    """What the process finds set: nothing of ours but what finds libraries and accelerators."""
    folder, threads = order["write"][0], int(order.get("threads", 0))
    names = ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", *THREADS)
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": folder,
        "TMPDIR": folder,
        "LANG": "C.UTF-8",
        "USER": "model",
        "PYTHONHASHSEED": "0",
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
        **kept,
        **(dict.fromkeys(THREADS, str(threads)) if threads else {}),
    }
