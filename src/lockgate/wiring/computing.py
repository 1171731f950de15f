"""Where checks are computed: on this machine, or on the Ray cluster that is named."""

from __future__ import annotations

import re

import sqlalchemy as sa

from lockgate.checks.running.cluster import RayCluster
from lockgate.checks.running.local import LocalProcesses
from lockgate.checks.running.pool import Pool
from lockgate.config import LOCAL
from lockgate.errors import Forbidden, InvalidInput
from lockgate.governance.people import Person, may
from lockgate.governance.permissions import Permission
from lockgate.wiring.house import House

_ADDRESS = re.compile(r"ray://\S+")


def address_of(house: House, tx: sa.Connection, person: Person, wanted: str | None = None) -> str:
    """Where `wanted` says (`local`, `ray://HOST:10001`), else `compute:` of config.yaml: one switch for checks, back-tests,
    and searches.

    A cluster gets the tables and sends back objects that are trusted, so one that config.yaml does not name is for those who
    may trust code. Raises Forbidden, InvalidInput for what is no address.
    """
    address = wanted or house.config.compute
    if address == LOCAL:
        return address
    if not _ADDRESS.fullmatch(address):
        raise InvalidInput("this says nowhere to compute", got=address, allowed=f"{LOCAL}, ray://HOST:10001")
    if address != house.config.compute and not may(tx, person, Permission.MODEL_TRUST, "*"):
        raise Forbidden(f"{person.id} may not send data to a cluster that config.yaml does not name", got=address,
                        fix=f"have an admin write compute: {address} into config.yaml")  # fmt: skip
    return address


def pool_of(house: House, tx: sa.Connection, person: Person, wanted: str | None = None) -> Pool:
    """The processes that run checks at `address_of`. Raises as that."""
    address = address_of(house, tx, person, wanted)
    if address == LOCAL:
        return LocalProcesses(folder=house.home.run)
    return RayCluster(address, folder=house.home.run)
