"""Ctrl-C, whenever it comes: one word, exit status 130, and no upload left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import environment

from lockgate.cli.interrupt import Interrupted

MOMENTS: dict[str, Callable[[Path], bool]] = {
    "opening": lambda home: (home / "run").exists(),
    "uploading": lambda home: any((home / "run" / "jobs").glob("*-upload")),
    "working": lambda home: any((home / "cache" / "staging").glob("*/work")),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_it_is_said_and_nothing_stays(moment: str, work: Path, tmp_path: Path) -> None:
    """While the home is opened, while data are sent, while the model is looked at."""
    home = tmp_path / "home"
    words = ["submit", str(work / "model.joblib"), "--name", "late", "--train", str(work / "train.parquet")]
    with subprocess.Popen(
        [sys.executable, "-m", "lockgate.cli.main", *words],
        stderr=subprocess.PIPE, text=True, env=environment(home), cwd=tmp_path,
    ) as running:  # fmt: skip
        while not MOMENTS[moment](home):
            assert running.poll() is None, running.stderr and running.stderr.read()
            time.sleep(0.005)
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 130
        said = running.stderr.read() if running.stderr else ""
    assert said.count("interrupted") == 1
    assert "Traceback" not in said
    jobs = home / "run" / "jobs"
    assert not jobs.exists() or list(jobs.iterdir()) == []


def test_it_is_still_an_exception(capfd: pytest.CaptureFixture[str]) -> None:
    """The first unwinds as KeyboardInterrupt, so that what is open is closed."""
    pressed = Interrupted(last_wait_s=3600.0)
    with pytest.raises(KeyboardInterrupt):
        pressed.press(signal.SIGINT, None)
    assert pressed
    assert capfd.readouterr().err == "\ninterrupted\n"
