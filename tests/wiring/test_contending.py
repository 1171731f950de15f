"""Contenders as people see them."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home
from lockgate.release.tables import contenders
from lockgate.wiring.contending import contenders_shown
from lockgate.wiring.house import open_house


def test_who_contends_is_shown_however_many_were_withdrawn_since(home: Home, clock: FakeClock) -> None:
    """The list of those of before is cut off; those that are scored now are all there, first."""
    house, now_us = open_house(home, clock), clock.now_us()
    row = {"model": "churn", "digest": "sha256:ab", "share": 1.0, "since_us": 1, "until_us": now_us + DAY_US, "author": "ada",
           "reason": "", "began_us": 1, "words": ""}  # fmt: skip
    with house.db.write() as tx:
        tx.execute(sa.insert(contenders).values(**row, version=1, contending="churn/1"))
        for number in range(2, 40):
            tx.execute(sa.insert(contenders).values(**row, version=number, ended_us=number))
    shown = [(each.contender.version, each.state) for each in contenders_shown(house, "churn", inputs=False)]
    house.close()
    assert shown[:3] == [(1, "scored"), (39, "withdrawn"), (38, "withdrawn")]
