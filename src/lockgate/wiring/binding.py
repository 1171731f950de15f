"""What of a model's settings binds, by path, and where settings ask for less than the policy of their tier. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockgate.checks.base import read_settings
from lockgate.checks.suite import CHECKS
from lockgate.checks.validate import refuse_wrong
from lockgate.config import ModelConfig
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Bound, Setting, Stricter, Value, bound_at, meets
from lockgate.governance.policy import Policy
from lockgate.release.plan import parse_share

RELEASE: dict[str, Setting] = {
    "shadow_requests": Setting(Stricter.HIGHER),
    "shadow_min_s": Setting(Stricter.HIGHER),
    "shadow_share": Setting(Stricter.HIGHER),
    "canary": Setting(Stricter.LOWER),  # its first stage, a share
    "stage_min_s": Setting(Stricter.HIGHER),
    "stage_requests": Setting(Stricter.HIGHER),
    "watch_s": Setting(Stricter.HIGHER),
    "max_days": Setting(Stricter.NEITHER),  # longer or shorter: then it is held
    "guards": Setting(Stricter.MORE),
    "business": Setting(Stricter.NEITHER),  # which metric; that it guards is said by `guards`
    "alpha": Setting(Stricter.NEITHER),  # bound on both sides: see OURS
    "error_limit": Setting(Stricter.LOWER),
    "p99_limit_ms": Setting(Stricter.LOWER),
    "deadline_ms": Setting(Stricter.LOWER),
}
PACE = ("shadow_requests", "shadow_min_s", "canary", "stage_min_s", "stage_requests", "watch_s")
OTHERS: dict[str, Setting] = {
    "goal.at_least": Setting(Stricter.HIGHER, needed=True),
    "goal.at_most": Setting(Stricter.LOWER, needed=True),
    "goal.p99_ms": Setting(Stricter.LOWER),
    "log.keep_days": Setting(
        Stricter.NEITHER
    ),  # longer proves more, shorter spares people: a policy may bind either
    "protected": Setting(Stricter.MORE),
    "pure": Setting(Stricter.HIGHER),  # false: no shadow, no second answer
}
SETTINGS: dict[str, Setting] = {
    **{f"checks.{name}.{key}": each for name, check in CHECKS.items() for key, each in check.binding.items()},
    **{f"release.{key}": each for key, each in RELEASE.items()},
    **OTHERS,
}
# Bounds of lockgate's own that no default can give. A larger alpha breaks the promise about false rollbacks; with a tiny
# one the guards see nothing in time.
OURS: dict[str, Bound] = {
    "release.alpha": Bound(at_least=0.01, at_most=0.05),
    "release.error_limit": Bound(at_most=0.05),
    "release.guards": Bound(all_of=("errors", "latency")),
}
METRIC = "checks.performance.metric"
_LIMITS = ("checks.performance.min", "checks.performance.max", "goal.at_least", "goal.at_most")


@dataclass(frozen=True)
class Loosened:
    """One setting that asks for less than it must: its path, what was received, what is allowed."""

    path: str
    got: Value
    allowed: str


def values_of(settings: ModelConfig) -> dict[str, Value]:
    """Every setting that binds, by path. Raises InvalidInput for check settings that cannot be."""
    refuse_wrong(settings)
    found: dict[str, Any] = {
        f"goal.{key}": getattr(settings.goal, key) for key in ("at_least", "at_most", "p99_ms")
    }
    found |= {"protected": settings.protected, "pure": settings.pure, "log.keep_days": settings.log.keep_days}
    found |= {f"release.{key}": getattr(settings.release, key) for key in RELEASE}
    canary = settings.release.canary
    found["release.canary"] = parse_share(canary[0]) if canary else None
    shadowed = settings.release.shadow_share
    found["release.shadow_share"] = None if shadowed is None else parse_share(shadowed, whole=True)
    for name, check in CHECKS.items():
        own = read_settings(name, dict(settings.checks.get(name, {})), check.settings)
        found |= {f"checks.{name}.{key}": getattr(own, key) for key in check.binding}
    return found


def bounds_of(policy: Policy) -> dict[str, Bound]:
    """How far each setting may go: the policy's word; else ours; else, for checks, their own defaults."""
    bounds = dict(OURS)
    for name, check in CHECKS.items():
        defaults = check.settings()
        for key, each in check.binding.items():
            default = getattr(defaults, key)
            found = bound_at(each.stricter, each.limit if default is None else default)
            if found is not None:
                bounds[f"checks.{name}.{key}"] = found
    return {**bounds, **policy.bounds}


def loosened(new: ModelConfig, policy: Policy, old: ModelConfig | None = None) -> list[Loosened]:
    """Where settings ask for less than the policy's bounds.

    What no bound speaks of (limits of the model's own metric, its goal, what it protects) is held against `old`, what is in
    force for this model: it may only become stricter. Raises InvalidInput for check settings that cannot be.
    """
    wanted, bounds = values_of(new), bounds_of(policy)
    found = [
        Loosened(path, wanted[path], str(bound))
        for path, bound in bounds.items()
        if path in SETTINGS and not meets(bound, wanted[path], needed=SETTINGS[path].needed)
    ]
    if old is None:
        return found
    before = values_of(old)
    free = {f"release.{key}" for key in PACE} | {"release.deadline_ms"}
    for path, each in SETTINGS.items():
        standing = None if path in bounds or path in free else bound_at(each.stricter, before[path])
        if standing is not None and not meets(standing, wanted[path], needed=each.needed):
            found.append(Loosened(path, wanted[path], f"{standing}, as it stands"))
    if _metric(new) != _metric(old) and any(before[path] is not None for path in _LIMITS):
        found.append(Loosened(METRIC, _metric(new), f"{_metric(old)}, which the limits in force are about"))
    return found


def refuse_bounds(policy: Policy) -> None:
    """Raise InvalidInput for bounds of settings that there are not, or of another kind than the setting's."""
    for path, bound in policy.bounds.items():
        if path not in SETTINGS:
            raise InvalidInput(f"bounds: there is no setting '{path}'", allowed=", ".join(SETTINGS))
        lists = path.endswith(("ignore", "guards", "protected", "metric"))
        if (lists and (bound.at_least, bound.at_most) != (None, None)) or (
            not lists and (bound.only, bound.all_of) != (None, None)
        ):
            raise InvalidInput(f"bounds: '{path}' cannot be bound like this", got=str(bound),
                               allowed="only, all_of" if lists else "at_least, at_most")  # fmt: skip


def _metric(settings: ModelConfig) -> str | None:
    named = settings.checks.get("performance", {}).get("metric")
    return named or settings.goal.metric
