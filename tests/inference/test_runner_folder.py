"""Folders of runners whose owner was killed do not pile up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from lockgate.inference.runner_folder import RunnerFolder, tidy

OWNER = "from lockgate.inference.runner_folder import RunnerFolder as F; f = F(); print(f.path, flush=True); input()"

STARVED = """
import os, resource, sys
from pathlib import Path
from lockgate.errors import Unavailable
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess

room = os.environ["TMPDIR"]
there = lambda: os.listdir("/proc/self/fd")
before, (_, most) = there(), resource.getrlimit(resource.RLIMIT_NOFILE)
for spare in range(9):
    resource.setrlimit(resource.RLIMIT_NOFILE, (3 + spare, most))
    try:
        RunnerProcess(Order(Path(sys.executable), Path(room), "python", ""))
    except (OSError, Unavailable) as error:
        print(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    assert there() == before, (spare, there(), before)
"""


def test_only_orphans_are_taken(tmp_path: Path) -> None:
    """After kill -9 of the owner its folder goes; a living owner's, a young one and other folders stay."""
    other = tmp_path / "mine"
    other.mkdir()
    with subprocess.Popen([sys.executable, "-c", OWNER], env={**os.environ, "TMPDIR": str(tmp_path)},
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:  # fmt: skip
        assert owner.stdout is not None
        left = Path(owner.stdout.readline().strip())
        (left / "note").write_text("half written")
        assert tidy(tmp_path, young_s=0) == []
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    assert tidy(tmp_path) == []  # young: it could be one that is not locked yet
    assert tidy(tmp_path, young_s=0) == [left]
    assert sorted(tmp_path.iterdir()) == [other]


def test_removed_by_its_owner() -> None:
    """An owner takes its own folder away, once or twice."""
    folder = RunnerFolder()
    assert Path(folder.path).parent == Path(tempfile.gettempdir())
    folder.remove()
    folder.remove()
    assert not Path(folder.path).exists()


def test_a_runner_that_cannot_start_keeps_no_descriptors(tmp_path: Path) -> None:
    """However few descriptors a process has left, a runner that cannot start keeps none of them."""
    done = subprocess.run([sys.executable, "-c", STARVED], env={**os.environ, "TMPDIR": str(tmp_path)},
                          capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(done.stdout.split()) == 9
