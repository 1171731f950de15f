"""What every look for causes of alerts has before it, and how looks are made: one that fails says so and stops no other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.alerts.alert import Cause
from lockgate.alerts.rules import Rulebook
from lockgate.clock import SECOND_US
from lockgate.config_alerts import AlertKind
from lockgate.errors import LockgateError, Unavailable
from lockgate.wiring.house import House

_log = logging.getLogger("lockgate.alerts")


@dataclass(frozen=True)
class Ground:
    """Where is looked, by which rules, and when."""

    house: House
    rules: Rulebook
    now_us: int


@dataclass(frozen=True)
class Look:
    """One way of looking, and the kinds of causes that it finds. `every_s`: what changes slowly is looked at seldom."""

    name: str
    kinds: frozenset[AlertKind]
    find: Callable[[sa.Connection, Ground], Iterable[Cause]]
    every_s: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What all looks saw; `blind`: kinds that could not be looked at."""

    causes: tuple[Cause, ...]
    blind: frozenset[AlertKind]


class Lookout:
    """Makes every look, and remembers what those saw that are made seldom."""

    def __init__(self, looks: Sequence[Look]) -> None:
        self._looks = looks
        self._last: dict[str, tuple[int, list[Cause]]] = {}

    def look_around(self, tx: sa.Connection, ground: Ground) -> Seen:
        """What is wrong now. Raises Unavailable, or what the driver raises, when it is the database that is away."""
        causes: list[Cause] = []
        blind: set[AlertKind] = set()
        for look in self._looks:
            try:
                # PostgreSQL answers nothing more in a transaction in which a statement failed
                with tx.begin_nested():
                    causes += self._one(look, tx, ground)
            except (sa.exc.OperationalError, Unavailable):
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is: the others go on, and people are told
                blind |= look.kinds
                causes.append(_failed(look, error))
        return Seen(tuple(causes), frozenset(blind - {AlertKind.MONITOR_FAILS}))

    def _one(self, look: Look, tx: sa.Connection, ground: Ground) -> list[Cause]:
        looked_us, known = self._last.get(look.name, (0, []))
        if looked_us and 0 <= ground.now_us - looked_us < look.every_s * SECOND_US:
            return known
        found = list(look.find(tx, ground))
        self._last[look.name] = ground.now_us, found
        return found


def _failed(look: Look, error: Exception) -> Cause:
    said = error.sentence() if isinstance(error, LockgateError) else type(error).__name__
    _log.error("the look for %s failed", look.name, exc_info=error)
    return Cause(
        kind=AlertKind.MONITOR_FAILS, subject=f"the look for {look.name}", words=f"It failed: {said}.",
        next="see alerts.log in run/ of the home folder; alerts of this kind stay as they are meanwhile",
    )  # fmt: skip
