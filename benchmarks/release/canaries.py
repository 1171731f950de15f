"""What callers notice of a canary in trouble: errors, and the 99th percentile beside live's alone, on a whole box.

For each of seven troubles, in turns and again in rounds: callers of live alone for a while; then a release, and when its version
has a tenth of the callers all of them ask for trouble; on until a minute after the release has ended. Two windows are told, each
beside live alone just before: the whole release with that minute, and what is left of it from the first word for trouble on.
Medians of the rounds' ratios; errors of all rounds.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.box import LOOK_S, Box, running
from benchmarks.release.troubled import KILLED, TROUBLES, Models, make_models, words

ROUNDS, ALONE_S, CALM_S, AFTER_S = 3, 20.0, 1.0, 60.0
SLOWER = 1.2  # of live's own 99th percentile
SETTINGS = {
    "shadow_requests": 20, "shadow_min_s": 0, "canary": ["10%"], "stage_min_s": 600, "stage_requests": 1_000_000,
    "p99_limit_ms": 100, "deadline_ms": 2_000,  # a Python model beside a compiled one, on two cores for all
}  # fmt: skip


@dataclass(frozen=True)
class Met:
    """One release and its trouble: all calls in order of time, and when what began (seconds since 1970)."""

    calls: np.ndarray
    release_s: float
    trouble_s: float
    ended_s: float
    phase: str

    @property
    def alone(self) -> np.ndarray:
        """What callers of live alone waited, seconds."""
        return self._waited(0.0, self.release_s)

    @property
    def whole(self) -> np.ndarray:
        """What callers waited from the release's start on."""
        return self._waited(self.release_s, np.inf)

    @property
    def troubled(self) -> np.ndarray:
        """What they waited from the first trouble on."""
        return self._waited(self.trouble_s, np.inf)

    @property
    def inside(self) -> np.ndarray:
        """What they waited while the canary in trouble was in force."""
        return self._waited(self.trouble_s, self.ended_s)

    @property
    def errors(self) -> int:
        """Answers other than 200, and connections that broke."""
        return int((self.calls["status"] != 200).sum())

    def _waited(self, since_s: float, until_s: float) -> np.ndarray:
        there = (self.calls["at_s"] >= since_s) & (self.calls["at_s"] < until_s)
        found: np.ndarray = self.calls["seconds"][there]
        return found


def p99_ms(seconds: np.ndarray) -> float:
    """The 99th percentile."""
    return float(np.quantile(seconds, 0.99)) * 1e3


class Calls:
    """The process that calls all the time (`calling.py`), and what it noted once it has ended."""

    def __init__(self, box: Box, model: str) -> None:
        self._file = box.folder / f"{model}.npy"
        argv = [
            sys.executable,
            "-m",
            "benchmarks.release.calling",
            box.gateway,
            box.key,
            model,
            str(self._file),
        ]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, text=True)

    def ask_for(self, trouble: str) -> None:
        """From now on all callers ask for it."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{trouble}\n")
        self._process.stdin.flush()

    def end(self) -> np.ndarray:
        """Everything that was noted. Raises CalledProcessError."""
        self._process.communicate()
        if self._process.returncode:
            raise subprocess.CalledProcessError(self._process.returncode, "calling")
        found: np.ndarray = np.load(self._file)
        return found


def prepare(box: Box, models: Models, model: str) -> None:
    """A model of its own for each release, so that no shadow scores what was asked of the one before."""
    box.lockgate(*words(models, models.live, model))
    box.lockgate("validate", f"{model}/1")
    box.lockgate("release", f"{model}/1", "--set", "watch_s=0")
    box.wait_for(model, "done")
    box.lockgate(*words(models, models.troubled, model), "--set", "memory_mb=1200")
    box.lockgate("validate", f"{model}/2")


def meet(box: Box, model: str, trouble: str) -> Met:
    """One release with its trouble in it."""
    calls = Calls(box, model)
    _go_on(box, model, ALONE_S)
    release_s = time.time()
    box.api("POST", f"/models/{model}/releases", {"version": "2", "reason": trouble, "settings": SETTINGS})
    box.wait_for(model, "canary")
    _go_on(box, model, CALM_S)
    with killing(box.runners) if trouble == KILLED else nullcontext():
        calls.ask_for(trouble)
        trouble_s = time.time()
        ended = box.wait_for(model, "rolled_back", "held")
    _go_on(box, model, AFTER_S)
    return Met(calls.end(), release_s, trouble_s, ended["phase_us"] / 1e6, ended["phase"])


def _go_on(box: Box, model: str, seconds: float) -> None:
    """Let time pass; the console is asked as often as in every other window."""
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        box.release(model)
        time.sleep(LOOK_S)


@contextmanager
def killing(runners: Callable[[], list[int]]) -> Iterator[None]:
    """Kill the processes of Python models, five times a second, until the block ends."""
    over = threading.Event()

    def kill() -> None:
        while not over.wait(0.2):
            for pid in runners():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def figures() -> list[Figure]:
    """All releases on one box; a row for each, then the medians."""
    found: dict[str, list[Met]] = {trouble: [] for trouble in TROUBLES}
    print(f"{'p99, ms':24} alone  release  from trouble on  in trouble  slowest  errors", flush=True)
    with running() as box:
        models = make_models(box.folder)
        for turn in range(ROUNDS):
            for number, trouble in enumerate(TROUBLES):
                prepare(box, models, model := f"troubled-{number}-{turn}")
                found[trouble].append(met := meet(box, model, trouble))
                print(_row(trouble, met), flush=True)
    return [figure for trouble, all_met in found.items() for figure in _figures(trouble, all_met)]


def _row(trouble: str, met: Met) -> str:
    inside = f"{p99_ms(met.inside):11.1f}" if met.inside.size else f"{'-':>11}"
    return (
        f"{trouble:24} {p99_ms(met.alone):5.2f}  {p99_ms(met.whole):7.2f}  {p99_ms(met.troubled):15.2f} {inside}"
        f"  {met.whole.max() * 1e3:7.1f}  {met.errors:6}   {met.phase} after {met.ended_s - met.trouble_s:.1f} s,"
        f" {met.whole.size:,} requests"
    )


def _figures(trouble: str, all_met: list[Met]) -> list[Figure]:
    whole = statistics.median(p99_ms(met.whole) / p99_ms(met.alone) for met in all_met)
    troubled = statistics.median(p99_ms(met.troubled) / p99_ms(met.alone) for met in all_met)
    errors = float(sum(met.errors for met in all_met))
    what = f"canary {trouble}"
    return [
        Figure(f"{what}: errors seen by callers", errors, 0.0, "", at_least=False),
        Figure(f"{what}: p99 of its release beside live's alone", whole, SLOWER, "x", at_least=False),
        Figure(f"{what}: p99 from the first trouble on", troubled, SLOWER, "x", at_least=False),
    ]
