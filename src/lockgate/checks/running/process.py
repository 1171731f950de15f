"""A checking process: reads evidence from a folder, runs the checks it is told to, asks its owner for answers.

Started as `python -m lockgate.checks.running.process FOLDER SOCKET`. It ends when its owner does.
"""

from __future__ import annotations

import ctypes
import faulthandler
import hashlib
import os
import resource
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lockgate.checks.evidence import LABEL, Answers, Asked, Evidence
from lockgate.checks.running.folder import read_answers, read_evidence, write_columns, write_table
from lockgate.checks.running.messages import Answered, AskMetric, AskRows, Done, Run, Told, receive, send
from lockgate.checks.suite import run_check
from lockgate.errors import error_from

_PR_SET_PDEATHSIG = 1
_TOLD_S = 0.2  # progress is told that often at most


class Owner:
    """The other end of the socket, as evidence asks it."""

    def __init__(self, sock: socket.socket, folder: Path) -> None:
        self._sock, self._folder, self._told_s = sock, folder, 0.0

    def answers(self, frame: pl.DataFrame, of: Asked, chunk_rows: int, inputs: tuple[str, ...]) -> Answers:
        """Answers to the model's inputs of a table."""
        path = self._kept(frame.select([name for name in (*inputs, LABEL) if name in frame.columns]))
        said = self._ask(AskRows(str(path), of, chunk_rows, frame.height))
        return read_answers(Path(said.path))

    def metric(
        self, name: str, columns: dict[str, np.ndarray], times: int, clusters: np.ndarray | None
    ) -> np.ndarray:
        """The project's own metric of some rows, then of redrawn ones."""
        path = self._folder / "asked" / f"{uuid.uuid4().hex}.arrow"
        write_columns(columns, clusters, path)
        return np.array(self._ask(AskMetric(name, str(path), times)).numbers)

    def tell(self, done: int, of: int, what: str) -> None:
        """Progress, not more often than anyone looks."""
        now = time.monotonic()
        if now - self._told_s >= _TOLD_S or done == of:
            self._told_s = now
            send(self._sock, Told(done, of, what))

    def _ask(self, question: AskRows | AskMetric) -> Answered:
        send(self._sock, question)
        said = receive(self._sock)
        if not isinstance(said, Answered):
            raise SystemExit(0)  # the owner is gone
        if said.error is not None:
            raise error_from(said.error)
        return said

    def _kept(self, table: pl.DataFrame) -> Path:
        """The table's file, named by its content: who asks the same again finds the answers there."""
        folder = self._folder / "asked"
        temporary = folder / f"{uuid.uuid4().hex}.part"
        write_table(table.rechunk(), temporary)
        with temporary.open("rb") as file:
            path = folder / f"{hashlib.file_digest(file, 'sha256').hexdigest()}.arrow"
        temporary.rename(path)
        return path


def main(folder: Path, descriptor: int) -> None:
    """Run checks until the owner closes the socket."""
    faulthandler.enable()
    _die_with_owner()
    sock = socket.socket(fileno=descriptor)
    owner = Owner(sock, folder)
    evidence: Evidence | None = None
    while isinstance(told := receive(sock), Run):
        _limit_memory(told.hard_bytes)
        if evidence is None:
            evidence = read_evidence(folder)
        send(sock, _run(evidence, owner, told.check))


def _run(evidence: Evidence, owner: Owner, check: str) -> Done:
    kept: dict[str, Any] = {}
    asking = replace(
        evidence,
        ask=_asking(owner, evidence.inputs),
        ask_metric=owner.metric,
        keep=kept.__setitem__,
        tell=owner.tell,
    )
    before = time.process_time()
    findings = run_check(asking, check)
    return Done(findings, kept, time.process_time() - before)


def _asking(owner: Owner, inputs: tuple[str, ...]) -> Callable[[pl.DataFrame, Asked, int], Answers]:
    return lambda frame, of, chunk_rows: owner.answers(frame, of, chunk_rows, inputs)


def _limit_memory(hard_bytes: int) -> None:
    """No more than that beyond what is there now, so that a greedy check gets a MemoryError before the box suffers."""
    status = Path("/proc/self/status").read_text()
    now = next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmData:"))
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (now + hard_bytes, most))


def _die_with_owner() -> None:
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died while we started
        raise SystemExit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
