"""Lead time gate by gate: how long each step from submission to live took, where a version waits, and for whom. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Gate(StrEnum):
    """What a version passes on its way, in this order."""

    SUBMITTED = "submitted"
    VALIDATED = "validated"
    RELEASE_STARTED = "release started"
    SHADOW_DONE = "shadow done"
    APPROVED = "approved"
    CANARY_STARTED = "canary started"
    LIVE = "live"


class Waits(StrEnum):
    """Who or what a step waits for."""

    BUILDER = "the model builder"
    CHECKS = "the checks"
    TRAFFIC = "enough requests"
    APPROVER = "an approver"
    CONTROLLER = "the gateways to be ready"


WAITS_FOR: dict[Gate, Waits] = {  # what it takes to pass this gate
    Gate.VALIDATED: Waits.CHECKS,
    Gate.RELEASE_STARTED: Waits.BUILDER,
    Gate.SHADOW_DONE: Waits.TRAFFIC,
    Gate.APPROVED: Waits.APPROVER,
    Gate.CANARY_STARTED: Waits.CONTROLLER,
    Gate.LIVE: Waits.TRAFFIC,
}
_ORDER = list(Gate)


@dataclass(frozen=True)
class Step:
    """The time up to a gate. `done`: the gate was passed; else it waits there now. `share` is of the whole time, 0..1."""

    gate: Gate
    from_us: int
    took_us: int
    waits_for: str
    done: bool
    share: float


@dataclass(frozen=True)
class LeadTime:
    """A version's way so far. `live`: it has arrived; else the last step is where it waits now."""

    steps: tuple[Step, ...]
    total_us: int
    live: bool
    slowest: Step | None
    waiting: Step | None


def lead_time(
    passed: dict[Gate, int], now_us: int, *, skipped: Iterable[Gate] = (), ended: bool = False
) -> LeadTime:
    """Durations between gates from the times at which they were passed (microseconds since 1970).

    `skipped` are gates that this version does not need (a first version has no shadow). `ended`: its release was
    rolled back, rejected or cancelled, so nothing waits any more. Without a submission there is nothing to measure.
    A gate whose time lies before the one before it counts as passed at once.
    """
    if Gate.SUBMITTED not in passed:
        return LeadTime((), 0, False, None, None)
    needed = [gate for gate in _ORDER if gate in passed or gate not in set(skipped)]
    last = max(_ORDER.index(gate) for gate in passed)
    at_us = passed[Gate.SUBMITTED]
    raw: list[tuple[Gate, int, int, bool]] = []
    for gate in needed[1:]:
        if gate in passed:
            raw.append((gate, at_us, max(0, passed[gate] - at_us), True))
            at_us = max(at_us, passed[gate])
        elif _ORDER.index(gate) > last:
            if not ended:
                raw.append((gate, at_us, max(0, now_us - at_us), False))
            break
    total = sum(took for _, _, took, _ in raw)
    steps = tuple(
        Step(gate, start, took, WAITS_FOR[gate].value, done, took / total if total else 0.0)
        for gate, start, took, done in raw
    )
    return LeadTime(
        steps=steps,
        total_us=total,
        live=Gate.LIVE in passed,
        slowest=max(steps, key=lambda step: step.took_us, default=None),
        waiting=next((step for step in steps if not step.done), None),
    )


def duration(took_us: int) -> str:
    """A duration for people, in its two largest units.

    >>> duration(93_784_000_000), duration(61_000_000), duration(1_500_000)
    ('1 d 2 h', '1 min 1 s', '1.5 s')
    """
    seconds = took_us / 1_000_000
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    whole = int(seconds)
    parts = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(place for place, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)
