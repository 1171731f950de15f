"""Releases that wait: one model has one release at a time, and the next goes on by itself when that one has ended.

A place in the queue is an order, not yet a release: the gate is asked and the plan is made when its turn comes, from the
traffic and the live version of that moment. Taking a place off the queue is part of the transaction that starts its
release, so a controller that dies in between leaves both or neither.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict
from lockgate.governance import audit
from lockgate.release.tables import release_queue


class PlaceState(StrEnum):
    """What became of a place in the queue."""

    WAITING = "waiting"
    STARTED = "started"  # `release` says which it is
    CANCELLED = "cancelled"
    REFUSED = "refused"  # when its turn came it could not be: `words` says why


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One version that waits for the release before it. Times are microseconds."""

    id: int = 0
    model: str
    version: int
    settings: ReleaseConfig | None = None  # None: the model's own when its turn comes
    python: str | None = None
    author: str
    reason: str = ""
    asked_us: int = 0
    state: PlaceState = PlaceState.WAITING
    ended_us: int | None = None
    words: str = ""
    release: int | None = None

    @property
    def name(self) -> str:
        """The version's name, `churn/4`."""
        return f"{self.model}/{self.version}"


def record_place(tx: sa.Connection, place: Place) -> Place:
    """Put a version at the end of its model's queue. Raises Conflict when it waits there already."""
    row = {**_columns(place), "waiting": place.name}
    row.pop("id")
    try:
        with tx.begin_nested():
            number = tx.execute(
                sa.insert(release_queue).values(**row).returning(release_queue.c.id)
            ).scalar_one()
    except sa.exc.IntegrityError as error:
        raise Conflict(f"{place.name} waits already", fix=f"lockgate release queue {place.model}") from error
    made = msgspec.structs.replace(place, id=number)
    _note(tx, made, "waiting", actor=place.author, at_us=place.asked_us)
    return made


def waiting(tx: sa.Connection, model: str | None = None) -> list[Place]:
    """What waits, in its order; of all models, or of one."""
    query = sa.select(release_queue).where(release_queue.c.waiting.is_not(None)).order_by(release_queue.c.id)
    if model is not None:
        query = query.where(release_queue.c.model == model)
    return [_read(row) for row in tx.execute(query)]


def places_of(tx: sa.Connection, model: str, *, limit: int = 20) -> list[Place]:
    """The model's queue with what became of places before, the newest first."""
    query = sa.select(release_queue).where(release_queue.c.model == model)
    return [_read(row) for row in tx.execute(query.order_by(release_queue.c.id.desc()).limit(limit))]


def close_place(
    tx: sa.Connection,
    place: Place,
    state: PlaceState,
    *,
    actor: str,
    at_us: int,
    words: str = "",
    release: int | None = None,
) -> Place:
    """Take a place off the queue. Raises Conflict when it no longer waits; nothing of the transaction is to be kept then."""
    c = release_queue.c
    values = {"waiting": None, "state": str(state), "ended_us": at_us, "words": words, "release": release}
    changed = tx.execute(
        sa.update(release_queue).where(c.id == place.id, c.waiting.is_not(None)).values(**values)
    )
    if changed.rowcount != 1:
        raise Conflict(f"{place.name} does not wait any more", fix=f"lockgate release queue {place.model}")
    done = msgspec.structs.replace(place, state=state, ended_us=at_us, words=words, release=release)
    _note(tx, done, str(state), actor=actor, at_us=at_us)
    return done


def _note(tx: sa.Connection, place: Place, what: str, *, actor: str, at_us: int) -> None:
    audit.append(
        tx,
        at_us=at_us,
        actor=actor,
        action=f"release:queue:{what}",
        subject=place.name,
        details={"place": place.id, "reason": place.reason, "words": place.words, "release": place.release},
    )


def _columns(place: Place) -> dict[str, object]:
    row = msgspec.structs.asdict(place)
    row["settings"] = None if place.settings is None else msgspec.json.encode(place.settings).decode()
    row["state"] = str(place.state)
    return row


def _read(row: sa.Row[tuple[object, ...]]) -> Place:
    values = {name: getattr(row, name) for name in Place.__struct_fields__}
    if values["settings"] is not None:
        values["settings"] = msgspec.json.decode(values["settings"])
    return msgspec.convert(values, Place)
