"""What is used of what, read of real processes; and what it costs to read it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.resources import kept, reading
from lockgate.resources.models import RUNNER_PROCESS, model_uses, numbers, quantile_ms, runners
from lockgate.resources.sampler import Runs, Sampler
from lockgate.resources.use import HostUse, Resources
from lockgate.samples import Sample

BUSY = "print(flush=True)\nwhile True: pass"
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""
HELD = """
import time
held, files = bytearray(60_000_000), [open("/dev/null") for _ in range(50)]
print(flush=True)
time.sleep(600)
"""
MARGIN_BYTES = 40_000_000


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that a test starts, ended with it."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for each in found:
        each.kill()
        each.communicate()


def start(started: list[subprocess.Popen[bytes]], code: str) -> tuple[int, bytes]:
    """A Python process that has said its first line: its id and the line."""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    started.append(process)
    assert process.stdout is not None
    return process.pid, process.stdout.readline()


def test_a_process_is_read_as_it_is(started, tmp_path: Path) -> None:
    """Sixty megabytes and fifty files are seen; gone ones are not; a busy one uses a core, one that sleeps nothing."""
    holder, _ = start(started, HELD)
    busy, _ = start(started, BUSY)
    sampler = Sampler(tmp_path, "box")
    sampler.sample({"holder": holder, "busy": busy, "gone": 2**22 - 1}, {}, 1)
    before = reading.read_process(busy)
    assert before is not None
    while reading.read_process(busy).cpu_s - before.cpu_s < 0.3:  # on a crowded machine that takes its time
        time.sleep(0.01)
    found = {
        use.name: use
        for use in sampler.sample({"holder": holder, "busy": busy, "gone": 2**22 - 1}, {}, 2).processes
    }
    assert found.keys() == {"holder", "busy"}
    assert found["holder"].proportional
    assert 60_000_000 < found["holder"].memory_bytes < 60_000_000 + MARGIN_BYTES
    assert found["holder"].open_files >= 53
    assert found["busy"].cpu_s >= 0.3
    assert found["busy"].cpu_cores > found["holder"].cpu_cores
    assert abs(found["busy"].started_us - time.time_ns() // 1000) < 600_000_000


def test_what_a_process_started_is_seen_with_it_and_by_its_model(started, tmp_path: Path) -> None:
    """A child has its parent's name, or the model's that it runs; what the supervisor started has its own name alone."""
    parent, line = start(started, PARENT)
    child = int(line)
    sampler = Sampler(tmp_path, "box")
    found = [
        (use.name, use.pid)
        for use in sampler.sample({"gateway-0": parent, "lockgate": os.getpid()}, {}, 1).processes
    ]
    assert found == [("gateway-0", parent), ("gateway-0 child", child), ("lockgate", os.getpid())]
    (use,) = [
        u
        for u in sampler.sample({"gateway-0": parent}, {child: Runs("churn", "3")}, 2).processes
        if u.pid == child
    ]
    assert (use.name, use.model, use.version) == ("churn/3", "churn", "3")
    os.kill(child, 9)


def test_a_number_that_another_process_has_now_starts_anew(started, tmp_path: Path) -> None:
    """The id with the time of its start: no share of a processor is made of two processes."""
    sampler = Sampler(tmp_path)
    first, _ = start(started, HELD)
    (use,) = sampler.sample({"a": first}, {}, 1).processes
    assert use.cpu_cores is None
    (use,) = sampler.sample({"a": first}, {}, 2).processes
    assert use.cpu_cores is not None
    second, _ = start(started, HELD)
    (use,) = sampler.sample({"a": second}, {}, 3).processes
    assert use.cpu_cores is None


def test_the_host_is_read(tmp_path: Path) -> None:
    """Cores, memory and disk are of this machine."""
    sampler = Sampler(tmp_path, "box")
    sampler.sample({}, {}, 1)
    host = sampler.sample({}, {}, 2)
    assert (host.host, host.cores) == ("box", os.cpu_count())
    assert 0 < host.memory_bytes < host.memory_total_bytes
    assert 0 <= host.disk_free_bytes <= host.disk_total_bytes


def told(requests: float, failed: float, slow: float, **more: float) -> list[Sample]:
    """What a worker tells of churn/3: requests in all, of which some failed, and some took longer than 5 ms."""
    labels = {"worker": "gateway-0", "model": "churn", "version": "3"}
    arm = {**labels, "arm": "live"}
    name = "model_infer_request_duration_seconds_bucket"
    return [
        Sample("model_infer_request_success_total", arm, requests - failed),
        Sample("model_infer_request_failure_total", arm, failed),
        Sample(name, {**arm, "le": "0.005"}, requests - slow),
        Sample(name, {**arm, "le": "0.5"}, requests),
        Sample(name, {**arm, "le": "+Inf"}, requests),
        Sample("lockgate_queue_requests", labels, more.get("queue", 0.0)),
        Sample("lockgate_model_compute_seconds_total", labels, more.get("computed", 0.0)),
        Sample(RUNNER_PROCESS, {**labels, "pid": "77"}, 1.0),
    ]


def host(**values) -> HostUse:
    """A host where nothing else runs."""
    return HostUse(**{"host": "box", "at_us": 1, "cores": 2, "cpu_cores": 0.0, "load": 0.0, "memory_bytes": 1,
                      "memory_total_bytes": 2, "disk_free_bytes": 1, "disk_total_bytes": 2, **values})  # fmt: skip


def test_rates_are_of_the_last_round() -> None:
    """Two thousand requests more in two seconds, twenty failed, one in fifty slow; what was before does not count."""
    before, now = numbers(told(5_000, 5, 4_000)), numbers(told(7_000, 25, 4_040, queue=3, computed=0.5))
    (use,) = model_uses(before, now, 2.0, host(), {("churn", "3"): 9_000})
    assert (use.requests_per_s, use.failed_per_s, use.queue, use.arms) == (1000.0, 10.0, 3, ("live",))
    assert (use.p99_ms, use.cpu_cores, use.memory_bytes) == (500.0, 0.25, 9_000)
    assert runners(told(1, 0, 0)) == {77: Runs("churn", "3")}


def test_a_worker_that_was_started_again_counts_from_nothing() -> None:
    """No rate is negative."""
    (use,) = model_uses(numbers(told(7_000, 25, 10)), numbers(told(10, 0, 0)), 2.0, host(), {})
    assert (use.requests_per_s, use.failed_per_s) == (5.0, 0.0)


def test_quantiles_of_nothing_and_beyond_the_last_edge() -> None:
    """No request: none. Slower than the last edge: infinite, which JSON says as null."""
    assert quantile_ms({}) is None
    assert quantile_ms({0.005: 0.0, math.inf: 0.0}) is None
    assert quantile_ms({0.005: 1.0, math.inf: 100.0}) == math.inf


def test_samples_are_kept_whole_and_other_hosts_only_while_they_speak(tmp_path: Path) -> None:
    """What is read is what was left; a host that is silent for a while is no longer shown."""
    assert kept.newest(tmp_path) is None
    found = Resources(at_us=5, hosts=(host(),))
    kept.leave(tmp_path, found)
    kept.leave_far(tmp_path, host(host="edge-1f3a", at_us=1_000_000))
    assert kept.newest(tmp_path) == found
    (tmp_path / "resources-edge-77aa.json").write_bytes(b"")  # as a loss of power leaves it
    assert [each.host for each in kept.far_hosts(tmp_path, 2_000_000)] == ["edge-1f3a"]
    assert kept.far_hosts(tmp_path, 60_000_000) == []
    (tmp_path / kept.FILE).write_bytes(b'{"at_us"')
    assert kept.newest(tmp_path) is None
    kept.take_away(tmp_path)
    assert kept.newest(tmp_path) is None
