"""Load through a real gateway worker: rising rates, real rows, figures that add up."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from tests.wiring.test_served import people, version_of

from lockgate.checks.evidence import Split
from lockgate.checks.finding import Status
from lockgate.checks.load import LoadStep
from lockgate.checks.stress.load import under_load as judged
from lockgate.config import Goal, Home, ModelConfig
from lockgate.wiring.checking import Models
from lockgate.wiring.house import House, open_house
from lockgate.wiring.load import RATES, memory_of


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    """An open house."""
    opened = open_house(home)
    yield opened
    opened.close()


def step(rate: float, p99_ms: float, failed: int = 0) -> LoadStep:
    """A measured step."""
    return LoadStep(rate=rate, requests=100, failed=failed, p50_ms=1.0, p99_ms=p99_ms, memory_bytes=2**27)


def test_a_version_is_loaded_until_it_breaks(house, tmp_path):
    """Every request of the first step is answered; rates rise; only the last step may be slow; no goal, no load."""
    version, frames = version_of(house, tmp_path / "package"), {Split.TEST: people()}
    with Models(house, ModelConfig(target="y"), version, None) as models:
        assert models.load(ModelConfig(target="y"), frames) == ()
        steps = models.load(ModelConfig(target="y", goal=Goal(requests_per_day=1_000)), frames)
    assert [each.rate for each in steps] == list(RATES[: len(steps)])
    assert steps[0].failed == 0
    assert all(0 < each.p50_ms <= each.p99_ms for each in steps)
    assert steps[0].memory_bytes > 10 * 2**20
    assert list(house.home.run.glob("served-*")) == []


def test_the_knee_is_held_against_the_goal():
    """What the goal needs holds: in order. It breaks before: a warning with both figures. More than was tried: in order."""
    steps = [step(10, 5), step(100, 20), step(200, 900)]
    calm = judged("stress", steps, Goal(requests_per_day=500_000, p99_ms=50))
    assert calm.status is Status.PASS
    assert "holds up to 100 a second" in calm.headline
    busy = judged("stress", steps, Goal(requests_per_day=4_000_000, p99_ms=50))
    assert busy.status is Status.WARN
    assert busy.measure.value == 900
    slow = judged("stress", steps, Goal(p99_ms=2))
    assert slow.status is Status.WARN
    assert "at none of the rates" in judged("stress", [step(10, 900)], Goal(p99_ms=50)).headline
    failing = judged("stress", [step(10, 5, failed=40)], Goal(p99_ms=50))
    assert failing.status is Status.WARN
    assert "all that was tried" in judged("stress", steps[:2], Goal(requests_per_day=10**9)).headline


def test_memory_counts_the_process_and_what_it_started():
    """This process has some; one that is gone has none."""
    assert memory_of(os.getpid()) > 2**20
    assert memory_of(2**22 + 1) == 0
