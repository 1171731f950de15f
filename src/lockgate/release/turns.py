"""Whose turn it is: when no release of a model runs, the first that waits begins.

Called by the controller in every round. Beginning is one transaction, so a controller that dies in between begins it in its
next life, and never twice. A place whose release cannot be any more is refused in words and the next one has its turn.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from lockgate.db import Database
from lockgate.errors import (
    Conflict,
    Forbidden,
    InvalidInput,
    LockgateError,
    NotFound,
    SealBroken,
    Unavailable,
)
from lockgate.release import store
from lockgate.release.fit import Ground, ground_of
from lockgate.release.queue import Place, PlaceState, close_place, waiting
from lockgate.release.start import business_of, start_waiting

Fence = Callable[[sa.Connection], None]
Admit = Callable[[sa.Connection, Place], None]
REFUSALS = (Conflict, Forbidden, InvalidInput, NotFound, SealBroken)
_log = logging.getLogger(__name__)


def admit_all(_tx: sa.Connection, _place: Place) -> None:
    """The judgement of settings where nobody else has a word in it."""


def take_turns(db: Database, fence: Fence, admit: Admit, *, members_folder: Path, now_us: int) -> None:
    """Begin the next release of every model that has none running. Conflicts with people who were first cost nothing.

    `fence` raises where somebody else is the controller by now, `admit` where the place's settings may not be any more.
    """
    with db.read() as tx:
        busy = {release.model for release in store.running_releases(tx)}
        first: dict[str, Place] = {}
        for place in waiting(tx):
            first.setdefault(place.model, place)
    for model, place in first.items():
        if model in busy:
            continue
        try:
            _begin(db, fence, admit, place, ground_of(members_folder, now_us), now_us=now_us)
        except Conflict as error:  # a person or another controller was first
            _log.info("the turn of %s: %s", place.name, error)
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001  what is wrong with one place ends no release that runs
            _log.exception("the release of %s cannot begin; it is tried again", place.name)


def _begin(db: Database, fence: Fence, admit: Admit, place: Place, ground: Ground, *, now_us: int) -> None:
    try:
        with db.read() as tx:
            business = business_of(tx, place.name, place.settings)
        with db.write() as tx:
            fence(tx)
            admit(tx, place)
            release = start_waiting(tx, place, business=business, ground=ground, at_us=now_us)
        _log.info("release %d of %s begins: its turn has come", release.id, place.name)
    except REFUSALS as error:
        _refuse(db, fence, place, error, now_us)


def _refuse(db: Database, fence: Fence, place: Place, error: LockgateError, now_us: int) -> None:
    """Say why a place's release cannot be. Not when somebody was first: it begins later, or was begun or cancelled."""
    with db.write() as tx:
        fence(tx)
        if store.find_running(tx, place.model) is not None or place not in waiting(tx, place.model):
            return
        close_place(tx, place, PlaceState.REFUSED, actor="controller", at_us=now_us, words=error.sentence())
    _log.warning("the release of %s cannot begin: %s", place.name, error.sentence())
