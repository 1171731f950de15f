"""One runner as a child process: started, greeted, asked, killed. Nothing is restarted here; see `isolated.py`.

The process gets a socket, a pipe whose closing kills it, a clean environment and a private temporary folder.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import deque
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, PredictionFailed, TimedOut, Unavailable
from lockgate.inference.runner_order import Failure, Order, Ready, environment_of
from lockgate.runner import wire

RUNNER_FOLDER = Path(wire.__file__).parent
KEPT_LINES = 200  # a trace through a deep library is a hundred lines
ANSWER_BYTES = 512 * 1024 * 1024
GRACE_S = 2.0
RECEIVE_BYTES, MOST_RECEIVED_BYTES = 65_536, 1 << 20
LAST_WORDS_S = 0.5


class RunnerProcess:
    """A started runner. Raises PredictionFailed when the model does not load, TimedOut when it takes too long."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._temporary = tempfile.mkdtemp(prefix="lockgate-runner-")
        self._request = 0
        self._in_loop = False
        self._sock, theirs = socket.socketpair()
        life, self._life = os.pipe()
        try:
            self._process = subprocess.Popen(
                [str(order.python), "-I", "-B", str(RUNNER_FOLDER), "--socket", str(theirs.fileno()), "--life", str(life)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self._temporary,
                env=environment_of(self._temporary), pass_fds=(theirs.fileno(), life), start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            self._sock.close()
            os.close(self._life)
            shutil.rmtree(self._temporary, ignore_errors=True)
            raise Unavailable(
                f"the interpreter {order.python} cannot be started", got=error.strerror
            ) from error
        finally:
            theirs.close()
            os.close(life)
        self.pid = self._process.pid
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.ready = self._greet()

    def ask(self, kind: wire.Kind, body: bytes, deadline_s: float) -> bytearray:
        """Send a request and wait for its answer, at most `deadline_s`."""
        ends = time.monotonic() + deadline_s
        number = self._next()
        try:
            self._sock.settimeout(max(deadline_s, 0.001))
            wire.send(self._sock, kind, number, body)
            return self._checked(self._receive(number, ends))
        except TimeoutError as error:
            raise self._late(deadline_s) from error
        except (OSError, wire.BadFrame) as error:
            raise self._died(error) from error

    async def ask_async(self, kind: wire.Kind, body: bytes, deadline_s: float) -> bytearray:
        """The same on the running event loop; from the first call on the socket belongs to that loop."""
        number = self._next()
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(deadline_s):
                if not self._in_loop:
                    self._sock.setblocking(False)
                    self._in_loop = True
                await loop.sock_sendall(self._sock, wire.header(kind, number, len(body)) + body)
                while True:
                    frame = await self._receive_async(loop)
                    if frame.request == number:
                        return self._checked(frame)
        except TimeoutError as error:
            raise await asyncio.to_thread(self._late, deadline_s) from error
        except (OSError, wire.BadFrame) as error:
            raise self._died(error) from error

    @property
    def in_loop(self) -> bool:
        """Whether an event loop owns the socket."""
        return self._in_loop

    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def memory_bytes(self) -> int:
        """Resident memory now; 0 once it ended."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            return 0
        return pages * os.sysconf("SC_PAGE_SIZE")

    def kill(self) -> None:
        """End the process at once and take its folder away. Twice does no harm."""
        if self._life >= 0:
            os.close(self._life)
            self._life = -1
        self._process.kill()
        self._process.wait()
        self._sock.close()
        self._listener.join(GRACE_S)
        shutil.rmtree(self._temporary, ignore_errors=True)

    def _greet(self) -> Ready:
        try:
            hello = wire.encode_json(self.order.hello(self._temporary))
            self._sock.settimeout(self.order.start_timeout_s)
            wire.send(self._sock, wire.Kind.HELLO, 0, hello)
            frame = self._receive(0, time.monotonic() + self.order.start_timeout_s)
            return msgspec.json.decode(bytes(self._checked(frame)), type=Ready)
        except TimeoutError as error:
            late = self._late(self.order.start_timeout_s)
            self.kill()
            raise late from error
        except (OSError, wire.BadFrame, msgspec.MsgspecError) as error:
            failure = self._died(error)
            self.kill()
            raise failure from error
        except LockgateError:
            self.kill()
            raise

    def _receive(self, number: int, ends: float) -> wire.Frame:
        while True:
            self._sock.settimeout(max(ends - time.monotonic(), 0.001))
            frame = wire.receive(self._sock, ANSWER_BYTES)
            if frame.request == number:
                return frame

    async def _receive_async(self, loop: asyncio.AbstractEventLoop) -> wire.Frame:
        """One frame; requests take turns, so nothing of another follows it."""
        body = bytearray()
        while len(body) < wire.HEADER.size:
            body += await self._some(loop, RECEIVE_BYTES)
        kind, request, length = wire.parse_header(bytes(body[: wire.HEADER.size]), ANSWER_BYTES)
        del body[: wire.HEADER.size]
        while len(body) < length:
            body += await self._some(loop, min(length - len(body), MOST_RECEIVED_BYTES))
        if len(body) > length:
            raise wire.BadFrame("more bytes than the frame has")
        return wire.Frame(kind, request, body)

    async def _some(self, loop: asyncio.AbstractEventLoop, size: int) -> bytes:
        got = await loop.sock_recv(self._sock, size)
        if not got:
            raise wire.Closed("the other end closed the connection")
        return got

    def _checked(self, frame: wire.Frame) -> bytearray:
        if frame.kind != wire.Kind.ERROR:
            return frame.body
        said = msgspec.json.decode(bytes(frame.body), type=Failure)
        what = "the model could not be loaded" if said.where in ("load", "start") else "the model raised"
        raise PredictionFailed(f"{what}: {said.type}: {said.message}", fix=_advice(said))

    def _next(self) -> int:
        self._request = self._request % 0xFFFFFFFF + 1
        return self._request

    def _late(self, deadline_s: float) -> TimedOut:
        """End it with SIGABRT, upon which it says where it was."""
        self._process.send_signal(signal.SIGABRT)
        try:
            self._process.wait(LAST_WORDS_S)
            self._listener.join(LAST_WORDS_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        places = [
            line.strip()
            for line in self.lines
            if line.startswith("  File ") and str(RUNNER_FOLDER) not in line
        ]
        return TimedOut(
            f"the model did not answer within {deadline_s:g} s",
            got=f"it was at {places[0]}" if places else None,
        )

    def _died(self, error: Exception) -> PredictionFailed:
        try:
            status: int | None = self._process.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            status = None
        self._listener.join(GRACE_S)
        how = f"ended with {_ending(status)}" if status is not None else f"broke the connection ({error})"
        return PredictionFailed(f"the model's process {how}", got=self._said() or None)

    def _said(self) -> str:
        return " | ".join(list(self.lines)[-6:])

    def _listen(self) -> None:
        """Keep the last lines that the model's process printed."""
        stream = self._process.stdout
        if stream is None:
            return
        with stream:
            for line in stream:
                self.lines.append(line.decode(errors="replace").rstrip()[:500])


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _advice(said: Failure) -> str | None:
    if said.type in ("ModuleNotFoundError", "ImportError"):
        return "add the missing library to the model's requirements, or submit the module with the model"
    return said.trace[-3].strip() if len(said.trace) >= 3 and said.where == "load" else None
