"""What an act of a person needs, and the wait until the gateways obey."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockgate.clock import SECOND_US, Clock
from lockgate.db import Database
from lockgate.errors import TimedOut
from lockgate.membership import LEASE_S, members
from lockgate.traffic import PlanShelf

POLL_S = 0.02


@dataclass(frozen=True)
class Desk:
    """Database, plan, members and time: where people act from."""

    db: Database
    shelf: PlanShelf
    members_folder: Path
    clock: Clock


def wait_until_obeyed(desk: Desk, epoch: int, *, timeout_s: float = 5 * LEASE_S) -> list[str]:
    """Return when every gateway worker with a current lease obeys the plan `epoch`; names of those that do.

    A worker whose lease ran out serves live only, so it holds up nobody. Raises TimedOut naming who still lags: a
    worker that beats and does not take the plan.
    """
    until_us = desk.clock.now_us() + round(timeout_s * SECOND_US)
    while True:
        there = members(desk.members_folder, desk.clock.now_us())
        late = [member.worker for member in there if member.epoch < epoch]
        if not late:
            return [member.worker for member in there]
        if desk.clock.now_us() > until_us:
            raise TimedOut(
                f"the plan is published, but gateway worker {', '.join(late)} does not obey it yet",
                fix="restart that worker; all others obey it",
            )
        desk.clock.sleep(POLL_S)
