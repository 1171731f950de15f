"""Releases from Python: start one, look at it, steer it.

>>> from lockgate.client import releases
>>> callable(releases.start), callable(releases.rollback)
(True, True)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lockgate.client.naming import model_only, parts_of, version_path
from lockgate.client.transport import connected

Answer = dict[str, Any]


def start(
    version: str,
    reason: str = "",
    *,
    settings: Mapping[str, Any] | None = None,
    python: str | None = None,
    supersede: bool = False,
    home: str | Path | None = None,
) -> Answer:
    """Start the release of a version (`churn/3`; `churn`: the newest). `settings`: fields of the release settings.

    While another release of the model runs, what comes back is a place in the queue: its `state` is `waiting`.
    """
    model, word = parts_of(version)
    body = {
        "version": word or "latest",
        "reason": reason,
        "settings": dict(settings) if settings else None,
        "python": python,
        "supersede": supersede,
    }
    with connected(home) as lockgate:
        made: Answer = lockgate.post(f"/models/{model}/releases", body)
    return made


def plan(version: str, *, home: str | Path | None = None) -> Answer:
    """The plan that a release of a version (`churn/3`; `churn`: the newest) would get now; nothing is started."""
    with connected(home) as lockgate:
        found: Answer = lockgate.get(f"{version_path(version)}/plan")
    return found


def queue(model: str, *, home: str | Path | None = None) -> list[Answer]:
    """What waits for the model's running release to end, in its order, then what became of earlier places."""
    with connected(home) as lockgate:
        found: list[Answer] = lockgate.get(f"/models/{model_only(model)}/releases/queue")
    return found


def status(model: str, number: int | None = None, *, home: str | Path | None = None) -> Answer:
    """The running release of a model, else its last one: `release`, `weight`, `verdicts`, `moves`, `blocked` ..."""
    with connected(home) as lockgate:
        found: Answer = lockgate.get(f"/models/{model_only(model)}/release", number=number)
    return found


def shadow(model: str, number: int | None = None, *, home: str | Path | None = None) -> Answer | None:
    """What the shadow says so far, in decisions: `sentence`, `pairs`, `agreement`, `segments` ...; None without one."""
    with connected(home) as lockgate:
        told: Answer | None = lockgate.get(f"/models/{model_only(model)}/release/shadow", number=number)
    return told


def contend(version: str, reason: str = "", *, home: str | Path | None = None) -> Answer:
    """Let a validated version answer live's recorded requests in shadow, beside others; nothing else begins by itself."""
    model, word = parts_of(version)
    with connected(home) as lockgate:
        made: Answer = lockgate.post(
            f"/models/{model}/contenders", {"version": word or "latest", "reason": reason}
        )
    return made


def contenders(model: str, *, home: str | Path | None = None) -> list[Answer]:
    """Who contends, each with `shadow` (what it would decide differently) and `labelled` (how right); then those of before."""
    with connected(home) as lockgate:
        found: list[Answer] = lockgate.get(f"/models/{model_only(model)}/contenders")
    return found


def withdraw(version: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Take a version out of the shadow."""
    model, word = parts_of(version)
    with connected(home) as lockgate:
        done: Answer = lockgate.post(
            f"/models/{model}/contenders/{word or 'latest'}/withdraw", {"reason": reason}
        )
    return done


def act(
    name: str,
    target: str,
    reason: str = "",
    *,
    seconds: float | None = None,
    weight: float | None = None,
    home: str | Path | None = None,
) -> Answer:
    """`hold`, `resume`, `rollback`, `promote`, `cancel`, `approve`, `reject`, `extend` (by `seconds`) or `weight` (the canary's
    share, None: as planned) the release of a model or a version."""
    model, word = parts_of(target)
    version = int(word) if word and word.isdigit() else None
    with connected(home) as lockgate:
        done: Answer = lockgate.post(
            f"/models/{model}/release/{name}",
            {"reason": reason, "version": version, "seconds": seconds, "weight": weight},
        )
    return done


def hold(model: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Stop a release where it is: its weight stays, its guards stay armed."""
    return act("hold", model, reason, home=home)


def resume(model: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Let a held release go on; past a guard that fired two people are needed."""
    return act("resume", model, reason, home=home)


def rollback(model: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Take the new version out; returns when every gateway obeys."""
    return act("rollback", model, reason, home=home)


def promote(model: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Skip what is left of the canary or of the watch; two people are needed, one for a watch in the low tier."""
    return act("promote", model, reason, home=home)


def approve(version: str, reason: str = "", *, home: str | Path | None = None) -> Answer:
    """Say yes to the release's very package, data, findings and policy."""
    return act("approve", version, reason, home=home)


def reject(version: str, reason: str, *, home: str | Path | None = None) -> Answer:
    """Say no to the release."""
    return act("reject", version, reason, home=home)


def extend(model: str, seconds: float, reason: str, *, home: str | Path | None = None) -> Answer:
    """Let a release be in its shadow, its stage or its watch for so much longer; a held one goes on with that time."""
    return act("extend", model, reason, seconds=seconds, home=home)


def weigh(model: str, weight: float | None, reason: str, *, home: str | Path | None = None) -> Answer:
    """Give the canary a smaller share of the traffic (0..1), or with None the planned one again."""
    return act("weight", model, reason, weight=weight, home=home)
