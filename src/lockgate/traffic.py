"""The traffic plan: who answers which request. The release writes it, the gateway obeys it, both use `assign`.

A plan is one small immutable value. Per model it names the arms (a sealed version, its role, its weight), the salt
of the release and how requests stick to arms. It is published as a file and one 64-bit epoch (`published.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from hashlib import blake2b
from pathlib import Path

import msgspec

from lockgate.published import Published

_HASH_SPAN = 2.0**64


class Role(StrEnum):
    """What an arm is there for."""

    LIVE = "live"  # answers, unless another arm takes the request
    CANARY = "canary"  # answers the share `weight` of requests; live stands behind it
    SHADOW = "shadow"  # loaded nowhere in the gateway; scored by the shadow scorer from the log
    WARM = "warm"  # loaded and ready, answers nothing: a canary being prepared, or the previous version


class Stick(StrEnum):
    """What decides which arm a request goes to."""

    KEY = "key"  # the business key; the request id when the caller sent none
    REQUEST = "request"  # the request id, always


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One sealed version of a model in the plan."""

    version: int
    digest: str
    role: Role
    weight: float = 0.0  # 0..1, only a canary has one above 0
    python: str | None = None  # interpreter of the isolated executor, when one is named
    replicas: int | None = None  # its processes in each worker, when the model's settings say so
    memory_mb: int | None = None  # of address space for each of them
    stands_in: bool = False  # was live before: may answer where the live version cannot be loaded


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """How the requests of one model are answered. At most one arm is live, at most one is canary."""

    model: str
    arms: tuple[Arm, ...]
    release: int | None = None  # the running release, for the record
    stage: int = 0
    salt: str = ""
    stick: Stick = Stick.KEY
    key_field: str | None = None  # input column that holds the business key, if the caller sends none apart
    strict: bool = False  # no answer without a record
    personal: tuple[str, ...] = ()  # inputs that are recorded encrypted with a key of the person
    fallback: bool = True  # false for impure models: no second answer in the same request
    deadline_ms: float = 5_000.0
    canary_deadline_ms: float = 2_500.0  # the budget left to live must be at least live's p99
    slow_ms: float | None = (
        None  # a canary that takes longer is slow: live is asked beside it; None: it is waited for
    )

    def arm(self, role: Role) -> Arm | None:
        """The arm with that role, if there is one."""
        for arm in self.arms:  # in every request: a generator would cost three times as much
            if arm.role is role:
                return arm
        return None


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Every model's route. `killed` holds releases whose canary must never be served again (the kill bit)."""

    epoch: int = 0
    routes: dict[str, Route] = {}
    killed: tuple[int, ...] = ()

    def is_live(self, digest: str) -> bool:
        """Whether a package is the live version of a model."""
        arms = (arm for route in self.routes.values() for arm in route.arms)
        return any(arm.digest == digest and arm.role is Role.LIVE for arm in arms)


def share(salt: str, unit: str) -> float:
    """Where a key falls in [0, 1): first 8 bytes of blake2b(salt + unit) / 2^64; same in every process.

    >>> 0 <= share("s", "customer-1") < 1
    True
    """
    digest = blake2b((salt + unit).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _HASH_SPAN


def assign(route: Route, key: str | None, request_id: str) -> tuple[Arm | None, float]:
    """The arm for one request, and the probability `w` that it had of going to the canary.

    Monotone in the weight: a key that got the canary keeps it while the weight grows. Returns `(None, 0.0)` when no
    arm is there to answer.
    """
    live, canary = route.arm(Role.LIVE), route.arm(Role.CANARY)
    if canary is None or canary.weight <= 0.0:
        return live, 0.0
    if live is None:
        return canary, 1.0
    unit = key if key is not None and route.stick is Stick.KEY else request_id
    return (canary if share(route.salt, unit) < canary.weight else live), canary.weight


class PlanShelf:
    """Reads and publishes the plan of one host (folder `plan/` of the home)."""

    def __init__(self, folder: Path) -> None:
        self._shelf = Published(folder, "plan")
        self._decoder = msgspec.json.Decoder(Plan)

    def word(self) -> int:
        """The newest epoch; compare it with the plan in hand before every request."""
        return self._shelf.word()

    def latest(self) -> Plan:
        """The newest plan; an empty one when none was published."""
        _, body = self._shelf.latest()
        return self._decoder.decode(body) if body else Plan()

    def publish_route(self, route: Route, *, killed: tuple[int, ...] = ()) -> Plan:
        """Put one model's route (and newly killed releases) into force; the other routes stay as they are.

        A route of a release that was killed before is left out: a late publisher cannot bring its canary back.
        """

        def change(old: Plan) -> dict[str, Route]:
            return old.routes if route.release in old.killed else {**old.routes, route.model: route}

        return self._publish(change, killed)

    def withdraw(self, model: str) -> Plan:
        """Take one model out of the plan."""
        return self._publish(lambda old: {m: r for m, r in old.routes.items() if m != model}, ())

    def follow(self, plan: Plan) -> None:
        """Put the plan of another host into force as it is, with that host's epoch."""
        self._shelf.follow(plan.epoch, msgspec.json.encode(plan))

    def close(self) -> None:
        """Let go of the shared word."""
        self._shelf.close()

    def _publish(self, change: Callable[[Plan], dict[str, Route]], killed: tuple[int, ...]) -> Plan:
        made: list[Plan] = []

        def make(epoch: int, body: bytes) -> bytes:
            old = self._decoder.decode(body) if body else Plan()
            dead = tuple(sorted({*old.killed, *killed}))
            made.append(Plan(epoch=epoch, routes=change(old), killed=dead))
            return msgspec.json.encode(made[0])

        self._shelf.publish(make)
        return made[0]
