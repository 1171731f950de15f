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
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, PredictionFailed, TimedOut, Unavailable
from lockgate.registry.signature import Field
from lockgate.runner import wire

RUNNER_FOLDER = Path(wire.__file__).parent
START_TIMEOUT_S = 120.0  # a cold import of a heavy library from a slow disk
KEPT_LINES = 200  # a trace through a deep library is a hundred lines
ANSWER_BYTES = 512 * 1024 * 1024
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
GRACE_S = 2.0
LAST_WORDS_S = 0.5


class Failure(msgspec.Struct, frozen=True):
    """An ERROR body."""

    type: str = "Error"
    message: str = ""
    where: str = ""
    trace: list[str] = []


class Ready(msgspec.Struct, frozen=True):
    """A READY body: what was loaded and how it is confined."""

    protocol: int
    runner: str = ""
    pid: int = 0
    python: str = ""
    framework: str = ""
    framework_version: str | None = None
    load_s: float = 0.0
    memory_bytes: int = 0
    confined: list[str] = []
    unconfined: list[str] = []
    warnings: list[str] = []


@dataclass(frozen=True)
class Order:
    """What a runner is to load, where, and how much it may use. `inputs`: the signature's fields as plain values."""

    python: Path
    folder: Path
    framework: str
    model_path: str
    entry: str | None = None
    inputs: tuple[dict[str, object], ...] = ()
    memory_bytes: int = 4 * 1024**3
    start_timeout_s: float = START_TIMEOUT_S
    read: tuple[str, ...] = field(default=())

    def hello(self, temporary: str) -> dict[str, object]:
        """The HELLO body."""
        code = [str(self.folder / name) for name in ("code",) if (self.folder / name).is_dir()]
        return {
            "protocol": wire.PROTOCOL, "framework": self.framework, "folder": str(self.folder),
            "model_path": self.model_path, "entry": self.entry, "inputs": list(self.inputs), "path": code,
            "confine": {"folder": str(self.folder), "temporary": temporary, "memory_bytes": self.memory_bytes,
                        "read": list(self.read)},
        }  # fmt: skip


class RunnerProcess:
    """A started runner. Raises PredictionFailed when the model does not load, TimedOut when it takes too long."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._temporary = tempfile.mkdtemp(prefix="lockgate-runner-")
        self._request = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
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
        try:
            async with asyncio.timeout(deadline_s):
                if self._streams is None:
                    self._sock.setblocking(False)
                    self._streams = await asyncio.open_unix_connection(sock=self._sock, limit=1 << 20)
                reader, writer = self._streams
                writer.write(wire.header(kind, number, len(body)) + body)
                await writer.drain()
                while True:
                    head = await reader.readexactly(wire.HEADER.size)
                    found, request, length = wire.parse_header(head, ANSWER_BYTES)
                    answer = bytearray(await reader.readexactly(length))
                    if request == number:
                        return self._checked(wire.Frame(found, request, answer))
        except TimeoutError as error:
            raise await asyncio.to_thread(self._late, deadline_s) from error
        except (OSError, EOFError, wire.BadFrame) as error:
            raise self._died(error) from error

    @property
    def in_loop(self) -> bool:
        """Whether an event loop owns the socket."""
        return self._streams is not None

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
        if self._streams is not None:
            self._streams[1].transport.abort()
        else:
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


def plain_fields(fields: tuple[Field, ...]) -> list[dict[str, object]]:
    """A signature's inputs as HELLO carries them, everything spelled out: a runner knows no defaults."""
    return [
        {
            "name": one.name,
            "datatype": one.datatype.value,
            "shape": list(one.shape),
            "categories": list(one.categories or ()),
        }
        for one in fields
    ]


def environment_of(temporary: str) -> dict[str, str]:
    """The environment variables of a runner: nothing of ours but what finds libraries."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH",) if name in os.environ}
    return {
        "PATH": "/usr/bin:/bin", "HOME": temporary, "TMPDIR": temporary, "LANG": "C.UTF-8", "USER": "model",
        "JOBLIB_MULTIPROCESSING": "0", **dict.fromkeys(THREADS, "1"), **kept,
    }  # fmt: skip


def _ending(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"


def _advice(said: Failure) -> str | None:
    if said.type in ("ModuleNotFoundError", "ImportError"):
        return "add the missing library to the model's requirements, or submit the module with the model"
    return said.trace[-3].strip() if len(said.trace) >= 3 and said.where == "load" else None
