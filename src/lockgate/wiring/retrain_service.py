"""The service that trains again by itself: looks at every model now and then, and carries what is on its way.

A look that fails, or a retraining that does, is its own model's trouble. One is trained at a time on this machine, in a thread
of its own, while the looks and the releases of the others go on.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading

from lockgate.errors import LockgateError, Unavailable
from lockgate.registry.store import list_models
from lockgate.retraining.retraining import Retraining, State
from lockgate.retraining.store import running_retrainings
from lockgate.wiring.house import House
from lockgate.wiring.retrain import carry, consider

LOOK_S = 30.0
NICE = 10
_log = logging.getLogger("lockgate.retraining")


class Retrainer:
    """Looks and carries. Several may run, on one database: each retraining belongs to one of them."""

    def __init__(self, house: House, *, owner: str | None = None) -> None:
        self._house = house
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._worker: threading.Thread | None = None
        self._over = threading.Event()
        self.troubles: dict[str, str] = {}  # model -> why the last look at it failed

    def round(self) -> None:
        """One look at every model that is to be trained again, then what is on its way goes on. Raises Unavailable."""
        with self._house.db.read() as tx:
            models = [row.name for row in list_models(tx) if row.settings.retrain is not None]
        for model in models:
            self._look(model)
        with self._house.db.read() as tx:
            running = running_retrainings(tx)
        for each in running:
            if each.state is State.RELEASING:  # no more than a look at its release
                self._carry(each)
        works = [each for each in running if each.state is not State.RELEASING]
        if works and (self._worker is None or not self._worker.is_alive()):
            self._worker = threading.Thread(target=self._carry_each, args=(works,), name="retraining")
            self._worker.start()

    def run(self, stop: threading.Event, *, look_s: float = LOOK_S) -> None:
        """Round after round until told to stop. What is being trained then is taken over by the next process."""
        while not stop.is_set():
            try:
                self.round()
            except Unavailable as error:
                _log.error("retraining waits: %s", error.sentence())
            stop.wait(look_s)
        self._over.set()

    def wait(self) -> None:
        """Until what is being trained now has come as far as it goes."""
        if self._worker is not None:
            self._worker.join()

    def _look(self, model: str) -> None:
        try:
            found = consider(self._house, model)
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001  what is wrong with one model stops no other
            words = (
                error.sentence() if isinstance(error, LockgateError) else f"{type(error).__name__}: {error}"
            )
            if self.troubles.get(model) != words:
                _log.exception("whether %s is to be trained again cannot be seen", model)
            self.troubles[model] = words
            return
        self.troubles.pop(model, None)
        if found.begun is not None:
            _log.info(
                "retraining %d of %s is %s: %s", found.begun.id, model, found.begun.state, found.begun.words
            )

    def _carry_each(self, works: list[Retraining]) -> None:
        """One after the other: what waits for something, or is another process's, holds up none behind it."""
        for each in works:
            if not self._over.is_set():
                self._carry(each)

    def _carry(self, one: Retraining) -> None:
        try:
            carry(self._house, one.id, self.owner, _quiet)
        except Exception:  # noqa: BLE001  a thread that raises is one that nobody hears of
            _log.exception("retraining %d of %s could not go on; it is tried again", one.id, one.model)


def retrain_service(house: House, stop: threading.Event) -> None:
    """Train again what is to be, at low priority: it runs beside what answers."""
    os.nice(NICE)
    Retrainer(house).run(stop)


def _quiet(*_said: object, **_more: object) -> None:
    """Nobody watches: what happens is on record."""
