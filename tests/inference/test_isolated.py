"""A model in a process of its own: answers, failures, deadlines, deaths."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import Conflict, PredictionFailed, TimedOut, Unavailable
from lockgate.inference.executor import Executor
from lockgate.inference.open import open_model

ROW = {"x": np.array([1.0, 2.0])}


def opened(sealed: tuple[Path, str], home: Home, memory_mb: int = 4096) -> Executor:
    """The sealed package's executor."""
    return open_model(
        *sealed, home=home, environment=EnvironmentConfig(memory_mb=memory_mb), python=Path(sys.executable)
    )


def test_answers_and_raises(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """A callable answers; when it raises, the caller hears why and the process lives on."""
    model = opened(seal_code("""
        def predict(columns):
            if columns["x"][0] < 0:
                raise ValueError("prices are never negative")
            return columns["x"] * 2
        """), home)  # fmt: skip
    try:
        assert model.predict(ROW)["prediction"].tolist() == [2.0, 4.0]
        pid = model.status().pid
        with pytest.raises(PredictionFailed, match="ValueError: prices are never negative"):
            model.predict({"x": np.array([-1.0])})
        assert model.predict(ROW)["prediction"].tolist() == [2.0, 4.0]
        assert model.status().pid == pid
        assert model.status().restarts == 0
    finally:
        model.close()
    assert pid is not None
    assert not Path(f"/proc/{pid}").exists()


OF_SCORER = """
import sys
from pathlib import Path
import numpy as np
from lockgate.config import EnvironmentConfig, Home
from lockgate.inference.open import open_model
from lockgate.services.shadow import limit_memory
limit_memory(512)
model = open_model(
    Path(sys.argv[1]), sys.argv[2], home=Home(Path(sys.argv[3])), environment=EnvironmentConfig(memory_mb=4096),
    python=Path(sys.executable),
)
try:
    print(model.predict({"x": np.array([1.0])})["prediction"].tolist())
finally:
    model.close()
"""


def test_its_memory_is_its_own_limit(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """A model that holds 700 MB, as its settings allow, answers a shadow scorer that may hold 512 MB itself."""
    folder, digest = seal_code("""
        kept = bytearray(700 << 20)
        def predict(columns):
            return columns["x"] * 2
        """)
    words = [sys.executable, "-c", OF_SCORER, str(folder), digest, str(home.root)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[2.0]", done.stderr


def test_hanging_model_is_killed_at_its_deadline(
    seal_code: Callable[..., tuple[Path, str]], home: Home
) -> None:
    """A model that hangs is killed, the error says where it hung, and the next request is answered by a new process."""
    model = opened(seal_code("""
        import time
        def predict(columns):
            if columns["x"][0] < 0:
                time.sleep(600)
            return columns["x"]
        """), home)  # fmt: skip
    try:
        assert model.predict(ROW)["prediction"].tolist() == [1.0, 2.0]  # it has set out
        with pytest.raises(TimedOut, match=r"model.py.*line 5"):
            model.predict({"x": np.array([-1.0])}, deadline_s=1.0)
        assert model.predict(ROW)["prediction"].tolist() == [1.0, 2.0]
        assert model.status().restarts == 1
    finally:
        model.close()


def test_dying_model_backs_off(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """A model that ends its process fails its request; one that keeps dying is not started again at once."""
    model = opened(seal_code("""
        import os, sys
        def predict(columns):
            print("about to leave", flush=True)
            os._exit(3)
        """), home)  # fmt: skip
    try:
        with pytest.raises(PredictionFailed, match=r"status 3.*about to leave"):
            model.predict(ROW)
        with pytest.raises(PredictionFailed, match="status 3"):
            model.predict(ROW)
        with pytest.raises(Unavailable, match="2 times in a row"):
            model.predict(ROW)
    finally:
        model.close()


def test_memory_is_bounded(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """A model that wants more memory than it may have raises MemoryError in its own process."""
    model = opened(seal_code("""
        import numpy as np
        def predict(columns):
            return np.ones(400_000_000)[: len(columns["x"])]
        """), home, memory_mb=1500)  # fmt: skip
    try:
        with pytest.raises(PredictionFailed, match="MemoryError"):
            model.predict(ROW)
    finally:
        model.close()


def test_leaking_model_fails_alone(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """A model that keeps all it ever saw fails when its memory is full, its owner unharmed."""
    model = opened(seal_code("""
        import numpy as np
        kept = []
        def predict(columns):
            kept.append(np.ones(50_000_000))
            return columns["x"]
        """), home, memory_mb=2048)  # fmt: skip
    try:
        with pytest.raises(PredictionFailed, match="Memory"):
            assert [model.predict(ROW) for _ in range(20)] == "never finished"
    finally:
        model.close()


def test_event_loop(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """On an event loop: answers in turn, a deadline does not block the loop, and a cancelled call leaves no old answer."""
    model = opened(seal_code("""
        import time
        def predict(columns):
            time.sleep(float(columns["x"][0]))
            return columns["x"]
        """), home)  # fmt: skip

    async def session() -> None:
        quick = {"x": np.array([0.01])}
        answers = await asyncio.gather(*(model.predict_async({"x": np.array([n / 1000])}) for n in range(5)))
        assert [float(one["prediction"][0]) for one in answers] == [n / 1000 for n in range(5)]
        with pytest.raises(Conflict):
            model.predict(quick)
        with pytest.raises(TimedOut):
            await model.predict_async({"x": np.array([30.0])}, deadline_s=0.2)
        assert (await model.predict_async(quick))["prediction"].tolist() == [0.01]
        task = asyncio.ensure_future(model.predict_async({"x": np.array([0.5])}))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await model.predict_async(quick))["prediction"].tolist() == [0.01]

    try:
        asyncio.run(session())
    finally:
        model.close()


def test_runner_dies_with_its_owner(seal_code: Callable[..., tuple[Path, str]], home: Home) -> None:
    """kill -9 of the owner ends the runner, even while the model is busy."""
    folder, digest = seal_code("""
        import time
        def predict(columns):
            time.sleep(60)
        """)  # fmt: skip
    script = f"""
import sys, numpy as np
from pathlib import Path
from lockgate.config import EnvironmentConfig, Home
from lockgate.inference.open import open_model
model = open_model(Path({str(folder)!r}), {digest!r}, home=Home(Path({str(home.root)!r})),
                   environment=EnvironmentConfig(), python=Path(sys.executable))
print(model.status().pid, flush=True)
model.predict({{"x": np.array([1.0])}}, deadline_s=60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        runner = int(owner.stdout.readline())
        time.sleep(0.2)
        os.kill(owner.pid, signal.SIGKILL)
        owner.wait()
    ends = time.monotonic() + 60
    while (
        Path(f"/proc/{runner}/status").exists()
        and "Z (zombie)" not in Path(f"/proc/{runner}/status").read_text()
    ):
        assert time.monotonic() < ends, "the runner outlived its owner"
        time.sleep(0.05)
