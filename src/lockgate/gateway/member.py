"""The worker's heart: looks at the plan when no request does, and tells the control plane how the worker is."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from lockgate.clock import Clock
from lockgate.gateway.app import App
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.recorder import Recorder
from lockgate.gateway.refusals import internal
from lockgate.gateway.router import Router
from lockgate.membership import HEARTBEAT_S, Member, report, retire
from lockgate.samples import leave, take_away

LOOK_S = 0.02  # an idle worker obeys, and acknowledges, a new plan this soon
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Identity:
    """What never changes about a worker."""

    name: str
    port: int
    started_us: int


class Heart:
    """Beats until it is cancelled."""

    def __init__(
        self,
        identity: Identity,
        members: Path,
        run: Path,
        *,
        clock: Clock,
        router: Router,
        breaker: Breaker,
        recorder: Recorder,
    ) -> None:
        self._identity, self._members, self._run, self._clock = identity, members, run, clock
        self._router, self._breaker, self._recorder = router, breaker, recorder
        self._told, self._due_s = -1, 0.0
        self.app: App | None = None

    async def beat(self) -> None:
        """Look at the plan all the time; report at every change and every half second. A defect stops no heart."""
        while True:
            try:
                self._once()
            except Exception:  # noqa: BLE001  shown by its id; the next beat tries again
                internal("a heartbeat")
            await asyncio.sleep(LOOK_S)

    def _once(self) -> None:
        self._router.look()
        self._router.tidy()
        if self.app is not None:
            self.app.sweep()
        if self._router.changes != self._told or time.monotonic() >= self._due_s:
            self._told, self._due_s = self._router.changes, time.monotonic() + HEARTBEAT_S
            self._recorder.rest()
            self.tell()

    def tell(self) -> None:
        """Write this worker's report and its numbers; on a full disk the report grows old, and service goes on."""
        ready = self._router.ready and self.app is not None and not self.app.draining
        member = Member(
            worker=self._identity.name,
            pid=os.getpid(),
            host=socket.gethostname(),
            port=self._identity.port,
            started_us=self._identity.started_us,
            beat_us=self._clock.now_us(),
            epoch=self._router.plan.epoch,
            packages=dict(self._router.packages),
            tripped=self._breaker.tripped,
            log_gap=self._recorder.gap,
            ready=ready,
        )
        try:
            report(self._members, member)
            if self.app is not None:
                leave(self._run, self._identity.name, self.app.samples())
        except OSError as error:
            _log.warning("this worker's report could not be written: %s", error)

    def stop(self) -> None:
        """Take the report and the numbers away."""
        retire(self._members, self._identity.name)
        take_away(self._run, self._identity.name)
