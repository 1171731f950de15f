"""The shadow scorer beside live: when it gives way, and what it tells people of itself."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from lockgate.clock import SECOND_US
from lockgate.config import ModelConfig
from lockgate.membership import members
from lockgate.registry.store import get_model
from lockgate.release import snapshots
from lockgate.release.contenders import scored
from lockgate.release.promise import FAST_MS, ReleasePlan
from lockgate.release.shadow import ShadowStatus
from lockgate.release.shadow_brake import WINDOW_S, Brake, load_of
from lockgate.release.shadow_status import ShadowSaid, say
from lockgate.release.store import running_releases
from lockgate.samples import gather
from lockgate.wiring.house import House

SLOWER = 2.0  # times live's usual 99th percentile, where no limit is declared
TELL_S = 2.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class GiveWay:
    """`waits(model)`: whether the shadow waits for live now. Looks at the workers' numbers every few seconds."""

    def __init__(self, house: House, brake: Brake | None = None) -> None:
        self._house, self.brake = house, brake or Brake(os.cpu_count() or 1)
        self._looked_s = float("-inf")

    def waits(self, model: str) -> bool:
        """Whether nothing is to be scored for a model now."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= WINDOW_S:
            self._looked_s = now_s
            counted = gather(self._house.home.run, "shadow", [])
            self.brake.look(load_of(counted, at_s=now_s, cpu_s=self._cpu_s()), self._limits_s())
        return self.brake.waits(model, now_s)

    def _limits_s(self) -> dict[str, float]:
        with self._house.db.read() as tx:
            plans = {one.model: declared(get_model(tx, one.model).settings)
                     for one in scored(tx, now_us=self._house.clock.now_us())}  # fmt: skip
            plans |= {release.model: release.plan for release in running_releases(tx) if release.plan.shadow}
            return {
                model: limit_s(plan, snapshots.traffic_of(tx, model).t99_us) for model, plan in plans.items()
            }

    def _cpu_s(self) -> float:
        """Processor seconds of this machine's gateway workers and of their models' processes."""
        there = members(self._house.home.members, self._house.clock.now_us())
        here = socket.gethostname()
        return sum(cpu_s_of(member.pid) for member in there if member.host == here)


def limit_s(plan: ReleasePlan, t99_us: int | None) -> float:
    """The 99th percentile that live is to keep: the declared limit, else twice what it usually is; what is fast is fine.

    >>> limit_s(ReleasePlan(p99_limit_ms=20.0), 90_000), limit_s(ReleasePlan(), 90_000), limit_s(ReleasePlan(), None)
    (0.02, 0.18, 0.05)
    """
    if plan.p99_limit_ms is not None:
        return plan.p99_limit_ms / 1e3
    return max(FAST_MS / 1e3, SLOWER * (t99_us or 0) / 1e6)


def declared(settings: ModelConfig) -> ReleasePlan:
    """The limit that holds beside contenders, which have no plan of their own."""
    own = settings.release.p99_limit_ms
    return ReleasePlan(p99_limit_ms=settings.goal.p99_ms if own is None else own)


def cpu_s_of(pid: int) -> float:
    """Processor seconds of a process and of all that it started; 0 for one that is gone."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        children = [
            int(child)
            for path in Path(f"/proc/{pid}/task").glob("*/children")
            for child in path.read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, told[11:13])) / _TICKS_PER_S + sum(map(cpu_s_of, children))


def teller(house: House, brake: Brake) -> Callable[[Sequence[ShadowStatus]], None]:
    """A function that puts what the scorer says where people find it: at changes, every few seconds at most."""
    told: dict[str, ShadowSaid] = {}
    last_us = 0

    def tell(statuses: Sequence[ShadowStatus]) -> None:
        nonlocal last_us
        now_us = house.clock.now_us()
        if abs(now_us - last_us) < TELL_S * SECOND_US:
            return
        last_us = now_us
        new = {one.job.name: _said(one, brake.why(one.job.model)) for one in statuses}
        changed = [one.job for one in statuses if told.get(one.job.name) != new[one.job.name]]
        if changed:
            with house.db.write() as tx:
                for job in changed:
                    say(tx, job.release, msgspec.structs.replace(new[job.name], at_us=now_us))
        told.clear()
        told.update(new)

    return tell


def _said(status: ShadowStatus, pause: str | None) -> ShadowSaid:
    job = status.job
    return ShadowSaid(
        version=job.version, share=job.share, behind_us=status.behind_us, pause=pause, error=status.error
    )
