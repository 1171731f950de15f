"""One runner as a child process: started, greeted, asked, killed. Nothing is restarted here; see `pool.py`.

The process gets two descriptors for frames, a pipe whose closing kills it, a clean environment and a private
temporary folder.
"""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from lockgate.errors import InvalidInput, LockgateError, PredictionFailed, TimedOut, Unavailable
from lockgate.inference.channel import Channel, NotSent
from lockgate.inference.runner_folder import RunnerFolder, tidy
from lockgate.inference.runner_order import Confined, Failure, Order, Ready, environment_of
from lockgate.inference.runner_words import RunnerWords
from lockgate.runner import wire

RUNNER_FOLDER = Path(wire.__file__).parent
REFUSED = "InputRefused"  # what a model's own code raises for an input that is its caller's fault
ANSWER_BYTES = 512 * 1024 * 1024
SOCKET_BYTES = 4 << 20
GRACE_S = 2.0
LAST_WORDS_S = 0.5
SEND_BUFFER_FORCE = 32  # SO_SNDBUFFORCE, which Python does not name: beyond the system's limit, for root


class NotAsked(PredictionFailed):
    """The process was gone before it had the request: it may be asked of another."""


class OutOfMemory(PredictionFailed):
    """The model wanted more memory than it may have; what it holds already, it keeps."""


class RunnerProcess:
    """A started runner. Raises PredictionFailed when the model does not load, TimedOut when it takes too long."""

    def __init__(self, order: Order) -> None:
        self._ending = threading.Lock()  # a pool that closes and one that starts again may both end it
        self.order = order
        _tidy_once()
        self._folder = RunnerFolder()
        self._request = 0
        try:
            ours, theirs, (life, self._life) = _ends(command=bool(order.command))
        except OSError:
            self._folder.remove()
            raise
        given = sorted({*theirs, life})
        arguments = ["--in", theirs[0], "--out", theirs[1], "--life", life]
        try:
            self._process = subprocess.Popen(
                [str(order.python), "-I", "-S", "-B", str(RUNNER_FOLDER), *map(str, arguments)], pass_fds=given,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self._folder.path,
                env=environment_of(self._folder.path), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            _close({*ours, self._life})
            self._folder.remove()
            raise Unavailable(
                f"the interpreter {order.python} cannot be started", got=error.strerror
            ) from error
        finally:
            _close(given)
        self.pid = self._process.pid
        self._channel = Channel(*ours)
        self._words = RunnerWords(self._process.stdout)
        self.ready = self._greet()

    def ask(
        self,
        kind: wire.Kind,
        body: bytes | Sequence[wire.Buffer],
        deadline_s: float,
        most_bytes: int = ANSWER_BYTES,
    ) -> wire.Buffer:
        """Send a request and wait for its answer, at most `deadline_s`."""
        parts = [body] if isinstance(body, bytes) else body
        try:
            frame = self._channel.ask(kind, self._next(), parts, time.monotonic() + deadline_s, most_bytes)
        except TimeoutError as error:
            raise self._late(deadline_s) from error
        except (OSError, wire.BadFrame) as error:
            raise self._died(error) from error
        return self._checked(frame)

    async def ask_async(
        self, kind: wire.Kind, parts: Sequence[wire.Buffer], ends_s: float, most_bytes: int = ANSWER_BYTES
    ) -> wire.Buffer:
        """The same on the running event loop until `ends_s` (monotonic); the channel belongs to that loop then."""
        began_s = time.monotonic()
        try:
            frame = await self._channel.ask_async(kind, self._next(), parts, ends_s, most_bytes)
        except TimeoutError as error:
            raise await asyncio.to_thread(self._late, ends_s - began_s) from error
        except (OSError, wire.BadFrame) as error:
            raise await asyncio.to_thread(self._died, error) from error
        return self._checked(frame)

    def greet_again(self, order: Order) -> None:
        """Have it load the model again for other inputs: its libraries are imported already. Not for commands.

        Raises what starting it would. The process ends when the model does not load a second time.
        """
        hello = wire.encode_json(order.hello(self._folder.path))
        body = self.ask(wire.Kind.HELLO, hello, order.start_timeout_s)
        try:
            self.order, self.ready = order, _ready(body)
        except (wire.BadFrame, msgspec.MsgspecError) as error:
            raise self._died(error) from error

    @property
    def in_loop(self) -> bool:
        """Whether an event loop owns the channel."""
        return self._channel.in_loop

    def alive(self) -> bool:
        """Whether the process runs and can be asked."""
        return self._channel.broken is None and self._process.poll() is None

    def memory_bytes(self) -> int:
        """Resident memory now; 0 once it ended."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End the process at once and take its folder away. Twice does no harm, nor do two threads at once."""
        with self._ending:
            if self._life >= 0:
                os.close(self._life)
                self._life = -1
            self._process.kill()
            self._process.wait()
            self._channel.close()
            self._words.close(GRACE_S)
            self._folder.remove()

    def _greet(self) -> Ready:
        """Say hello; to a command twice: to its launcher, which confines it, and to the command itself."""
        hello = wire.encode_json(self.order.hello(self._folder.path))
        ends_s = time.monotonic() + self.order.start_timeout_s
        try:
            confined = None
            if self.order.command:
                frame = self._channel.ask(wire.Kind.HELLO, 0, [hello], ends_s, ANSWER_BYTES)
                confined = msgspec.json.decode(bytes(self._checked(frame)), type=Confined)
            frame = self._channel.ask(wire.Kind.HELLO, 0, [hello], ends_s, ANSWER_BYTES)
            ready = _ready(self._checked(frame))
        except TimeoutError as error:
            failure: LockgateError = self._late(self.order.start_timeout_s)
            self.kill()
            raise failure from error
        except (OSError, wire.BadFrame, msgspec.MsgspecError) as error:
            failure = self._died(error)
            self.kill()
            raise failure from error
        except LockgateError:
            self.kill()
            raise
        if confined is None:
            return ready
        return msgspec.structs.replace(ready, confined=confined.confined, unconfined=confined.unconfined)

    def _checked(self, frame: wire.Frame) -> wire.Buffer:
        if frame.kind != wire.Kind.ERROR:
            return frame.body
        try:
            said = msgspec.json.decode(bytes(frame.body), type=Failure)
        except msgspec.MsgspecError:
            said = Failure(message="it said so in no words that can be read")
        if said.type == REFUSED and said.where == "model":
            raise InvalidInput(said.message)
        what = "the model could not be loaded" if said.where in ("load", "start") else "the model raised"
        kind = (
            OutOfMemory
            if said.type in ("MemoryError", "ArrayMemoryError", "_ArrayMemoryError")
            else PredictionFailed
        )
        raise kind(f"{what}: {said.type}: {said.message}", fix=_advice(said))

    def _next(self) -> int:
        self._request = self._request % 0xFFFFFFFF + 1
        return self._request

    def _late(self, deadline_s: float) -> TimedOut:
        """End it with SIGABRT, upon which it says where it was."""
        self._process.send_signal(signal.SIGABRT)
        try:
            self._process.wait(LAST_WORDS_S)
            self._words.wait(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        places = [
            line.strip()
            for line in self._words.lines()
            if line.startswith("  File ") and str(RUNNER_FOLDER) not in line
        ]
        return TimedOut(
            f"the model did not answer within {deadline_s:.3g} s",
            got=f"it was at {places[0]}" if places else None,
        )

    def _status(self) -> int | None:
        """How it ended, once its last words are here; None when it closed its side and lives on."""
        try:
            status = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            return None
        self._words.wait(GRACE_S)
        return status

    def _died(self, error: Exception) -> PredictionFailed:
        status = None if isinstance(error, wire.BadFrame) else self._status()
        how = f"ended with {_ending(status)}" if status is not None else f"broke the protocol ({error})"
        kind = NotAsked if isinstance(error, NotSent) else PredictionFailed
        return kind(f"the model's process {how}", got=" | ".join(self._words.lines()[-6:]) or None)


def _ready(body: wire.Buffer) -> Ready:
    ready = msgspec.json.decode(bytes(body), type=Ready)
    if ready.protocol != wire.PROTOCOL:
        raise wire.BadFrame(f"it speaks protocol {ready.protocol}, not {wire.PROTOCOL}")
    return ready


Ends = tuple[int, int]  # reading, writing


def _ends(*, command: bool) -> tuple[Ends, Ends, Ends]:
    """Our ends, the runner's, and the pipe of its life. Raises OSError; then nothing stays open."""
    life = os.pipe()
    try:
        return (*(_pipes() if command else _socket()), life)
    except OSError:
        _close(life)
        raise


def _socket() -> tuple[Ends, Ends]:
    """Our ends and the runner's: one socket, for both ways."""
    ours, theirs = socket.socketpair()
    for one in (ours, theirs):
        try:
            one.setsockopt(socket.SOL_SOCKET, SEND_BUFFER_FORCE, SOCKET_BYTES)
        except OSError:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)  # as much as the system allows
    mine, his = ours.detach(), theirs.detach()
    return (mine, mine), (his, his)


def _pipes() -> tuple[Ends, Ends]:
    """Our ends and the runner's: a pipe each way, which any language can open as a file."""
    to_read = os.pipe()
    try:
        to_write = os.pipe()
    except OSError:
        _close(to_read)
        raise
    return (to_read[0], to_write[1]), (to_write[0], to_read[1])


def _close(descriptors: Iterable[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


@functools.cache
def _tidy_once() -> None:
    tidy()


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _advice(said: Failure) -> str | None:
    if said.type in ("ModuleNotFoundError", "ImportError"):
        return "add the missing library to the model's requirements, or submit the module with the model"
    return said.trace[-3].strip() if len(said.trace) >= 3 and said.where == "load" else None
