"""What is used of what, for one person: their models, the processes of the box, the hosts."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.access import EVERY_MODEL
from lockgate.errors import Unavailable
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.resources.kept import FRESH_US, newest
from lockgate.resources.use import HostUse, Resources
from lockgate.wiring.house import House


def resources_for(tx: sa.Connection, house: House, person: Person) -> Resources:
    """The newest sample as the person may see it. Raises Forbidden, and Unavailable where nothing samples now."""
    seen = models_with(tx, person, Permission.MODEL_READ)
    if not seen:
        require(tx, person, Permission.MODEL_READ)
    found = newest(house.home.run)
    if found is None or house.clock.now_us() - found.at_us > FRESH_US:
        raise Unavailable("nothing samples what is used here now", fix="start it: lockgate up")
    if EVERY_MODEL in seen:
        return found
    models = tuple(model for model in found.models if model.model in seen)
    return msgspec.structs.replace(
        found, models=models, hosts=tuple(_without(host, seen) for host in found.hosts)
    )


def _without(host: HostUse, seen: tuple[str, ...]) -> HostUse:
    mine = tuple(process for process in host.processes if process.model is None or process.model in seen)
    return msgspec.structs.replace(host, processes=mine)
