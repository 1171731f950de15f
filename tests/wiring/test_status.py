"""Which processes are said to run behind a box."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from lockgate.config import Home
from lockgate.supervisor import Supervisor
from lockgate.wiring.status import running


def test_a_copy_does_not_claim_the_other_homes_processes(tmp_path: Path) -> None:
    """A child started for the home, and its supervisor, count there; in a copy of the folder they do not."""
    home, copy = Home(tmp_path / "home").prepare(), Home(tmp_path / "copy")
    supervisor = Supervisor([], home.run)
    words = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)", "--home", str(home.root)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"\n"  # it runs
        (home.run / "gateway-0.pid").write_text(str(child.pid))
        shutil.copytree(home.root, copy.root)
        assert [process.name for process in running(home)] == ["gateway-0", "lockgate"]
        assert running(copy) == []
        child.kill()
    assert [process.name for process in running(home)] == ["lockgate"]
    supervisor.stop()
    supervisor.run()
    assert running(home) == []
