"""Labels handed in by people, files and programs: who may, what was done, and a row in the audit log for each table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import polars as pl

from lockgate.governance.audit import append
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.predictions.label_import import Imported, Naming, import_many
from lockgate.registry.store import get_model
from lockgate.wiring.house import House

Tell = Callable[..., None]  # tell(phase, done, total)


def hand_in(
    house: House,
    person: Person,
    model: str,
    table: pl.DataFrame,
    naming: Naming,
    *,
    source: str,
    tell: Tell = lambda *_: None,
) -> Imported:
    """Record a table of labels for somebody. Raises Forbidden, NotFound, InvalidInput; a table that cannot be read leaves
    nothing."""
    with house.db.read() as tx:
        require(tx, person, Permission.LABELS_WRITE, model)
        get_model(tx, model)
    now_us = house.clock.now_us()
    done = import_many(
        house.db, model, table, naming, by=person.id, now_us=now_us, source=source,
        tell=lambda rows, of: tell("recording labels", rows, of),
    )  # fmt: skip
    with house.db.write() as tx:
        append(tx, at_us=now_us, actor=person.id, action="labels:model:imported", subject=model,
               details={"source": source, "on": naming.on, **asdict(done)})  # fmt: skip
    return done
