"""A command as a runner: R tries to break out, hangs, and loses its owner."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lockgate.errors import PredictionFailed, TimedOut
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.runner import columns, command, wire

R_PROGRAM = "/usr/lib/R/bin/exec/R"
RUNNER = Path(__file__).parents[2] / "examples" / "r-model" / "runner.R"
needs_r = pytest.mark.skipif(
    not Path(R_PROGRAM).exists(),
    reason="R is not here: apt-get install --no-install-recommends r-base-core",
)
ESCAPES = """
load_model <- function(folder) folder
tried <- function(deed) tryCatch({
  value <- suppressWarnings(force(deed()))
  paste("DONE", paste(format(value), collapse = " "))
}, error = function(error) paste("refused", conditionMessage(error)))
answer <- function(model, frame) list(prediction = sapply(frame$deed, function(deed) switch(deed,
  read = tried(function() readLines("/etc/shadow", 1)),
  home = tried(function() readLines(frame$target[1], 1)),
  write = tried(function() { writeLines("x", file.path(model, "more")); "written" }),
  program = tried(function() { stopifnot(system2("/bin/true") == 0); "ran" }),
  tcp = tried(function() socketConnection(port = as.integer(frame$target[1]), open = "r", timeout = 2)),
  private = tried(function() { writeLines("mine", tempfile()); "written" }),
  sleep = { Sys.sleep(60); "slept" }), USE.NAMES = FALSE))
"""
OWNER = """
import sys
from pathlib import Path
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
folder = Path(sys.argv[1])
words = (sys.argv[2], "--no-echo", "--no-restore", "--vanilla", f"--file={folder}/model/runner.R")
variables = (("R_HOME", "/usr/lib/R"), ("EDITOR", "vi"), ("R_DEFAULT_PACKAGES", "NULL"))
runner = RunnerProcess(Order(python=Path(sys.executable), folder=folder, framework="command", model_path="model",
                             command=words, variables=variables))
print(runner.pid, flush=True)
input()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A package with the R model that tries to break out."""
    folder = tmp_path / "package"
    (folder / "model").mkdir(parents=True)
    shutil.copyfile(RUNNER, folder / "model" / "runner.R")
    (folder / "model" / "model.R").write_text(ESCAPES)
    return folder


@pytest.fixture
def escape(folder: Path) -> Iterator[RunnerProcess]:
    """Its process."""
    words = (R_PROGRAM, "--no-echo", "--no-restore", "--vanilla", f"--file={folder}/model/runner.R")
    variables = (("R_HOME", "/usr/lib/R"), ("EDITOR", "vi"), ("R_DEFAULT_PACKAGES", "NULL"))
    runner = RunnerProcess(
        Order(python=Path(sys.executable), folder=folder, framework="command", model_path="model",
              command=words, variables=variables)
    )  # fmt: skip
    yield runner
    runner.kill()


def tried(runner: RunnerProcess, deed: str, target: object = "") -> str:
    """What a deed came to."""
    asked = {"deed": np.array([deed], dtype=object), "target": np.array([str(target)], dtype=object)}
    said = columns.decode(runner.ask(wire.Kind.PREDICT, columns.encode(asked), 20.0))
    return str(said["prediction"][0])


@needs_r
def test_r_is_confined_like_any_model(escape: RunnerProcess, folder: Path, tmp_path: Path) -> None:
    """R reads nothing of the box, writes only its temporary folder, runs no program and opens no connection."""
    (tmp_path / "secret").write_text("key")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        deeds = [("read", ""), ("home", tmp_path / "secret"), ("write", ""), ("program", ""), ("tcp", port)]
        said = {deed: tried(escape, deed, target) for deed, target in deeds}
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()
    assert not {deed: answer for deed, answer in said.items() if not answer.startswith("refused")}
    assert tried(escape, "private") == "DONE written"
    assert not (folder / "model" / "more").exists()
    with pytest.raises(PredictionFailed, match="it only predicts"):
        escape.ask(wire.Kind.DESCRIBE, b"", 20.0)


@needs_r
def test_r_that_hangs_is_killed(escape: RunnerProcess) -> None:
    """A command that does not answer by its deadline is ended."""
    asked = {"deed": np.array(["sleep"], dtype=object), "target": np.array([""], dtype=object)}
    with pytest.raises(TimedOut, match=r"did not answer within 0\.5 s"):
        escape.ask(wire.Kind.PREDICT, columns.encode(asked), 0.5)
    assert not escape.alive()


@needs_r
def test_r_dies_with_its_owner(folder: Path) -> None:
    """kill -9 of the owner ends the command, too, though another program began the process."""
    words = [sys.executable, "-c", OWNER, str(folder), R_PROGRAM]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        runner = int(owner.stdout.readline())
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    gone(lambda: "Z (zombie)" in Path(f"/proc/{runner}/status").read_text(), runner)


def gone(zombie: Callable[[], bool], pid: int) -> None:
    """Until a process is no more."""
    ends = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        try:
            if zombie():
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        assert time.monotonic() < ends, "the command outlived its owner"
        time.sleep(0.05)


def test_scripts_and_strangers_are_refused(tmp_path: Path) -> None:
    """A command is a program of this machine: a script, another kind of file, or nothing is refused by name."""
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\necho hi\n")
    script.chmod(0o755)
    with pytest.raises(ValueError, match=r"run.sh is a script: name the program that runs it"):
        command.programs([str(script)])
    script.write_bytes(b"MZ\x90\x00")
    with pytest.raises(ValueError, match="is no program of this kind of machine"):
        command.programs([str(script)])
    with pytest.raises(FileNotFoundError, match="no-such-program is not on this machine"):
        command.programs(["no-such-program"])
    assert Path(command.programs(["true"])[0]).name == "true"
