"""What is counted of a person goes when they are erased: personal inputs of the hours in which they came, small hours whole.

An hour's counts hold no row, so one person cannot be taken out of them: of hours in which they came, what is counted of personal
inputs goes for everybody, and where fewer than twenty rows came, everything. It happens before their requests go, as nobody finds
these afterwards, and again in the transaction that ends the erasure. What was on its way then is caught later: the hours
stay noted until the erasure is finished, and are gone over again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US, HOUR_US
from lockgate.monitor.profile import Profile, packed, unpacked
from lockgate.monitor.reference import kept_reference
from lockgate.monitor.tables import monitor_places, monitor_profiles
from lockgate.monitor.watcher import put_place
from lockgate.predictions.erase import ErasureState
from lockgate.predictions.tables import log_erasures

FEWEST = 20  # rows of an hour: of fewer, somebody's values could be read off
_MOST = 400  # hours in one question


def forget_person(tx: sa.Connection, model: str, erasure: int, times_us: Iterable[int], now_us: int) -> None:
    """Take out what was counted when a person's requests came (`times_us`), in the erasure's own transactions, and note when
    that was until nothing can be on its way any more."""
    name = _name(model, erasure)
    known = tx.execute(
        sa.select(monitor_places.c.body).where(monitor_places.c.watcher == name)
    ).scalar_one_or_none()
    hours = {at_us // HOUR_US * HOUR_US for at_us in times_us} | set(
        msgspec.json.decode(known or b"[]", type=list[int])
    )
    if hours:
        forget_hours(tx, model, hours)
        put_place(tx, name, msgspec.json.encode(sorted(hours)), now_us)


def erasures_noted(tx: sa.Connection, model: str) -> dict[int, list[int]]:
    """Erasures of a model that are noted, and the hours (begins) that each is about."""
    c = monitor_places.c
    query = sa.select(c.watcher, c.body).where(c.watcher.startswith(_name(model, ""), autoescape=True))
    return {
        int(row.watcher.rsplit("/", 1)[1]): msgspec.json.decode(row.body, type=list[int])
        for row in tx.execute(query)
    }


def forget_again(tx: sa.Connection, model: str, erased: Mapping[int, Iterable[int]]) -> None:
    """Go over the hours again, and forget those of erasures that are finished."""
    c = log_erasures.c
    query = sa.select(c.id).where(c.id.in_(list(erased)), c.state == ErasureState.FINISHED)
    finished = set(tx.execute(query).scalars())
    forget_hours(tx, model, {hour for hours in erased.values() for hour in hours})
    for erasure in finished:
        tx.execute(sa.delete(monitor_places).where(monitor_places.c.watcher == _name(model, erasure)))


def forget_hours(tx: sa.Connection, model: str, hours: Iterable[int]) -> None:
    """Take personal inputs out of what was counted in these hours, or in days that they are part of by now."""
    c = monitor_profiles.c
    wanted = sorted({*hours})
    personal: dict[int, tuple[str, ...]] = {}
    for first in range(0, len(wanted), _MOST):
        some = wanted[first : first + _MOST]
        days = sorted({hour // DAY_US * DAY_US for hour in some})
        mine = ((c.span_us == HOUR_US) & c.start_us.in_(some)) | (
            (c.span_us == DAY_US) & c.start_us.in_(days)
        )
        for row in tx.execute(sa.select(monitor_profiles).where(c.model == model, mine)).all():
            if row.version not in personal:
                reference = kept_reference(tx, model, row.version)
                personal[row.version] = () if reference is None else reference.veiled
            this = (
                (c.model == model)
                & (c.version == row.version)
                & (c.start_us == row.start_us)
                & (c.span_us == row.span_us)
            )
            if row.rows < FEWEST:
                tx.execute(sa.delete(monitor_profiles).where(this))
            elif personal[row.version]:
                counted = unpacked(row.body)
                if counted.columns.keys() & {*personal[row.version]}:
                    left = packed(without(counted, personal[row.version]))
                    tx.execute(sa.update(monitor_profiles).where(this).values(body=left))


def without(profile: Profile, names: Iterable[str]) -> Profile:
    """A profile without these inputs; how many rows that leaves uncounted is kept."""
    gone = dict.fromkeys(names, profile.rows)
    columns = {name: counted for name, counted in profile.columns.items() if name not in gone}
    return msgspec.structs.replace(profile, columns=columns, withheld=profile.withheld | gone)


def _name(model: str, erasure: int | str) -> str:
    return f"erased:{model}/{erasure}"
