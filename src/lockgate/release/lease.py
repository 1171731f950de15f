"""Which controller acts: a lease in the database, renewed in every round and checked inside every claim."""

from __future__ import annotations

import sqlalchemy as sa

from lockgate.clock import SECOND_US
from lockgate.errors import Conflict
from lockgate.release.tables import release_leases

LEASE_S = 2.0  # a controller that died is replaced after this long; a round takes half a second
AHEAD_S = 60.0  # clocks of several machines lie closer together than this


def take_lease(tx: sa.Connection, name: str, owner: str, *, now_us: int, lease_s: float = LEASE_S) -> bool:
    """Take or renew a lease; false while somebody else holds it.

    A lease that ends much later than any could was taken before the clock stepped back: it holds nobody up.
    """
    c = release_leases.c
    until = now_us + round(lease_s * SECOND_US)
    stepped = c.until_us > until + round(AHEAD_S * SECOND_US)
    free = sa.and_(c.name == name, sa.or_(c.owner == owner, c.until_us < now_us, stepped))
    if tx.execute(sa.update(release_leases).where(free).values(owner=owner, until_us=until)).rowcount == 1:
        return True
    if tx.execute(sa.select(c.owner).where(c.name == name)).first() is not None:
        return False
    try:
        with tx.begin_nested():
            tx.execute(sa.insert(release_leases).values(name=name, owner=owner, until_us=until))
    except sa.exc.IntegrityError:
        return False  # somebody else entered it first
    return True


def check_lease(tx: sa.Connection, name: str, owner: str) -> None:
    """Raise Conflict unless `owner` holds the lease in this very transaction; the row stays locked until its end."""
    c = release_leases.c
    held = tx.execute(sa.update(release_leases).where(c.name == name, c.owner == owner).values(owner=owner))
    if held.rowcount != 1:
        raise Conflict(f"another process took over the {name}", fix="this one stands by")


def drop_lease(tx: sa.Connection, name: str, owner: str) -> None:
    """Give a lease back, so that another need not wait for its end."""
    c = release_leases.c
    tx.execute(sa.delete(release_leases).where(c.name == name, c.owner == owner))
