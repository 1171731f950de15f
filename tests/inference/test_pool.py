"""Planted faults in models that run in several processes: each costs its own batch, never the owner or a neighbour."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import PredictionFailed, TimedOut, Unavailable
from lockgate.inference.executor import Executor
from lockgate.inference.isolated import IsolatedModel
from lockgate.inference.open import open_model
from lockgate.inference.pool import Pool
from lockgate.inference.replica import ReplicaState

SealCode = Callable[..., tuple[Path, str]]
LONG_S = 60.0  # a limit for what must happen, not a pace
WHO = """
    import os, time
    def predict(columns):
        time.sleep(float(columns["x"][0]))
        return columns["x"] * 0 + os.getpid()
    """
FAULTS = """
    import ctypes, os, sys
    import numpy as np
    kept = []
    def predict(columns):
        fault = int(columns["x"][0])
        if fault == 1:
            ctypes.string_at(0)
        elif fault == 2:
            os._exit(3)
        elif fault == 3:
            sys.exit("enough")
        elif fault == 4:
            while True:
                os.fork()
        elif fault == 5:
            while True:
                print("word " * 200)
        elif fault == 6:
            while True:
                sys.stdout.write("word " * 200)
        elif fault == 7:
            return np.zeros(40_000_000)
        elif fault == 8:
            while True:
                kept.append(np.ones(4_000_000))
        elif fault == 9:
            while True:
                pass
        return columns["x"] * 2
    """


@contextmanager
def opened(
    sealed: tuple[Path, str], home: Home, replicas: int = 1, memory_mb: int = 2048
) -> Iterator[Executor]:
    """The sealed package's executor with all its replicas up."""
    settings = EnvironmentConfig(memory_mb=memory_mb, replicas=replicas)
    model = open_model(*sealed, home=home, environment=settings, python=Path(sys.executable))
    try:
        wait_until(lambda: all(one.state is ReplicaState.FREE for one in model.status().replicas))
        yield model
    finally:
        model.close()


def wait_until(holds: Callable[[], bool]) -> None:
    """Until a condition holds."""
    ends = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)


def asked(model: Executor, x: float, deadline_s: float = LONG_S) -> float:
    """The answer to one row."""
    return float(model.predict({"x": np.array([x])}, deadline_s=deadline_s)["prediction"][0])


def in_threads(model: Executor) -> set[float]:
    """Who answers two threads that ask together."""
    with ThreadPoolExecutor(2) as threads:
        return set(threads.map(lambda _: asked(model, 0.5), range(2)))


def own_memory_bytes() -> int:
    """What this process uses now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_a_turn_that_comes_too_late_is_passed_on(seal_code: SealCode, home: Home) -> None:
    """A caller that is cancelled as its turn comes leaves the runner to the next one."""

    async def cancelled(pool: Pool) -> None:
        ends_s = time.monotonic() + LONG_S
        busy = await pool.take_async(ends_s)
        first, second = (asyncio.create_task(pool.take_async(ends_s)) for _ in range(2))
        await asyncio.sleep(0)  # both wait now
        pool.give(busy, good=True)
        asyncio.get_running_loop().call_soon(first.cancel)
        pool.give(await second, good=True)
        assert first.cancelled()

    with opened(seal_code(WHO), home) as model:
        assert isinstance(model, IsolatedModel)
        asyncio.run(cancelled(model._pool))


def test_what_waits_for_its_turn_starts_nothing_once_it_is_closed(
    seal_code: SealCode, home: Home, tmp_path: Path
) -> None:
    """The file of the turns is asked for at each start; a pool that closes meanwhile loads nothing for nobody."""
    lock, starts, waits = tmp_path / "lock", iter([None, tmp_path / "lock"]), threading.Event()

    def where() -> Path | None:
        found = next(starts)
        if found:
            waits.set()
        return found

    held = os.open(lock, os.O_RDWR | os.O_CREAT)
    fcntl.flock(held, fcntl.LOCK_EX)
    model = open_model(
        *seal_code(WHO), home=home, environment=EnvironmentConfig(), python=Path(sys.executable), turn=where
    )
    assert isinstance(model, IsolatedModel)
    pool = model._pool
    pool.replace(pool.take(time.monotonic() + LONG_S), counts=False)
    assert waits.wait(LONG_S)
    model.close()
    os.close(held)
    assert model.status().pid is None


def test_a_machine_without_room_delays_the_next_start(
    seal_code: SealCode, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A runner that gets no folder is tried again after its pause, and answers once there is room."""
    with opened(seal_code(WHO), home) as model:
        with monkeypatch.context() as full:
            full.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
            pid = model.status().pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: model.status().replicas[0].memory_bytes == 0)
            with pytest.raises((PredictionFailed, TimedOut, Unavailable)):
                asked(model, 0.0, deadline_s=1.0)
            wait_until(lambda: model.status().replicas[0].failures > 1)
        wait_until(lambda: model.status().replicas[0].state is ReplicaState.FREE)
        assert asked(model, 0.0) == model.status().replicas[0].pid


def test_replicas_answer_side_by_side(seal_code: SealCode, home: Home) -> None:
    """Two batches at once run in two processes, on an event loop and in threads; one after the other in one."""

    async def both(model: Executor, pids: set[int | None]) -> None:
        ends, found = time.monotonic() + LONG_S, set[float]()
        while found != pids:
            assert time.monotonic() < ends, found
            answers = await asyncio.gather(*(model.predict_async({"x": np.array([0.5])}) for _ in range(2)))
            found = {float(one["prediction"][0]) for one in answers}

    sealed = seal_code(WHO)
    with opened(sealed, home, replicas=2) as model:
        assert model.lanes == 2
        assert asked(model, 0) == asked(model, 0)
        pids = {one.pid for one in model.status().replicas}
        # a machine that is busy elsewhere may let the first be done before the second has come: then they are asked again
        wait_until(lambda: in_threads(model) == pids)
        asyncio.run(both(model, pids))


def test_a_replica_that_died_idle_costs_nothing(seal_code: SealCode, home: Home) -> None:
    """A process killed between two requests is replaced, and the next request is answered all the same."""
    with opened(seal_code(WHO), home) as model:
        first = model.status().replicas[0].pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: "Z" in Path(f"/proc/{first}/stat").read_text().rsplit(")", 1)[1])
        assert asked(model, 0) != first
        assert model.status().restarts == 1


def test_a_death_costs_its_own_batch(seal_code: SealCode, home: Home) -> None:
    """kill -9 of a busy process fails its batch; the batch beside it is answered, and both places are filled again."""

    async def session(model: Executor) -> None:
        busy = [asyncio.ensure_future(model.predict_async({"x": np.array([3.0])})) for _ in range(2)]
        while sum(one.state is ReplicaState.BUSY for one in model.status().replicas) < 2:
            await asyncio.sleep(0.01)
        victim = model.status().replicas[0].pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        outcomes = await asyncio.gather(*busy, return_exceptions=True)
        failed = [one for one in outcomes if isinstance(one, PredictionFailed)]
        assert len(failed) == 1
        assert "signal 9" in str(failed[0])
        answer = await model.predict_async({"x": np.array([0.0])})
        assert answer["prediction"][0] != victim

    with opened(seal_code(WHO), home, replicas=2) as model:
        asyncio.run(session(model))
        wait_until(lambda: all(one.state is ReplicaState.FREE for one in model.status().replicas))
        assert model.status().starts == 3


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (1, "signal 11"),
        (2, "status 3"),
        (3, "SystemExit: enough"),
        (4, "Operation not permitted"),
        (7, "bytes, allowed are"),
        (8, "MemoryError"),
    ],
    ids=["segfault", "exit", "sys.exit", "fork bomb", "huge answer", "leak"],
)
def test_faults_are_told_and_survived(seal_code: SealCode, home: Home, fault: int, said: str) -> None:
    """A model that crashes, leaves, forks, leaks or answers hugely fails that request with the reason; the next is answered."""
    with opened(seal_code(FAULTS), home) as model:
        before = own_memory_bytes()
        with pytest.raises(PredictionFailed, match=said):
            asked(model, fault)
        assert asked(model, 20) == 40
        assert model.status().replicas[0].failures == 0
        assert own_memory_bytes() - before < 100e6


@pytest.mark.parametrize("fault", [5, 6, 9], ids=["printing lines", "printing one line", "computing"])
def test_endless_work_ends_at_the_deadline(seal_code: SealCode, home: Home, fault: int) -> None:
    """A model that prints or computes without end is killed at its deadline; its owner's memory stays as it was."""
    with opened(seal_code(FAULTS), home) as model:
        before = own_memory_bytes()
        with pytest.raises(TimedOut, match=r"did not answer within 2 s"):
            asked(model, fault, deadline_s=2.0)
        assert asked(model, 20) == 40
        assert own_memory_bytes() - before < 50e6


def test_a_model_that_filled_its_memory_is_replaced(seal_code: SealCode, home: Home) -> None:
    """After a MemoryError the process, which keeps all it holds, is not asked again: a new one answers."""
    with opened(seal_code(FAULTS), home) as model:
        first = model.status().pid
        with pytest.raises(PredictionFailed, match="MemoryError"):
            asked(model, 8)
        assert asked(model, 20) == 40
        assert model.status().pid != first
        assert model.status().memory_bytes < 1e9


def refused(model: Executor) -> str | None:
    """What was said when no process was there to die of the request; None: one was."""
    try:
        asked(model, 2)
    except PredictionFailed:
        return None
    except Unavailable as error:
        return str(error)
    return "it was answered"


def test_all_replicas_pausing_is_said_at_once(seal_code: SealCode, home: Home) -> None:
    """Once every replica has failed twice in a row, callers are told when it starts again instead of waiting."""
    with opened(seal_code(FAULTS), home, replicas=2) as model:
        refusal = next(
            filter(None, (refused(model) for _ in range(20))), "it was started again without a pause"
        )
        assert "times in a row; it starts again in" in refusal
        wait_until(lambda: any(one.state is ReplicaState.FREE for one in model.status().replicas))
        assert asked(model, 20) == 40


def test_closing_ends_every_process(seal_code: SealCode, home: Home) -> None:
    """No process outlives its model, not even one that is just being started again."""
    with opened(seal_code(FAULTS), home, replicas=2) as model:
        with pytest.raises(PredictionFailed):
            asked(model, 2)
        pids = [one.pid for one in model.status().replicas if one.pid is not None]
        model.close()
        assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
        assert all(
            one.pid is None or not Path(f"/proc/{one.pid}").exists() for one in model.status().replicas
        )
        with pytest.raises(Unavailable, match="closed"):
            asked(model, 20)
