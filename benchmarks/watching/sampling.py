"""What it costs to sample what is used: processor time of one round over twenty processes, and of the alerts' looks beside it.

python -m benchmarks.watching.sampling
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from lockgate.config import Home
from lockgate.resources.reading import read_process
from lockgate.resources.sampler import Sampler
from lockgate.wiring.alerting import Watch
from lockgate.wiring.house import open_house

PROCESSES, ROUNDS, LOOKS = 20, 150, 50
ROUND_S, LOOK_S = 2.0, 5.0  # how often the service does each
PROGRAM = "import numpy, time; held = numpy.ones(2_000_000); print('up', flush=True); time.sleep(3600)"


def main() -> None:
    """Processes that hold memory, sampled again and again; then a quiet home, looked at again and again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        named = {}
        for number in range(PROCESSES):
            child = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE)
            stack.callback(child.wait)
            stack.callback(child.kill)
            assert child.stdout is not None
            child.stdout.readline()
            named[f"p{number}"] = child.pid
        sampler = Sampler(folder)
        began_s = time.process_time()
        for place in range(ROUNDS):
            sampler.sample(named, {}, place)
        round_ms = 1000 * (time.process_time() - began_s) / ROUNDS
        house = open_house(Home(folder / "home"))
        stack.callback(house.close)
        watch = Watch(house, owner="benchmark")
        watch.tick()
        began_s = time.process_time()
        for _ in range(LOOKS):
            watch.tick()
        look_ms = 1000 * (time.process_time() - began_s) / LOOKS
        here = read_process(os.getpid())
        assert here is not None
        share = round_ms / 1000 / ROUND_S + look_ms / 1000 / LOOK_S
        print(f"one round over {PROCESSES} processes: {round_ms:.2f} ms of processor time (mean of {ROUNDS})")
        print(f"one look for alerts on a quiet home: {look_ms:.2f} ms of processor time (mean of {LOOKS})")
        print(
            f"together, every {ROUND_S:g} and {LOOK_S:g} s: {share:.2%} of a core; resident {here.resident_bytes / 1e6:.0f} MB"
        )


if __name__ == "__main__":
    main()
