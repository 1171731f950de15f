"""The gateway beside a peer written by hand, on the same core, in turns of a second: ratios, and the price of the log.

    python -m benchmarks.gateway.bench [--rounds 6]

Absolute numbers belong to the machine; ratios travel. Needs `wrk` (Debian: apt-get install wrk).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway.subjects import Subject, gateway, peer, train

CONNECTIONS = (1, 16, 64)
LOAD_CORE = "1"
LOCKGATE, UNLOGGED, PEER = "lockgate", "lockgate, no log", "FastAPI by hand"
_SCRIPT = """
wrk.method = "POST"
wrk.body = {body}
{headers}
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Turn:
    """One second of one server: requests a second, its processor time for each, failures, latency in microseconds."""

    rate: float
    cpu_us: float
    failures: int
    p50_us: int
    p99_us: int


@dataclass(frozen=True)
class Figure:
    """A promise and what was measured. `value` must be at least, or at most, `goal`."""

    name: str
    value: float
    goal: float
    at_least: bool = True

    @property
    def reached(self) -> bool:
        """Whether the promise holds."""
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def turn(subject: Subject, connections: int, folder: Path, seconds: float = 1.0) -> Turn:
    """Load one server for a moment."""
    script = folder / f"{re.sub('[^a-z]', '', subject.name.lower())}.lua"
    headers = "\n".join(
        f'wrk.headers["{name}"] = {json.dumps(value)}' for name, value in subject.headers.items()
    )
    script.write_text(_SCRIPT.format(body=json.dumps(subject.body), headers=headers))
    argv = [
        "taskset",
        "-c",
        LOAD_CORE,
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds:g}s",
        "--latency",
        "-s",
        str(script),
    ]
    before = subject.cpu_s()
    words = subprocess.run([*argv, subject.url], capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+)", words)
    if found is None:
        raise RuntimeError(f"wrk said: {words}")
    requests, duration_us, failures, p50, p99 = map(int, found.groups())
    return Turn(requests / duration_us * 1e6, (subject.cpu_s() - before) * 1e6 / requests, failures, p50, p99)


def measure(subjects: list[Subject], rounds: int, folder: Path) -> dict[tuple[str, int], list[Turn]]:
    """Every server in turn, again and again, so that the machine's moods meet all of them alike."""
    found: dict[tuple[str, int], list[Turn]] = {}
    for connections in CONNECTIONS:
        for subject in subjects:
            turn(subject, connections, folder)  # warm, not counted
        for _ in range(rounds):
            for subject in subjects:
                found.setdefault((subject.name, connections), []).append(turn(subject, connections, folder))
    return found


def ratio(found: dict[tuple[str, int], list[Turn]], one: str, other: str, connections: int) -> float:
    """The median over the rounds of one server's processor time for a request against another's.

    On a core of its own this is the ratio of requests a second; on a machine that does other work as well it still holds.
    """
    pairs = zip(found[one, connections], found[other, connections], strict=True)
    return statistics.median(left.cpu_us / right.cpu_us for left, right in pairs)


def figures(found: dict[tuple[str, int], list[Turn]], subjects: list[Subject]) -> list[Figure]:
    """What is promised: a fraction of the hand-written peer's work with everything on record, and a cheap log."""
    made = [
        Figure(
            f"FastAPI's processor time over lockgate's, {c} connections",
            ratio(found, PEER, LOCKGATE, c),
            goal,
        )
        for c, goal in zip(CONNECTIONS, (2.0, 5.0, 5.0), strict=True)
    ]
    made += [
        Figure(
            f"price of the log, {c} connections",
            ratio(found, LOCKGATE, UNLOGGED, c) - 1,
            0.15,
            at_least=False,
        )
        for c in CONNECTIONS
    ]
    failures = sum(t.failures for (name, _), turns in found.items() if name == LOCKGATE for t in turns)
    start = next(subject.start_s for subject in subjects if subject.name == LOCKGATE)
    return [*made, Figure("failed requests", failures, 0, at_least=False),
            Figure("start to first connection, s", start, 2.0, at_least=False)]  # fmt: skip


def table(found: dict[tuple[str, int], list[Turn]]) -> str:
    """Medians over the rounds."""
    lines = [f"{'server':20} {'conn':>4} {'requests/s':>11} {'cpu us':>8} {'p50 us':>8} {'p99 us':>8}"]
    for (name, connections), turns in found.items():
        rate = statistics.median(t.rate for t in turns)
        cpu, p50, p99 = (
            statistics.median(getattr(t, q) for t in turns) for q in ("cpu_us", "p50_us", "p99_us")
        )
        lines.append(f"{name:20} {connections:>4} {rate:>11,.0f} {cpu:>8.0f} {p50:>8.0f} {p99:>8.0f}")
    return "\n".join(lines)


def main() -> int:
    """Measure and print; the exit status is 0 when every figure was reached."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    args = parser.parse_args()
    if shutil.which("wrk") is None:
        print("wrk is not installed: apt-get install wrk")
        return 1
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        model = train(folder)
        subjects = [
            stack.enter_context(gateway(LOCKGATE, folder, model, "lockgate.gateway.worker")),
            stack.enter_context(gateway(UNLOGGED, folder, model, "benchmarks.gateway.unlogged")),
            stack.enter_context(peer(folder)),
        ]
        found = measure(subjects, args.rounds, folder)
    print(table(found))
    print()
    made = figures(found, subjects)
    for figure in made:
        sign, mark = (">=" if figure.at_least else "<="), ("reached" if figure.reached else "MISSED")
        print(f"{figure.name:52} {figure.value:8.2f} {sign} {figure.goal:<6g} {mark}")
    print(f"figures: {sum(figure.reached for figure in made)} of {len(made)} reached")
    return 0 if all(figure.reached for figure in made) else 1


if __name__ == "__main__":
    sys.exit(main())
