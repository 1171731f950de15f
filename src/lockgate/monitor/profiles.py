"""Profiles in the database: one a version and hour; of what is old, one a day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.clock import DAY_US, HOUR_US
from lockgate.monitor.profile import Profile, merged_profiles, packed, unpacked
from lockgate.monitor.tables import monitor_places, monitor_profiles, monitor_verdicts

HOURS_KEPT_US = 35 * DAY_US  # then a day is one profile: hours are needed to compare like with like


@dataclass(frozen=True)
class Span:
    """A stored stretch of one version: where it begins, how long it is, how many rows came in it."""

    start_us: int
    span_us: int
    rows: int

    @property
    def until_us(self) -> int:
        """The first time after it."""
        return self.start_us + self.span_us


def add_profiles(tx: sa.Connection, model: str, version: int, found: Mapping[int, Profile]) -> None:
    """Add what was counted (hour -> profile) to what is stored, in the caller's transaction: together with the place."""
    if not found:
        return
    c = monitor_profiles.c
    mine = (c.model == model) & (c.version == version)
    inside = c.start_us.between(min(found) // DAY_US * DAY_US, max(found))
    there = {
        (row.start_us, row.span_us)
        for row in tx.execute(sa.select(c.start_us, c.span_us).where(mine, inside))
    }
    new = []
    for start_us, profile in found.items():
        # of a day that is one profile by now, late records go there
        places = ((start_us, HOUR_US), (start_us // DAY_US * DAY_US, DAY_US))
        at_us, span_us = next((place for place in places if place in there), (start_us, 0))
        if not span_us:
            key = {"model": model, "version": version, "start_us": start_us, "span_us": HOUR_US}
            new.append(key | {"rows": profile.rows, "body": packed(profile)})
            continue
        this = mine & (c.start_us == at_us) & (c.span_us == span_us)
        stored = unpacked(tx.execute(sa.select(c.body).where(this)).scalar_one())
        whole = merged_profiles([stored, profile])
        tx.execute(sa.update(monitor_profiles).where(this).values(rows=whole.rows, body=packed(whole)))
    if new:
        tx.execute(sa.insert(monitor_profiles), new)


def spans_of(tx: sa.Connection, model: str, version: int, since_us: int = 0) -> list[Span]:
    """What is stored from a time on, in order of time."""
    c = monitor_profiles.c
    query = sa.select(c.start_us, c.span_us, c.rows).where(
        c.model == model, c.version == version, c.start_us >= since_us
    )
    return [Span(*row) for row in tx.execute(query.order_by(c.start_us))]


def profile_between(tx: sa.Connection, model: str, version: int, since_us: int, until_us: int) -> Profile:
    """The sum of what lies between two times."""
    c = monitor_profiles.c
    query = sa.select(c.body).where(
        c.model == model, c.version == version, c.start_us >= since_us, c.start_us < until_us
    )
    return merged_profiles(unpacked(body) for body in tx.execute(query.order_by(c.start_us)).scalars())


def versions_with_rows(tx: sa.Connection, model: str) -> dict[int, int]:
    """Versions that have profiles, and when the newest of each begins."""
    c = monitor_profiles.c
    query = sa.select(c.version, sa.func.max(c.start_us)).where(c.model == model).group_by(c.version)
    return {row[0]: row[1] for row in tx.execute(query)}


def roll_up(tx: sa.Connection, model: str, now_us: int, *, most_days: int = 40) -> int:
    """Make hours that are long over into days; returns how many days were made."""
    c = monitor_profiles.c
    before_us = (now_us - HOURS_KEPT_US) // DAY_US * DAY_US
    old = sa.select(c.version, c.start_us).where(
        c.model == model, c.span_us == HOUR_US, c.start_us < before_us
    )
    days = {(version, start_us // DAY_US * DAY_US) for version, start_us in tx.execute(old)}
    for version, day_us in sorted(days)[:most_days]:
        inside = (c.model == model) & (c.version == version) & c.start_us.between(day_us, day_us + DAY_US - 1)
        whole = merged_profiles(
            unpacked(body) for body in tx.execute(sa.select(c.body).where(inside)).scalars()
        )
        tx.execute(sa.delete(monitor_profiles).where(inside))
        key = {"model": model, "version": version, "start_us": day_us, "span_us": DAY_US}
        tx.execute(sa.insert(monitor_profiles).values(key | {"rows": whole.rows, "body": packed(whole)}))
    return min(len(days), most_days)


def forget(tx: sa.Connection, model: str, watcher: str) -> None:
    """Everything that a watcher counted and judged of a model: it begins again."""
    for table in (monitor_profiles, monitor_verdicts):
        tx.execute(sa.delete(table).where(table.c.model == model))
    c = monitor_places.c
    mine = c.watcher.startswith(f"reference:{model}/", autoescape=True)
    judged = c.watcher.startswith(f"judged:{model}/", autoescape=True)
    tx.execute(sa.delete(monitor_places).where((c.watcher == watcher) | mine | judged))
