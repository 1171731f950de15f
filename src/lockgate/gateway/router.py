"""Obeys the traffic plan: which versions are loaded in this worker, and which of them answers a request.

The plan's word is compared in every request. What a new plan takes away is in force with that very request; what it adds
is loaded in the background first. A package that cannot be loaded is refused by name, and the live version that was
there before serves on, or the one that the plan lets stand in. When no plan can be read any more, the last one holds.

On a host away from the control plane a canary is served only while the host's lease holds, and a package that the host has
not fetched yet counts as being loaded.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.errors import LockgateError, NotFound, SealBroken
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.engine import Engine, Prepared
from lockgate.gateway.restored import Place
from lockgate.gateway.unserved import BROKEN_RETRY_S, cut_off, unserved
from lockgate.membership import CanaryLease, Loaded, LoadState
from lockgate.traffic import Arm, Plan, PlanShelf, Role, Route

RETRY_S = 5.0  # a package that could not be loaded is tried again this often
READ_AGAIN_S = 0.2
LOOK_S = 0.5  # at places of broken packages, for another copy
LOADERS = 2  # packages loaded at once
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Served:
    """How one model is answered in this worker now: its route with only the arms that may and can answer."""

    route: Route
    live: Engine | None
    canary: Engine | None
    problem: LockgateError | None = None  # why nobody answers


class Router:
    """All loaded versions of one worker. Lives in the event loop."""

    def __init__(
        self,
        shelf: PlanShelf,
        breaker: Breaker,
        prepare: Callable[[Arm], Prepared],
        engine: Callable[[Prepared], Engine],
        *,
        lease: CanaryLease | None = None,
        is_here: Callable[[Arm], bool] = lambda _arm: True,
        place: Callable[[Arm], Path],
    ) -> None:
        self._shelf, self._breaker, self._prepare, self._engine = shelf, breaker, prepare, engine
        self._lease, self._is_here, self._place, self._cut_off = lease, is_here, place, False
        self._loop = asyncio.get_running_loop()
        self._threads = ThreadPoolExecutor(LOADERS, thread_name_prefix="load")
        self._word = -1
        self._read_again_s = 0.0
        self._served: dict[str, Served] = {}
        self._alone: dict[str, Served] = {}  # the same without canaries, for when the lease has run out
        self._awaited: dict[str, Arm] = {}  # packages that the host's agent has still to fetch
        self._engines: dict[str, Engine] = {}
        self._retired: list[Engine] = []
        self._retry_s: dict[str, float] = {}
        self._broken: dict[str, SealBroken] = {}
        self._places: dict[str, Place] = {}  # of the broken ones
        self._look_s = 0.0  # when these are looked at again
        self.plan = Plan()
        self.packages: dict[str, Loaded] = {}
        self.changes = 0  # grows with everything that the control plane should hear of

    def look(self) -> None:
        """Obey the newest plan. Cheap when nothing changed."""
        if self._shelf.word() != self._word:
            self._adopt()

    def served(self, model: str) -> Served:
        """How a model is answered now. Raises NotFound for one that is not in the plan."""
        if self._shelf.word() != self._word:
            self._adopt()
        found = self._served.get(model)
        if found is None:
            raise NotFound(f"no model '{model}' is served here", fix="see which are: lockgate status")
        if self._lease is not None and found.canary is not None and not self._lease.holds():
            return self._alone[model]
        return found

    @property
    def models(self) -> list[str]:
        """The names of all models in the plan."""
        return list(self._served)

    @property
    def ready(self) -> bool:
        """Whether every live version that the plan names is loaded."""
        live = [route.arm(Role.LIVE) for route in self.plan.routes.values()]
        return all(arm is None or arm.digest in self._engines for arm in live)

    @property
    def answering(self) -> bool:
        """Whether somebody answers for every model in the plan."""
        return all(served.problem is None for served in self._served.values())

    @property
    def loading(self) -> bool:
        """Whether a package is being loaded."""
        return any(loaded.state is LoadState.LOADING for loaded in self.packages.values())

    def engines(self) -> dict[str, Engine]:
        """Everything that is loaded, by digest."""
        return self._engines

    def settle_in(self) -> None:
        """Work out anew who answers, after a version was loaded, failed to load or tripped the breaker."""
        self._served = {model: self._serve(route) for model, route in self.plan.routes.items()}
        if self._lease is not None:
            self._alone = {model: _without_canary(served) for model, served in self._served.items()}
        self._retire()
        self.changes += 1

    def tidy(self) -> None:
        """Close what was retired and has nothing left to do; try again what could not be loaded."""
        busy = [engine for engine in self._retired if not engine.batcher.idle]
        for engine in self._retired:
            if engine.batcher.idle:
                engine.batcher.close()
                self._threads.submit(engine.prepared.executor.close)
        self._retired = busy
        self._try_again(time.monotonic())
        for arm in [arm for arm in self._awaited.values() if self._is_here(arm)]:
            self._load(arm)
        self._say_contact()

    def _try_again(self, now: float) -> None:
        """What could not be loaded, when it is due, or at once when another copy was put in its place."""
        look = bool(self._places) and now >= self._look_s
        if look:
            self._look_s = now + LOOK_S
        for digest, arm in self._wanted().items():
            restored = look and digest in self._places and self._places[digest].restored()
            if digest in self._retry_s and (restored or self._retry_s[digest] <= now):
                self._load(arm)

    def _say_contact(self) -> None:
        cut_off = self._lease is not None and not self._lease.holds()
        if cut_off is not self._cut_off:
            self._cut_off = cut_off
            words = (
                "lost for two seconds: no canary is served here" if cut_off else "there: canaries are served"
            )
            _log.warning("contact with the control plane is %s", words)

    def close(self) -> None:
        """Let go of every model."""
        for engine in (*self._engines.values(), *self._retired):
            engine.batcher.close()
            engine.prepared.executor.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _adopt(self) -> None:
        if time.monotonic() < self._read_again_s:
            return
        word = self._shelf.word()
        try:
            plan = self._shelf.latest()
        except (OSError, msgspec.MsgspecError) as error:
            self._read_again_s = time.monotonic() + READ_AGAIN_S
            _log.warning("plan %d cannot be read (%s): obeying plan %d", word, error, self.plan.epoch)
            return
        self.plan, self._word = plan, word
        self._breaker.forget({route.release for route in plan.routes.values() if route.release is not None})
        for digest, arm in self._wanted().items():
            if digest not in self._engines and not self._is_loading(digest):
                self._load(arm)
        self.settle_in()

    def _wanted(self) -> dict[str, Arm]:
        arms = [
            arm for route in self.plan.routes.values() for arm in route.arms if arm.role is not Role.SHADOW
        ]
        return {arm.digest: arm for arm in arms}

    def _is_loading(self, digest: str) -> bool:
        return digest in self.packages and self.packages[digest].state is LoadState.LOADING

    def _serve(self, route: Route) -> Served:
        """The route as far as this worker may and can follow it."""
        before = self._served.get(route.model)
        live, canary = route.arm(Role.LIVE), route.arm(Role.CANARY)
        if (
            live is not None
            and live.digest not in self._engines
            and before is not None
            and before.live is not None
        ):
            live = before.route.arm(Role.LIVE)  # the new one is not there yet: the one before serves on
        if live is not None and live.digest not in self._engines:
            live = self._stand_in(route, live)
        dead = route.release in self.plan.killed or self._breaker.is_open(route.release)
        if canary is not None and (dead or canary.digest not in self._engines):
            canary = None
        if canary is not None and live is None and route.arm(Role.LIVE) is not None:
            canary = None  # a canary never stands in for a live version that could not be loaded
        arms = tuple(arm for arm in (live, canary) if arm is not None)
        effective = msgspec.structs.replace(route, arms=arms)
        if live is not None and live.stands_in:
            effective = msgspec.structs.replace(
                effective, release=None
            )  # no evidence for the release's version
        answers = live is not None or (canary is not None and canary.weight > 0)
        return Served(
            effective,
            self._engines[live.digest] if live else None,
            self._engines[canary.digest] if canary else None,
            None if answers else unserved(route, self.packages, self._broken),
        )

    def _stand_in(self, route: Route, live: Arm) -> Arm | None:
        """The version that was live before, where the live one could not be loaded and the plan keeps that one warm."""
        loaded = self.packages.get(live.digest)
        if loaded is None or loaded.state is not LoadState.FAILED:
            return None  # it is being loaded: callers are told to try again
        ready = (arm for arm in route.arms if arm.stands_in and arm.digest in self._engines)
        return next((msgspec.structs.replace(arm, role=Role.LIVE) for arm in ready), None)

    def _retire(self) -> None:
        """Take out what neither the plan nor anybody's request needs."""
        used = {arm.digest for served in self._served.values() for arm in served.route.arms}
        for digest in [
            digest for digest in self._engines if digest not in used and digest not in self._wanted()
        ]:
            self._retired.append(self._engines.pop(digest))
        wanted = self._wanted().keys() | self._engines.keys()
        self.packages = {digest: loaded for digest, loaded in self.packages.items() if digest in wanted}
        self._retry_s = {digest: at_s for digest, at_s in self._retry_s.items() if digest in wanted}
        self._broken = {digest: error for digest, error in self._broken.items() if digest in wanted}
        self._places = {digest: place for digest, place in self._places.items() if digest in wanted}
        self._awaited = {digest: arm for digest, arm in self._awaited.items() if digest in wanted}

    def _load(self, arm: Arm) -> None:
        self._retry_s.pop(arm.digest, None)
        self._awaited.pop(arm.digest, None)
        self.packages[arm.digest] = Loaded(state=LoadState.LOADING)
        self.changes += 1
        if not self._is_here(arm):
            self._awaited[arm.digest] = arm
            return
        future = self._loop.run_in_executor(self._threads, self._prepare, arm)
        future.add_done_callback(lambda done: self._loaded(arm, done))

    def _loaded(self, arm: Arm, done: asyncio.Future[Prepared]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        self._broken.pop(arm.digest, None)
        self._places.pop(arm.digest, None)
        if error is None:
            prepared = done.result()
            self._engines[arm.digest] = self._engine(prepared)
            status = prepared.executor.status()
            self.packages[arm.digest] = Loaded(
                state=LoadState.READY,
                load_ms=prepared.load_ms,
                memory_mb=prepared.memory_mb,
                executor=prepared.executor.kind,
                confined="; ".join(status.unconfined) or None,
            )
        else:
            words = (
                error.sentence() if isinstance(error, LockgateError) else f"{type(error).__name__}: {error}"
            )
            _log.error("version %d (%s) cannot be served: %s", arm.version, arm.digest, words)
            self.packages[arm.digest] = Loaded(state=LoadState.FAILED, error=words)
            if isinstance(error, SealBroken):
                self._broken[arm.digest] = error
                self._places[arm.digest] = Place(self._place(arm))
            wait_s = BROKEN_RETRY_S if arm.digest in self._broken else RETRY_S
            self._retry_s[arm.digest] = time.monotonic() + wait_s
        self.settle_in()


def _without_canary(served: Served) -> Served:
    """What is served where the right to serve a canary has run out: live alone; nobody, where nothing is live yet."""
    if served.canary is None:
        return served
    live = served.route.arm(Role.LIVE)
    route = msgspec.structs.replace(served.route, arms=() if live is None else (live,))
    return Served(route, served.live, None, None if live is not None else cut_off(route))
