"""Samples this host every two seconds, joins it with what the gateway counts, and leaves it for the console and Prometheus."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from lockgate import samples
from lockgate.errors import Unavailable
from lockgate.membership import members
from lockgate.resources import kept
from lockgate.resources.exposed import NAME, exposed
from lockgate.resources.models import Numbers, model_uses, numbers, runners
from lockgate.resources.sampler import Sampler
from lockgate.resources.use import HostUse, ModelUse, Point, Resources
from lockgate.wiring.house import House
from lockgate.wiring.status import lags, running

EVERY_S = 2.0
LAG_ROUNDS = 5  # how far readers are is read from the database, so more seldom
POINTS = 300  # ten minutes
_log = logging.getLogger("lockgate.resources")


class Watcher:
    """Samples round after round."""

    def __init__(self, house: House) -> None:
        self._house, self._sampler = house, Sampler(house.home.root)
        self._before: Numbers = {}
        self._at_s = time.monotonic()
        self._points: deque[Point] = deque(maxlen=POINTS)
        self._behind: dict[str, int] = {}
        self._rounds = 0

    def round(self) -> Resources:
        """One sample, left where others find it."""
        house, now_us = self._house, self._house.clock.now_us()
        told = samples.gather(house.home.run, NAME, [])
        named = {process.name: process.pid for process in running(house.home)}
        here = self._sampler.sample(named, runners(told), now_us)
        now, at_s = numbers(told), time.monotonic()
        models = model_uses(self._before, now, at_s - self._at_s, here, _loaded(house, now_us))
        if not self._before:  # counted since the start of the workers, not over this round
            models = ()
        self._before, self._at_s = now, at_s
        self._look_at_readers()
        self._points.append(_point(here, models, self._behind, now_us))
        found = Resources(
            at_us=now_us, hosts=(here, *kept.far_hosts(house.home.run, now_us)), models=models,
            behind_bytes=self._behind, history=tuple(self._points),
        )  # fmt: skip
        kept.leave(house.home.run, found)
        samples.leave(house.home.run, NAME, exposed(here, models))
        return found

    def run(self, stop: threading.Event) -> None:
        """Until told to stop; a full disk makes the numbers old and nothing else."""
        while not stop.is_set():
            try:
                self.round()
            except OSError as error:
                _log.warning("resources cannot be sampled or written: %s", error)
            except Exception:  # noqa: BLE001  another version's file, a driver: the next round may see more
                _log.exception("resources were not sampled this time")
            stop.wait(EVERY_S)
        kept.take_away(self._house.home.run)
        samples.take_away(self._house.home.run, NAME)

    def _look_at_readers(self) -> None:
        if self._rounds % LAG_ROUNDS == 0:
            try:
                with self._house.db.read() as tx:
                    self._behind = {lag.name: lag.behind_bytes for lag in lags(tx, self._house)}
            except Unavailable as error:  # it is an alert by itself; the rest is sampled on
                _log.info("how far readers are is not known: %s", error.what)
        self._rounds += 1


def _loaded(house: House, now_us: int) -> dict[tuple[str, str], int]:
    """What each version took in memory where it was loaded, over the workers of this host."""
    names = {
        arm.digest: (route.model, str(arm.version))
        for route in house.plan.latest().routes.values()
        for arm in route.arms
    }
    found: dict[tuple[str, str], int] = {}
    for member in members(house.home.members, now_us):
        for digest, loaded in member.packages.items():
            if digest in names:
                found[names[digest]] = found.get(names[digest], 0) + round(loaded.memory_mb * 1e6)
    return found


def _point(here: HostUse, models: tuple[ModelUse, ...], behind: dict[str, int], now_us: int) -> Point:
    return Point(
        now_us,
        (here.cpu_cores or 0.0) / here.cores,
        here.memory_bytes / max(here.memory_total_bytes, 1),
        sum(model.requests_per_s for model in models),
        sum(model.failed_per_s for model in models),
        sum(model.queue for model in models),
        max(behind.values(), default=0),
    )
