"""Limits of callers, bodies in flight, and how full queues say when to come back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.access import Caller
from lockgate.gateway.drain import LONGEST_S, SHORTEST_S, Drain
from lockgate.gateway.limits import KeyLimits, Limit, Words
from lockgate.gateway.memory import BodyMemory
from lockgate.gateway.refusals import Limited, refusal

SECOND = 1_000_000_000


class Wall:
    """A clock that a test moves."""

    def __init__(self, now: int = 5 * SECOND) -> None:
        self.now = now

    def __call__(self) -> int:
        """The time."""
        return self.now


def limit_of(folder: Path, rate: float, burst: int | None, wall: Wall, number: int = 1) -> Limit:
    """A key's limit on a clock of the test's own."""
    return Limit(Words(folder), Caller("shop", ("*",), number=number), rate, burst, wall)


def admitted(limit: Limit, tries: int) -> int:
    """How many of so many requests at once are let in."""
    count = 0
    for _ in range(tries):
        try:
            limit.take()
        except Limited:
            continue
        count += 1
    return count


def test_a_burst_and_then_the_rate(tmp_path: Path) -> None:
    """Burst 20 at once, then 10 a second; the refusal says when the next is welcome, and then it is."""
    wall = Wall()
    limit = limit_of(tmp_path, 10.0, 20, wall)
    assert admitted(limit, 100) == 20
    with pytest.raises(Limited) as refused:
        limit.take()
    assert refused.value.retry_after_s == pytest.approx(0.1)
    assert dict(refusal(refused.value).headers) | {"x-lockgate-limit": "key", "retry-after": "1"} == dict(
        refusal(refused.value).headers
    )
    wall.now += SECOND // 10
    assert admitted(limit, 100) == 1
    wall.now += SECOND
    assert admitted(limit, 100) == 10
    wall.now += 60 * SECOND
    assert admitted(limit, 100) == 20


@given(st.lists(st.integers(0, 3 * SECOND), max_size=60), st.integers(1, 50), st.integers(1, 30))
def test_it_is_the_token_bucket(waits: list[int], rate: int, burst: int) -> None:
    """Whatever the pauses, the same requests pass as through a bucket of tokens kept in whole numbers."""
    wall, apart = Wall(), round(SECOND / rate)
    words = Words(Path(_FOLDER))
    words.view[7] = 0
    limit = Limit(words, Caller("shop", ("*",), number=7), float(rate), burst, wall)
    bucket, at = burst * apart, wall.now
    for wait in waits:
        wall.now += wait
        bucket, at = min(burst * apart, bucket + wall.now - at), wall.now
        expected = bucket >= apart
        bucket -= apart if expected else 0
        assert admitted(limit, 1) == int(expected)
    words.close()


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    global _FOLDER  # noqa: PLW0603  hypothesis takes no fixtures of a function's own
    _FOLDER = str(tmp_path_factory.mktemp("words"))


_FOLDER = ""


def test_keys_do_not_share_and_a_word_of_another_age_does_not_count(tmp_path: Path) -> None:
    """Each key has its own word; after the machine's clock began anew nobody waits for the old one."""
    wall = Wall(900 * SECOND)
    one, two = (limit_of(tmp_path, 5.0, 5, wall, number) for number in (1, 2))
    assert (admitted(one, 9), admitted(two, 9)) == (5, 5)
    again = Wall(3 * SECOND)
    assert admitted(limit_of(tmp_path, 5.0, 5, again, 1), 9) == 5


def test_processes_count_together(tmp_path: Path) -> None:
    """Four processes with the same key are let in just as often as one would be, whoever is put to sleep when."""
    program = (
        "import sys; from pathlib import Path; from lockgate.access import Caller; "
        "from lockgate.gateway.limits import *; from lockgate.gateway.refusals import Limited\n"
        f"limit, count = Limit(Words(Path({str(tmp_path)!r})), Caller('s', ('*',), number=3), 0.001, 400), 0\n"
        "for _ in range(400):\n"
        "    try:\n        limit.take(); count += 1\n    except Limited:\n        pass\nprint(count)"
    )
    running = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) for _ in range(4)]
    total = sum(int(process.communicate(timeout=60)[0]) for process in running)
    assert total == 400


def test_a_key_without_a_limit_costs_nothing(tmp_path: Path) -> None:
    """The key's own limit, else the gateway's default, else none."""
    words = Words(tmp_path)
    own, other = Caller("a", ("*",), rate_per_s=5.0, burst=9), Caller("b", ("*",))
    assert KeyLimits(words, None, None).of(other) is None
    assert KeyLimits(words, 7.0, None).of(other).burst == 7  # type: ignore[union-attr]
    assert KeyLimits(words, 7.0, None).of(own).burst == 9  # type: ignore[union-attr]


def test_bodies_fill_a_bounded_room() -> None:
    """Past the bound a body is refused; one model of several gets half; what was answered makes room."""
    memory = BodyMemory(1000, lambda: 2)
    memory.take("flood", 400)
    with pytest.raises(Limited, match="room"):
        memory.take("flood", 200)
    memory.take("other", 500)
    with pytest.raises(Limited):
        memory.take("third", 200)
    memory.give("flood", 400)
    memory.take("third", 200)
    memory.give("other", 500)
    memory.give("third", 200)
    memory.take("empty", 0)
    memory.give("empty", 0)
    memory.give("empty", 0)
    assert memory.held_bytes == 0
    memory.take("large", 900)  # alone, one body may be larger than half
    memory.give("large", 900)
    alone = BodyMemory(1000, lambda: 1)
    alone.take("only", 500)
    alone.take("only", 500)
    with pytest.raises(Limited):
        alone.take("only", 1)


def test_who_is_turned_away_hears_when_the_queue_will_be_through() -> None:
    """Waiting requests over the pace of the last second; bounded, and the longest when nothing moves."""
    drain = Drain()
    assert drain.wait_s(10, 100.0) == LONGEST_S
    for tenth in range(25):
        drain.left(20, 100.0 + tenth / 10)  # 200 a second
    assert 1.5 < drain.wait_s(400, 102.4) <= 2.0  # the present window has a beginning and no end
    assert drain.wait_s(1, 102.4) == SHORTEST_S
    assert drain.wait_s(1_000_000, 102.4) == LONGEST_S
    drain.left(5, 500.0)  # a long rest says nothing of the pace under load
    assert drain.wait_s(10, 500.1) == LONGEST_S
    drain.left(5, 500.4)
    assert drain.wait_s(10, 500.5) == pytest.approx(0.5, rel=0.01)
