"""A malicious model tries everything; a friendly one works. Each wall is proven from inside the process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.runner import columns, wire

CAP_SYS_ADMIN = 21
SPY = """
import ctypes, os, signal, socket, subprocess, sys
import numpy as np

def read(path): return open(path, "rb").read(64)
def listing(path): return os.listdir(path)
def write(path): return open(path, "w").write("was here")
def change(path): return os.truncate(path, 0)
def delete(path): return os.unlink(path)
def tcp(port): return socket.create_connection(("127.0.0.1", int(port)), 1)
def listen(port): return socket.create_server(("127.0.0.1", int(port)))
def udp(port): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"secret", ("127.0.0.1", int(port)))
def unix(path):
    sock = socket.socket(socket.AF_UNIX); sock.connect(path); return "connected"
def kill(pid): return os.kill(int(pid), 0)
def fork(_): return os.fork()
def run(program): return subprocess.run([program], check=True)
def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, int(pid), 0, 0): raise PermissionError(ctypes.get_errno(), "ptrace")
def environ(pid): return open(f"/proc/{pid}/environ", "rb").read()
def variable(name): return os.environ[name]
def descriptors(_):
    found = [int(n) for n in os.listdir("/proc/self/fd") if int(n) > 2]
    if len(found) <= 3: raise PermissionError(f"only {found}")
    return found
def root(_):
    if os.getuid() == 0: raise PermissionError("it is, in name only: mounting and all else is refused")
    os.setuid(0); return os.getuid()
def mount(_):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/", b"tmpfs", 0, None): raise PermissionError(ctypes.get_errno(), "mount")
def uring(_):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(425, 1, ctypes.create_string_buffer(512)) < 0: raise PermissionError(ctypes.get_errno(), "io_uring")
def limits(pid):
    import resource
    return resource.prlimit(int(pid), resource.RLIMIT_NOFILE, (3, 3))
def memory(_): return bytearray(3 * 2**30)
def disk(folder):
    with open(folder + "/big", "wb") as file:
        for _ in range(400): file.write(bytes(2**20))
def private(name):
    with open(os.path.join(os.environ["TMPDIR"], name), "w") as file: file.write("mine")
    raise PermissionError("allowed, as it should be")

def predict(columns):
    answers = []
    for deed, target in zip(columns["deed"], columns["target"]):
        try:
            answers.append(f"LEAK {globals()[deed](target)!r}"[:200])
        except (OSError, KeyError, MemoryError, subprocess.SubprocessError) as error:
            answers.append(f"refused {type(error).__name__} {error}"[:200])
    return np.array(answers, dtype=object)
"""


@pytest.fixture
def spy(tmp_path: Path) -> Iterator[RunnerProcess]:
    """A runner with the malicious model."""
    folder = tmp_path / "package"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "spy.py").write_text(SPY)
    runner = RunnerProcess(Order(python=Path(sys.executable), folder=folder, framework="python", model_path="code",
                                 entry="spy:predict", memory_bytes=2 * 2**30))  # fmt: skip
    yield runner
    runner.kill()


def tried(runner: RunnerProcess, *deeds: tuple[str, object]) -> list[str]:
    """What each deed came to."""
    asked = {"deed": np.array([name for name, _ in deeds], dtype=object),
             "target": np.array([str(target) for _, target in deeds], dtype=object)}  # fmt: skip
    answer = columns.decode(runner.ask(wire.Kind.PREDICT, columns.encode(asked), 30.0))
    return [str(value) for value in answer["prediction"]]


def test_files_are_out_of_reach(spy: RunnerProcess, tmp_path: Path) -> None:
    """Secrets, the database, the log, other homes and the system's passwords can neither be read nor changed nor listed."""
    home = tmp_path / ".lockgate"
    for name in ("secrets/signing.key", "lockgate.db", "log/worker-1/1.seg"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("secret")
    package = spy.order.folder
    deeds = [("read", home / name) for name in ("secrets/signing.key", "lockgate.db", "log/worker-1/1.seg")]
    deeds += [("read", "/etc/shadow"), ("read", "/etc/passwd"), ("read", Path.home() / ".bashrc"), ("listing", home),
              ("listing", "/"), ("listing", "/root"), ("write", home / "new"), ("write", "/tmp/new-from-a-model"),
              ("change", home / "lockgate.db"), ("delete", home / "lockgate.db"), ("write", package / "code/spy.py"),
              ("write", package / "more"), ("read", f"/proc/{os.getpid()}/root{home}/lockgate.db"),
              ("environ", os.getpid())]  # fmt: skip
    said = dict(zip(deeds, tried(spy, *deeds), strict=True))
    assert not {deed: answer for deed, answer in said.items() if not answer.startswith("refused")}
    assert (home / "lockgate.db").read_text() == "secret"
    assert not Path("/tmp/new-from-a-model").exists()
    assert (package / "code" / "spy.py").read_text() == SPY


def test_network_is_out_of_reach(spy: RunnerProcess, tmp_path: Path) -> None:
    """No TCP, UDP or Unix connection to a server that is really there, and no server of its own."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, \
         socket.socket(socket.AF_UNIX) as unix:  # fmt: skip
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(tmp_path / "s"))
        unix.listen()
        deeds = [
            ("tcp", tcp.getsockname()[1]),
            ("udp", udp.getsockname()[1]),
            ("unix", tmp_path / "s"),
            ("listen", 0),
        ]
        answers = tried(spy, *deeds)
        assert all(answer.startswith("refused") for answer in answers), answers
        tcp.settimeout(0.1)
        udp.settimeout(0.1)
        with pytest.raises(TimeoutError):
            tcp.accept()
        with pytest.raises(TimeoutError):
            udp.recv(10)


def test_other_processes_are_out_of_reach(spy: RunnerProcess) -> None:
    """No signals, traces or limits for others, no new processes or programs, no rights gained."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as bystander:
        deeds = [("kill", os.getpid()), ("kill", bystander.pid), ("kill", 1), ("kill", -1), ("trace", bystander.pid),
                 ("limits", os.getpid()), ("fork", ""), ("run", "/bin/true"), ("run", sys.executable), ("root", ""),
                 ("mount", ""), ("uring", "")]  # fmt: skip
        said = dict(zip(deeds, tried(spy, *deeds), strict=True))
        bystander.kill()
    assert not {deed: answer for deed, answer in said.items() if not answer.startswith("refused")}


def test_owner_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables and open files of the owner do not reach the model; memory and disk are bounded."""
    monkeypatch.setenv("LOCKGATE_KEY", "secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    folder = tmp_path / "package"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "spy.py").write_text(SPY)
    with (tmp_path / "open.txt").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        runner = RunnerProcess(Order(python=Path(sys.executable), folder=folder, framework="python", model_path="code",
                                     entry="spy:predict", memory_bytes=2 * 2**30))  # fmt: skip
        try:
            temporary = runner._folder.path
            answers = tried(runner, ("variable", "LOCKGATE_KEY"), ("variable", "AWS_SECRET_ACCESS_KEY"),
                            ("descriptors", ""), ("memory", ""), ("private", "note"), ("disk", temporary))  # fmt: skip
        finally:
            runner.kill()
    assert all(answer.startswith("refused") for answer in answers), answers
    assert "allowed" in answers[-2]
    assert not Path(temporary).exists()


def test_threads_do_not_run_away(tmp_path: Path) -> None:
    """A model that starts threads without end is stopped by its own limits; the owner's threads start as before."""
    folder = tmp_path / "package"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "bomb.py").write_text(textwrap.dedent("""
        import threading, time
        def predict(columns):
            for n in range(100_000):
                threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    """))  # fmt: skip
    runner = RunnerProcess(Order(python=Path(sys.executable), folder=folder, framework="python", model_path="code",
                                 entry="bomb:predict", memory_bytes=2 * 2**30))  # fmt: skip
    try:
        with pytest.raises(Exception, match=r"can't start new thread|memory|Memory"):
            runner.ask(wire.Kind.PREDICT, columns.encode({"x": np.array([1.0])}), 30.0)
        thread = threading.Thread(target=lambda: None)
        thread.start()
        thread.join()
    finally:
        runner.kill()


def test_it_says_what_is_held(spy: RunnerProcess) -> None:
    """The runner reports every wall in words; where root with all its rights runs the test, none is missing."""
    words = " ".join(spy.ready.confined)
    for wall in ("Landlock", "seccomp", "address space", "capabilities"):
        assert wall in words or wall in " ".join(spy.ready.unconfined)
    rights = int(Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0], 16)
    if os.geteuid() == 0 and rights >> CAP_SYS_ADMIN & 1:
        assert spy.ready.unconfined == []
        assert "another user" in words
        assert Path(f"/proc/{spy.pid}").stat().st_uid != 0
