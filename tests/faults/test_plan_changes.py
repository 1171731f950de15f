"""After a rollback returned, no new request reaches the canary: four workers, one shared word a request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.faults.load import Load, infer_body

from lockgate.clock import SystemClock
from lockgate.db import Database
from lockgate.gateway.worker import worker_argv
from lockgate.membership import members
from lockgate.release.desk import Desk, wait_until_obeyed
from lockgate.supervisor import Child, Supervisor

INFER, KEY, WORKERS = "/v2/models/churn/infer", "test-key", 4
Sent = tuple[
    float, float, bool
]  # when the request left, when its answer was there, whether the canary gave it


@contextmanager
def four_workers(world: Any) -> Iterator[None]:
    """Four supervised workers on one port, all of them loaded."""
    argv = {f"gateway-{n}": worker_argv(world.home.root, f"gateway-{n}", host="127.0.0.1", port=world.port)
            for n in range(WORKERS)}  # fmt: skip
    supervisor = Supervisor(
        [Child(name, words) for name, words in argv.items()], world.home.run, tell=lambda event: None
    )
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        world.wait_for(lambda: sum(m.ready for m in there(world)) == WORKERS, 90)
        yield
    finally:
        supervisor.stop()
        thread.join(60)
    assert not thread.is_alive()


def there(world: Any) -> list[Any]:
    """The workers with a current lease."""
    return members(world.home.members, SystemClock().now_us())


def call_while(world: Any, change: Callable[[], bool], after: int) -> list[Sent]:
    """Call without a pause while `change` runs again and again, each time until so many answers came after it."""
    sent: list[Sent] = []

    def seen(_number: int, at_s: float, head: bytes) -> None:
        sent.append((at_s, time.monotonic(), b"x-lockgate-arm: canary" in head))

    async def call() -> None:
        load = Load(
            world.port, INFER, KEY, infer_body([[1, 2, 3]], ["a", "b", "c"]), connections=32, seen=seen
        )
        running = asyncio.create_task(load.run(600))
        try:
            while await asyncio.to_thread(change):
                enough = len(sent) + after
                while len(sent) < enough:
                    assert not running.done()
                    await asyncio.sleep(0.005)
        finally:
            load.stop()
            await running
        assert set(load.tally.statuses) == {200}, load.tally.words
        assert load.tally.broken == 0

    asyncio.run(call())
    return sent


def roll_back(world: Any, database: Database, rounds: int, after: int) -> tuple[int, int, int]:
    """So many releases, each with half of the requests on its canary, taken back under load.

    Returns the requests that left after a rollback had returned, those of them that the canary answered, and those that it
    answered before.
    """
    live, canary = world.package(), world.package(bias=1.0)
    desk = Desk(database, world.plan, world.home.members, SystemClock())
    world.route(live, canary, 0.5, release=0)
    periods: list[tuple[float, float]] = []  # from the return of a rollback to the next canary
    turns = iter(range(2 * rounds))

    def change() -> bool:
        turn = next(turns, None)
        if turn is None:
            return False
        if turn % 2 == 0:
            plan = world.route(live, killed=(turn,))
            wait_until_obeyed(desk, plan.epoch)
            periods.append((time.monotonic(), float("inf")))
        else:
            periods[-1] = (periods[-1][0], time.monotonic())
            wait_until_obeyed(desk, world.route(live, canary, 0.5, release=turn + 1).epoch)
        return True

    with four_workers(world):
        world.wait_for(lambda: sum(len(m.packages) == 2 and m.ready for m in there(world)) == WORKERS, 60)
        sent = call_while(world, change, after)
    later = [canary for left, came, canary in sent if any(a < left and came < b for a, b in periods)]
    return len(later), sum(later), sum(on_canary for _, _, on_canary in sent)


def test_after_a_rollback_nothing_new_reaches_the_canary(world: Any, sqlite: Database) -> None:
    """Three rollbacks under load, 1,500 requests after each."""
    later, wrong, before = roll_back(world, sqlite, 3, 1_500)
    assert later >= 4_000
    assert before > 100
    assert wrong == 0


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_twenty_thousand_requests_after_rollbacks(world: Any, sqlite: Database) -> None:
    """The long form: ten rollbacks, 2,100 requests after each."""
    later, wrong, before = roll_back(world, sqlite, 10, 2_100)
    print(
        f"{later} requests left after a rollback had returned; {wrong} reached the canary ({before} did before)"
    )
    assert later >= 20_000
    assert wrong == 0
