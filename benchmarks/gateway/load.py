"""Load on one server by wrk: requests a second, processor time for each, latency. wrk stays on a core of its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.gateway.subjects import Subject

LOAD_CORES = "1"
_SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
{headers}
done = function(summary, latency, requests)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    summary.errors.status + summary.errors.read + summary.errors.timeout, latency:percentile(50), latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Turn:
    """A moment of one server: requests a second, its processor time for each, failures, latency in microseconds."""

    rate: float
    cpu_us: float
    failures: int
    p50_us: int
    p99_us: int


@dataclass(frozen=True)
class Asked:
    """One request that is sent again and again."""

    path: str
    body: bytes
    headers: dict[str, str]


class NoLoad(Exception):
    """wrk is not there, or could not ask the server."""


def require_wrk() -> None:
    """Install wrk with Debian's packages when it is missing. Raises NoLoad."""
    if shutil.which("wrk") is not None:
        return
    command = ["apt-get", "install", "--yes", "--quiet", "wrk"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise NoLoad(f"wrk is not installed, and apt-get cannot be run: {error}") from error
    if done.returncode:
        raise NoLoad("wrk is not installed: as root, apt-get update && apt-get install wrk")


def turn(
    subject: Subject, asked: Asked, connections: int, folder: Path, *, seconds: int, cores: str = LOAD_CORES
) -> Turn:
    """Load one server for a moment. Raises NoLoad when it answers nothing."""
    body = folder / f"{subject.name}.body".replace(" ", "-")
    body.write_bytes(asked.body)
    headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in asked.headers.items())
    script = body.with_suffix(".lua")
    script.write_text(_SCRIPT.format(body=body, headers=headers))
    argv = ["taskset", "-c", cores, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s"]
    argv += ["--timeout", "20s", "--latency", "-s", str(script), subject.url + asked.path]
    before = subject.cpu_s()
    said = subprocess.run(argv, capture_output=True, text=True, check=False)
    used_s = subject.cpu_s() - before
    found = re.search(r"RESULT (\d+) (\d+) (-?\d+) (\d+) (\d+)", said.stdout)
    if found is None or found[1] == "0":
        words = " ".join(f"{said.stdout[:100]} {said.stderr[-200:]}".split())
        raise NoLoad(f"{subject.name} answered nothing: {words}")
    requests, duration_us, failures, p50, p99 = map(int, found.groups())
    return Turn(requests / duration_us * 1e6, used_s * 1e6 / requests, failures, p50, p99)
